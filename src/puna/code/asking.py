"""From the parts of a question to the one upstream request that answers it: contract code-completion §1.13, §4.2. Pure.

Four ways: the client's own prompt as it stands, an operator's template, the family's layout, and for models without
markers the upstream's template, a conversation, or the prefix alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from puna.code import emulation
from puna.code.analysis import Parts
from puna.code.served import Served, of_model
from puna.code.template import OllamaTemplate, Template, parse, parse_requested
from puna.code.types import CodeConfig, CompletionRequest
from puna.code.upstream import DEFAULTS, Ask
from puna.prompts.fim import context_comments, guard, guarded_texts, render

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Way:
    """The request, and what of it matters when the answer comes."""

    ask: Ask
    stops: tuple[str, ...] = ()  # what ends the answer besides what the client wants
    emulated: bool = False


def template_for(request: CompletionRequest, served: Served, config: CodeConfig, language_id: str) -> str:
    """The operator template that applies, the nearest one: request, model, family, language, everything; "" = none."""
    family = served.family.name if served.family else ""
    return (
        request.template
        or of_model(config.templates, served.name)
        or served.detection.template
        or config.templates.get(family, "")
        or config.templates.get(language_id, "")
        or config.template
    )


def way_for(request: CompletionRequest, parts: Parts, served: Served, config: CodeConfig) -> Way:
    """How `served` is asked for what belongs between the texts of `parts`. Raises `BadRequest` for a bad template."""
    family, typed = served.family, _typed(parts)
    stops = family.stops if family else ()
    if parts.verbatim is not None:
        return Way(_generate(request, served, parts.verbatim, stops), stops)
    if template := template_for(request, served, config, parts.language_id):
        reader = _template(template, requested=bool(request.template))
        prompt = reader.render(parts, system=request.system, family=family, vocabulary=served.vocabulary)
        return Way(_generate(request, served, prompt.text, stops), stops)
    if family is not None:
        fim = parts.fim()
        if served.splits_lines:
            fim = replace(fim, prefix=fim.prefix.removesuffix(typed), typed=typed)
        return Way(_generate(request, served, render(family, fim, served.vocabulary).text, stops), stops)
    controls = guarded_texts(None, served.vocabulary)
    context = guard(context_comments(parts.fim()) + parts.prefix, controls)
    if served.inserts_itself and parts.suffix:
        body = _body(request, served) | {"prompt": context, "suffix": guard(parts.suffix, controls)}
        return Way(Ask("generate", body, context))
    if config.emulation and served.chats:
        said = emulation.messages(parts, typed, request.system, controls)
        body = _body(request, served) | {"messages": said, "think": False}
        conversation = "\n".join(message["content"] for message in said)
        return Way(Ask("chat", body, conversation), (emulation.FENCE,), emulated=True)
    return Way(_generate(request, served, context, stops), stops)


def _generate(request: CompletionRequest, served: Served, prompt: str, stops: tuple[str, ...]) -> Ask:
    """A prompt that reaches the model as it is. The family's ends are told to the upstream, too: it stops by itself."""
    body = _body(request, served) | {"prompt": prompt, "raw": True}
    if stops:
        body["options"] = {**body["options"], "stop": list(stops)}
    return Ask("generate", body, prompt)


def _body(request: CompletionRequest, served: Served) -> Json:
    warm = is_warm_up(request)
    options = {**DEFAULTS, **request.sampling, "num_predict": 1 if warm else request.max_tokens}
    body: Json = {"model": served.name, "stream": True, "options": options}
    return body if request.keep_alive is None else body | {"keep_alive": request.keep_alive}


def is_warm_up(request: CompletionRequest) -> bool:
    """Whether only the prompt is to be evaluated (I2): to some upstreams a limit of 0 tokens means none."""
    return request.mode == "warm" or request.max_tokens == 0


def _typed(parts: Parts) -> str:
    return parts.prefix.rpartition("\n")[2]


@lru_cache(maxsize=64)
def _template(text: str, *, requested: bool) -> Template | OllamaTemplate:
    return parse_requested(text) if requested else parse(text)
