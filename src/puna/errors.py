"""What can go wrong, as a caller sees it: one small tree, the HTTP status on the class.

PunaError                      500  something failed that the caller cannot change
├── BadRequest                 400  the caller's input is wrong; the message names the value and the next step
│   ├── FieldRefused           400  one field of the request, named by `param`
│   ├── InvalidName            400  not a model name
│   └── InvalidDigest          400  not a digest
├── NotFound                   404  no such model or blob here
├── Forbidden                  403  refused by policy
├── Cancelled                  499  the caller went away (seen only in logs)
├── Busy                       503  the queue is full; trying again later helps
├── StoreError                 500  the store could not be read or written
│   └── DigestMismatch         500  bytes do not hash to the digest that they were fetched by
├── DatabaseFailed             500  the database of measurements and votes could not be opened, read or written
├── RegistryError              500  a registry could not be reached, refused, or answered with nonsense
│   └── Interrupted            500  … in a way that may pass: trying again is worth it
└── EngineError                500  the engine failed; `status` may carry the engine's own
    ├── LoadFailed             500  a runner did not come up; the message quotes the last line of its log
    └── RunnerDied             500  a runner left while it was answering

Rooms raise these. Each face turns them into its own wire form in one place (`api/errors.py` for the native routes,
`cli` for the terminal).
"""

from __future__ import annotations


class PunaError(Exception):
    """Base class. `str(error)` is one line fit for a user: no paths of this machine, no stack trace."""

    status = 500

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status

    @property
    def message(self) -> str:
        return str(self)


class BadRequest(PunaError):
    status = 400


class FieldRefused(BadRequest):
    """One field of the request is wrong or cannot be honoured; `param` is its name in the caller's own dialect."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


class InvalidName(BadRequest):
    """The text is not a model name (contract ollama-store §1)."""


class InvalidDigest(BadRequest):
    """The text is not `sha256:` and 64 lower-case hex digits."""

    def __init__(self) -> None:
        super().__init__("invalid digest format")


class NotFound(PunaError):
    status = 404


class Forbidden(PunaError):
    status = 403


class Cancelled(PunaError):
    status = 499

    def __init__(self) -> None:
        super().__init__("request canceled")


class Busy(PunaError):
    """Clients look for the literal text, two blanks included (contract ollama-http §5.3)."""

    status = 503

    def __init__(self) -> None:
        super().__init__("server busy, please try again.  maximum pending requests exceeded")


class StoreError(PunaError):
    """The store could not be read or written."""


class DigestMismatch(StoreError):
    """Downloaded bytes are not what was asked for; they are gone. The literal is the reference's (§3.2)."""

    def __init__(self, want: object, got: object) -> None:
        super().__init__(f"digest mismatch, file must be downloaded again: want {want}, got {got}")


class DatabaseFailed(PunaError):
    """The database could not be opened, read or written; `reason` is the driver's, in one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the database cannot be used: {reason}")


class RegistryError(PunaError):
    """A registry refused or misbehaved. Remote text is never quoted but for a parsed error code (threats T06)."""


class Interrupted(RegistryError):
    """A connection broke, stalled or met a busy server: what the next try may not."""


class EngineError(PunaError):
    """The engine refused or failed; `status` is the engine's own where it gave one."""


class LoadFailed(EngineError):
    """A runner did not come up."""


class RunnerDied(EngineError):
    """A runner left while it was answering."""

    def __init__(self, detail: str = "") -> None:
        text = (
            "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, "
            "check the server's log for details"
        )
        super().__init__(f"{text}: {detail}" if detail else text)
