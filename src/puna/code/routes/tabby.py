"""Tabby's completions: segments in, one choice out, never streamed (contract code-completion §1.9, R3)."""

from __future__ import annotations

import secrets
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from puna.code.answering import completion, json_line
from puna.code.failures import EmptyRequest, NotSupported
from puna.code.reading import Sampling, agent
from puna.code.types import CompletionRequest, ContextFile
from puna.serving.bodies import Wire
from puna.serving.requestlog import note

MAX_TOKENS = 64  # what Tabby's own server gives


class Snippet(Wire):
    filepath: str = ""
    body: str = ""


class Segments(Wire):
    prefix: str = ""
    suffix: str = ""
    filepath: str = ""
    git_url: str = ""
    declarations: list[Snippet] = Field(default_factory=list)
    relevant_snippets_from_changed_files: list[Snippet] = Field(default_factory=list)
    relevant_snippets_from_recently_opened_files: list[Snippet] = Field(default_factory=list)
    clipboard: str = ""

    @property
    def snippets(self) -> list[Snippet]:
        """The least likely first: what stands next to the cursor counts most."""
        opened, changed = self.relevant_snippets_from_recently_opened_files, self.relevant_snippets_from_changed_files
        return [*opened, *changed, *self.declarations]


class DebugOptions(Wire):
    raw_prompt: str = ""
    return_prompt: bool = False
    return_snippets: bool = False


class TabbyBody(Sampling):
    language: str = ""
    segments: Segments = Segments()
    user: str = ""
    mode: str = "standard"
    debug_options: DebugOptions = DebugOptions()

    def completion(self, client: str) -> CompletionRequest:
        """Raises `EmptyRequest`."""
        segments, raw = self.segments, self.debug_options.raw_prompt
        if not (raw or segments.prefix or segments.suffix):
            raise EmptyRequest
        common: dict[str, Any] = {"max_tokens": MAX_TOKENS, "sampling": self.sampling(), "debug": True}
        if raw:
            return CompletionRequest(prompt=raw, raw=True, **common)
        return CompletionRequest(
            prompt=segments.prefix,
            suffix=segments.suffix,
            exact=True,
            language=self.language,
            path=segments.filepath,
            repo=repository(segments.git_url),
            extra=tuple(ContextFile(each.filepath, each.body) for each in segments.snippets),
            client=f"{client} {self.user}",
            **common,
        )


def is_tabby(value: object) -> bool:
    """Whether a body is Tabby's: it has `segments`, or a raw prompt among its debug options."""
    if not isinstance(value, dict):
        return False
    debug = value.get("debug_options")
    return value.get("segments") is not None or (isinstance(debug, dict) and bool(debug.get("raw_prompt")))


async def complete(request: Request, body: TabbyBody) -> Response:
    if body.mode != "standard":
        raise NotSupported('mode: only "standard" completions are given here')
    note(request, model="")
    found = await completion(request, body.completion(agent(request)))
    value: dict[str, Any] = {
        "id": f"cmpl-{secrets.token_hex(16)}",
        "choices": [{"index": 0, "text": found.text}],
        "mode": body.mode,
    }
    if debug := _debug_data(body, found.outcome.explanation.prompt):
        value["debug_data"] = debug
    return json_line(value)


def repository(git_url: str) -> str:
    """The name of the repository that the URL leads to."""
    return git_url.rstrip("/").rpartition("/")[2].rpartition(":")[2].removesuffix(".git")


def _debug_data(body: TabbyBody, prompt: str) -> dict[str, Any]:
    wanted = body.debug_options
    data: dict[str, Any] = {"prompt": prompt} if wanted.return_prompt else {}
    if wanted.return_snippets:
        snippets = body.segments.snippets
        data["snippets"] = [{"filepath": each.filepath, "body": each.body, "score": 1.0} for each in snippets]
    return data
