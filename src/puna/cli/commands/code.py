"""`puna code`: completions for editors, in the foreground (contract code-completion)."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from puna.cli.connection import configured, server
from puna.cli.tables import indented
from puna.cli.terminal import printable
from puna.errors import PunaError

if TYPE_CHECKING:
    from puna.client import Endpoint
    from puna.code.inspection import Inspection
    from puna.settings import Settings

log = logging.getLogger(__name__)


def code(*, model: str, check: bool, explain: bool, embedded: bool, no_auth: bool) -> int:
    """Serve until stopped, or only look at the settings and the model. Raises `PunaError`."""
    from puna.settings import Settings

    settings = Settings(code_model=model) if model else Settings()
    try:
        if not (embedded or check or explain):
            return _serve(settings, configured(), no_auth=no_auth)  # the endpoint may come later
        with server(embedded=embedded) as endpoint:
            if check or explain:
                return _tell(settings, endpoint, explain=explain)
            return _serve(settings, endpoint, no_auth=no_auth)
    except KeyboardInterrupt:  # before it listens; afterwards the server takes the signal itself
        return 0


def _serve(settings: Settings, endpoint: Endpoint, *, no_auth: bool) -> int:
    from puna.code.face import face
    from puna.serving.listening import Face, run

    def prepare() -> list[Face]:
        _check_templates(settings, endpoint)
        return [face(settings, endpoint, no_auth=no_auth)]

    return run(settings, prepare)


def _check_templates(settings: Settings, endpoint: Endpoint) -> None:
    """V3: a template that no model understands is found at the start. Raises `PunaError`."""
    from puna.code.face import configured as code_settings

    config = code_settings(settings)
    if not (config.template or config.templates):
        return
    for complaint in _inspected(settings, endpoint).complaints:
        if config.template_strict:
            raise PunaError(f"{complaint} (PUNA_CODE_TEMPLATE_STRICT=off leaves it out)")
        log.warning("%s; it is left out", complaint)


def _tell(settings: Settings, endpoint: Endpoint, *, explain: bool) -> int:
    """The exit status is 1 when a template does not fit."""
    found = _inspected(settings, endpoint)
    if explain:
        print(indented("Completions", _rows(found)), end="")
    for complaint in found.complaints:
        print(printable(complaint))
    if not (explain or found.complaints):
        print(f"The settings fit: {printable(found.served.name)} answers.")
    return 1 if found.complaints else 0


def _rows(found: Inspection) -> list[tuple[str, str]]:
    from puna.code.naming import detected

    served = found.served
    told = detected(served)
    prompt = "prefix only"
    if served.fills_in_the_middle:
        prompt = "the cursor's line behind the gap" if served.splits_lines else "as the family has it"
    elif served.chats:
        prompt = "asked in words, as a chat"
    score = "not probed" if served.score is None else f"{served.score} of 3 gaps"
    return [
        ("model", served.name),
        ("family", str(told["family"]) or "none"),
        ("order", str(told["order"]) or "none"),
        ("found by", str(told["source"])),
        ("probe", score),
        ("prompt", prompt),
    ]


def _inspected(settings: Settings, endpoint: Endpoint) -> Inspection:
    from puna.code.face import configured as code_settings
    from puna.code.inspection import inspect

    return asyncio.run(inspect(endpoint, code_settings(settings)))
