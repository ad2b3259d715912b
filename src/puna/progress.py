"""One step of a create, a pull or a push, as the API streams it and the command line shows it.

Contract ollama-http §3.9 and §3.13.
"""

from __future__ import annotations

from dataclasses import dataclass

CONVERSION_DIGEST = "0000000000000000000"  # what the reference sends while bytes have no digest yet


@dataclass(frozen=True, slots=True)
class Progress:
    """`total` and `completed` are bytes; empty and zero fields are left out on the wire."""

    status: str
    digest: str = ""
    total: int = 0
    completed: int = 0

    def to_wire(self) -> dict[str, object]:
        optional = {"digest": self.digest, "total": self.total, "completed": self.completed}
        return {"status": self.status, **{key: value for key, value in optional.items() if value}}
