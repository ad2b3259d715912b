"""The server's log: one logfmt line per event on stderr, `time=… level=… logger=… msg=… key=value`."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from datetime import datetime

import orjson

_PLAIN = re.compile(r"[A-Za-z0-9_./:@+-]+", re.ASCII)


class Logfmt(logging.Formatter):
    """Fields of a record come in `extra={"fields": {…}}`; odd characters are quoted, so that a line stays a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "msg": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return " ".join(f"{key}={_value(value)}" for key, value in fields.items())


def _value(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else orjson.dumps(text).decode()


class _NotCancelled(logging.Filter):
    """The web server reports requests that outlive the grace of a shutdown as crashes of theirs; they are not."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def log_to_stderr(*, debug: bool) -> None:
    """Everything of Puna from INFO up, or from DEBUG; the web server's own chatter from WARNING."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Logfmt())
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if debug else logging.INFO, force=True)
    for noisy in ("uvicorn.error", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_NotCancelled())
