"""What can go wrong with a completion, as an editor sees it (contract code-completion §1.11).

CodeError                      500  error.processing      something failed that the caller cannot change
├── EmptyRequest               400  error.empty_request   neither prefix nor suffix
├── UnknownModel               404  error.not_found       strict model names only
├── TooLong                    413  error.too_long_request
├── NotSupported               501  error.not_supported
├── UpstreamFailed             502  error.upstream        the endpoint refused, failed, or cannot be reached
├── Overloaded                 503  error.busy            the queue is full or too slow
├── StillLoading               503  error.loading         the model is on its way into memory
└── DeadlinePassed             504  error.timeout
"""

from __future__ import annotations

from puna.errors import PunaError


class CodeError(PunaError):
    """`code` is the stable text for machines; the message is for a person."""

    code = "error.processing"


class EmptyRequest(CodeError):
    status = 400
    code = "error.empty_request"

    def __init__(self) -> None:
        super().__init__("nothing to complete: send text before or after the cursor")


class UnknownModel(CodeError):
    status = 404
    code = "error.not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f'model "{name}" not found: ask /api/tags for the names that are served')


class TooLong(CodeError):
    status = 413
    code = "error.too_long_request"


class NotSupported(CodeError):
    status = 501
    code = "error.not_supported"


class UpstreamFailed(CodeError):
    status = 502
    code = "error.upstream"


class Overloaded(CodeError):
    status = 503
    code = "error.busy"

    def __init__(self) -> None:
        super().__init__("too many completions at once, try again in a second")


class StillLoading(CodeError):
    status = 503
    code = "error.loading"

    def __init__(self) -> None:
        super().__init__("the model is being loaded, try again in a second")


class DeadlinePassed(CodeError):
    status = 504
    code = "error.timeout"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no complete answer within {seconds:g} s")
