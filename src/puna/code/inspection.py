"""What `puna code --check` and `--explain` tell: do the templates fit the models, and how is a gap filled (V3, D8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from puna.client import Endpoint, OllamaClient
from puna.code.completer import Completer
from puna.code.failures import UnknownModel
from puna.code.served import Served
from puna.code.template import check, parse
from puna.code.types import CodeConfig
from puna.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Inspection:
    """The model that answers, and one line for each template that does not fit."""

    served: Served
    complaints: tuple[str, ...]


async def inspect(endpoint: Endpoint, config: CodeConfig) -> Inspection:
    """Ask the endpoint; a model that was not looked at before is probed. Raises `CodeError`."""
    async with OllamaClient(endpoint) as client, Completer(client, config) as completer:
        served = await completer.served()
        complaints = list(_complaints("code.template", config.template, served)) if config.template else []
        for name, text in config.templates.items():
            complaints += _complaints(name, text, await _meant(completer, name, served))
        return Inspection(served, tuple(complaints))


async def _meant(completer: Completer, name: str, served: Served) -> Served:
    """The model that a template is for; one for a family or a language is for the model that answers."""
    try:
        return await completer.served(name)
    except UnknownModel:
        return served


def _complaints(name: str, text: str, served: Served) -> Iterator[str]:
    try:
        found = check(parse(text), served.vocabulary)
    except BadRequest as error:
        found = (error.message,)
    for complaint in found:
        yield f"template of {name}, with {served.name}: {complaint}"
