"""The one way in which reading or running a template fails inside this package."""

from __future__ import annotations

from puna.errors import BadRequest


class Fault(Exception):
    """`detail` says what is wrong. `line` counts from 1; 0 = not known yet, the reader or evaluator fills it in."""

    def __init__(self, detail: str, line: int = 0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.line = line

    def as_bad_request(self) -> BadRequest:
        """The form in which it leaves the package; one line, whatever text of the template it quotes."""
        place = f"line {self.line}: " if self.line else ""
        detail = " ".join(self.detail.split())
        return BadRequest(f"template error: {place}{detail}")
