"""What the engine says when something goes wrong, turned into this house's errors: HTTP refusals and log lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from puna.errors import BadRequest, EngineError, LoadFailed


class ContextExceeded(BadRequest):
    """The prompt does not fit: of `n_prompt_tokens` only `n_ctx` (for an embedding: the batch) can be read."""

    def __init__(self, message: str, n_prompt_tokens: int, n_ctx: int) -> None:
        super().__init__(message)
        self.n_prompt_tokens = n_prompt_tokens
        self.n_ctx = n_ctx


class OutOfMemory(LoadFailed):
    """The engine found no room for weights, cache or buffers; a smaller context may do."""


_BATCH_EXCEEDED = re.compile(r"input \((\d+) tokens\) is (?:too large to process|larger than the max).*?size: (\d+)")
_POOL_EXHAUSTED = "Context size has been exceeded"

_LINE_PREFIX = re.compile(r"^(?:[\d.]+\s)?\s*(?:[A-Z]\s)?\s*(?:(?:srv|slot|cmn|init|main|que)\s+)?(?:[\w()~]+: )*\s*")
_NOTHING_NEW = re.compile(
    r"exiting due to|failed to load model|Failed to init server|^Traceback|^File |^\^+$|^s = |loading error$"
)
_TROUBLE = re.compile(r"error|fail|invalid|unable|cannot|unknown|unsupported|abort|assert|missing|out of memory", re.I)
_NO_MEMORY = re.compile(
    r"out of memory|bad_alloc|(?:unable|failed) to allocate|cannot allocate|insufficient memory|cudaMalloc failed", re.I
)
_FOLDERS = re.compile(r"(?<![\w.])/(?:[^\s'\"/:]+/)+")
_OTHER_ENGINE = re.compile(r"unknown model architecture|wrong number of tensors|missing tensor|key not found", re.I)


def refusal(body: object, status: int = 500) -> EngineError | ContextExceeded:
    """The exception for an error body of llama-server; `status` is the HTTP status where there was one."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return EngineError("the engine refused the request without saying why", status=status)
    message, code = str(error.get("message", "")), error.get("code")
    if error.get("type") == "exceed_context_size_error":
        return ContextExceeded(message, int(error.get("n_prompt_tokens", 0)), int(error.get("n_ctx", 0)))
    if batch := _BATCH_EXCEEDED.search(message):
        return ContextExceeded("the input length exceeds the context length", int(batch[1]), int(batch[2]))
    if _POOL_EXHAUSTED in message:
        message = "the context is full: all requests together hold more tokens than the model has room for"
    return EngineError(message, status=code if isinstance(code, int) and 400 <= code < 600 else status)


def load_failed(exit_status: str, lines: Sequence[str], model: str, secrets: Mapping[str, str]) -> LoadFailed:
    """The error for a runner that left while loading (contract ollama-http §5.5).

    `exit_status` is `exit status 1` or `signal: killed`; `lines` is the log's tail; `secrets` maps paths of this
    machine to what a user may read instead of them.
    """
    reason = telling_line(lines)
    for path, stand_in in secrets.items():
        reason = reason.replace(path, stand_in)
    reason = _FOLDERS.sub("", reason)
    text = f"llama-server process has terminated: {exit_status}" + (f": {reason}" if reason else "")
    if _NO_MEMORY.search("\n".join(lines)) or exit_status == "signal: killed":
        return OutOfMemory(f"model requires more system memory than is available; {text}")
    if _OTHER_ENGINE.search(reason):
        text += (
            ": this model may be incompatible with this engine. If you previously pulled this model, "
            f"try updating it by running `puna pull {model}`"
        )
    return LoadFailed(text)


def telling_line(lines: Sequence[str]) -> str:
    """The last log line that says what went wrong, without its prefix; empty when there is none."""
    bare = [_LINE_PREFIX.sub("", line).strip() for line in lines]
    said = [line for line in bare if line and not _NOTHING_NEW.search(line)]
    return next((line for line in reversed(said) if _TROUBLE.search(line)), said[-1] if said else "")[:400]
