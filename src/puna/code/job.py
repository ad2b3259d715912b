"""What is decided about a question before the upstream is asked (contract code-completion §1.4, §1.5). Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

import orjson

from puna.code.analysis import Parts, analyse
from puna.code.asking import Way, is_warm_up, template_for, way_for
from puna.code.cursor import Cursor
from puna.code.served import Served
from puna.code.sessions import Question
from puna.code.shape import shape_of
from puna.code.types import CodeConfig, CompletionRequest, Explanation
from puna.code.upstream import DEFAULTS
from puna.code.window import fit


@dataclass(frozen=True, slots=True)
class Job:
    request: CompletionRequest
    served: Served
    parts: Parts  # the whole file as the client sent it
    cursor: Cursor
    way: Way  # to ask the upstream
    truncated: bool  # the window is smaller than the file

    @property
    def warms_up(self) -> bool:
        return is_warm_up(self.request)

    @property
    def explanation(self) -> Explanation:
        family = self.served.family
        return Explanation(
            family=family.name if family else "",
            order=family.order if family else "",
            source=self.served.detection.source,
            mode="warm" if self.warms_up else self.cursor.shape,
            prompt=self.way.ask.prompt,
        )

    @property
    def question(self) -> Question:
        """What a suggestion that is on the screen must match to be the answer."""
        request, parts = self.request, self.parts
        terms = (
            self.served.name,
            self.served.digest,
            parts.path,
            parts.verbatim is None,
            request.mode,
            request.max_tokens,
            request.stop,
            request.template,
            request.min_indent,
            _sorted_json(dict(request.sampling)),
        )
        greedy = {**DEFAULTS, **request.sampling}["temperature"] == 0
        return Question(parts.prefix, parts.suffix, terms, greedy)

    @property
    def session(self) -> Hashable:
        """Who asks: the caller with what the client calls its session, else with the client, its model and file."""
        request = self.request
        return request.caller, request.session or (request.client, self.served.name, self.parts.path)

    @property
    def may_supersede(self) -> bool:
        """Whether the session is known well enough for its newest question to end the older ones (X3).

        A warm-up ends none: nobody looks at its answer.
        """
        return not self.warms_up and bool(self.request.session or (self.request.client and self.parts.path))

    @property
    def identity(self) -> Hashable:
        """Jobs of one identity have one answer, unless there are dice (X4)."""
        request, ask = self.request, self.way.ask
        asked = _sorted_json([ask.route, ask.body])
        return (request.caller, asked, self.cursor, request.stop, request.mode, request.predict_ms)


def prepare(
    request: CompletionRequest, served: Served, config: CodeConfig, bytes_for: Callable[[str, int], int]
) -> Job:
    """Take the question apart, cut it to the window, and word it for the model. `bytes_for` gives the size of so many
    tokens of a model. Raises `EmptyRequest`, `BadRequest` for a template that makes no sense.
    """
    parts = analyse(request, served.family, bool(template_for(request, served, config, "")))
    as_it_is = request.raw and parts.verbatim is not None
    shown, truncated = fit(parts, bytes_for(served.name, _window(request, served, config, as_it_is=as_it_is)))
    if truncated:
        shown = replace(shown, verbatim=None)
    mode = "raw" if as_it_is else request.mode or config.mode
    shape = shape_of(mode, parts.prefix, parts.suffix, parts.language_id or parts.language)
    cursor = Cursor(parts.prefix, parts.suffix, parts.language, shape, config.max_lines, request.min_indent)
    return Job(request, served, parts, cursor, way_for(request, shown, served, config), truncated)


def _window(request: CompletionRequest, served: Served, config: CodeConfig, *, as_it_is: bool) -> int:
    """The most tokens of the prompt. A prompt of the client's own making may be as long as the model can read."""
    tokens = (served.context_length if as_it_is else 0) or config.window
    context = request.sampling.get("num_ctx")
    return min(tokens, max(context - request.max_tokens, context // 2)) if isinstance(context, int) else tokens


def _sorted_json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
