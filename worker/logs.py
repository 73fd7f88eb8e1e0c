"""Structured logs on the standard library's logging, set up once in ``worker.__main__``.

Code logs with ``logging.getLogger(__name__)`` and never names a rule in its text: the loop says
once, ``with about(rule=…, window=…)``, what all lines inside are about. Every line passes the
same redaction as conditions and Events do.
"""

import contextlib
import contextvars
import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TextIO

from summaryrule.api.instant import Instant
from worker.kusto.errors import redact

Format = Literal["json", "logfmt"]
_FIELDS: contextvars.ContextVar[Mapping[str, str] | None] = contextvars.ContextVar(
    "fields", default=None
)
_BARE: Final = re.compile(r"[^\s\"=]+")


@contextlib.contextmanager
def about(**fields: str | None) -> Iterator[None]:
    """Fields (``rule``, ``window``, ``operation``) on every line logged inside; None adds none."""
    given = {key: value for key, value in fields.items() if value is not None}
    token = _FIELDS.set({**(_FIELDS.get() or {}), **given})
    try:
        yield
    finally:
        _FIELDS.reset(token)


def configure(style: Format, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send all logging to ``stream`` (stderr) as one line a record."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines(style))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # NB: azure-core logs every request's headers at INFO (1.41.0).
    for noisy in ("azure", "aiohttp", "asyncio"):
        logging.getLogger(noisy).setLevel("WARNING")


class Lines(logging.Formatter):
    """One record as one line, its fields named."""

    def __init__(self, style: Format) -> None:
        super().__init__()
        self._write = _json if style == "json" else _logfmt

    def format(self, record: logging.LogRecord) -> str:
        """The line: time, level, message, logger, then what it is about."""
        fields: dict[str, Any] = {
            "time": str(Instant.from_unix_ns(int(record.created * 1e6) * 1000)),
            "level": record.levelname.lower(),
            "message": redact(record.getMessage()),
            "logger": record.name,
            **(_FIELDS.get() or {}),
        }
        if record.exc_info:
            fields["error"] = redact(self.formatException(record.exc_info))
        return self._write(fields)


def _json(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _logfmt(fields: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={_quoted(str(value))}" for key, value in fields.items())


def _quoted(value: str) -> str:
    return value if _BARE.fullmatch(value) else json.dumps(value, ensure_ascii=False)
