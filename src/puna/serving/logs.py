"""The server's log: one line per event on stderr, as logfmt (`time=… level=… logger=… msg=… key=value`) or as JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime

log = logging.getLogger(__name__)

_PLAIN = re.compile(r"[A-Za-z0-9_./:@+-]+", re.ASCII)
_MAX_TEXT = 1000  # characters of one field: model names and paths come from callers


class _Lines(logging.Formatter, ABC):
    """A record's own fields come in `extra={"fields": {…}}`."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "msg": record.getMessage(),
        }
        fields |= {key: _bounded(value) for key, value in getattr(record, "fields", {}).items()}
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return self.line(fields)

    @abstractmethod
    def line(self, fields: Mapping[str, object]) -> str:
        """The fields as one line of text."""


class Logfmt(_Lines):
    """Odd characters are quoted and escaped, so that a line stays a line, on a terminal too."""

    def line(self, fields: Mapping[str, object]) -> str:
        return " ".join(f"{key}={_value(value)}" for key, value in fields.items())


class Json(_Lines):
    """One object per line, with the same fields; numbers stay numbers."""

    def line(self, fields: Mapping[str, object]) -> str:
        return json.dumps(fields, default=str)


FORMATS: Mapping[str, type[logging.Formatter]] = {"logfmt": Logfmt, "json": Json}


def _bounded(value: object) -> object:
    return f"{value[:_MAX_TEXT]}…" if isinstance(value, str) and len(value) > _MAX_TEXT else value


def _value(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


class _NotCancelled(logging.Filter):
    """The web server reports requests that outlive the grace of a shutdown as crashes of theirs; they are not."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def log_to_stderr(*, debug: bool, form: str = "logfmt") -> None:
    """Everything of Puna from INFO up, or from DEBUG; the libraries' own chatter from WARNING.

    `form` is one of `FORMATS`; any other text is warned of and means logfmt.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FORMATS.get(form.lower(), Logfmt)())
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if debug else logging.INFO, force=True)
    for noisy in ("uvicorn.error", "asyncio", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_NotCancelled())
    if form.lower() not in FORMATS:
        log.warning("setting log_format: %r is not one of %s; using logfmt", form, ", ".join(FORMATS))
