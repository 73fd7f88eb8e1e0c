"""Structured logs on the standard library's ``logging``: one line per record.

Code logs with ``logging.getLogger(__name__)``. ``log_context`` adds fields to all lines inside it,
``extra={"fields": {...}}`` to one line. Messages and errors pass ``redact``.
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

Format = Literal["json", "logfmt"]
_FIELDS: contextvars.ContextVar[Mapping[str, str] | None] = contextvars.ContextVar(
    "fields", default=None
)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_BARE: Final = re.compile(r"[^\s\"=]+")
_SECRETS: Final = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 ***"),
    (re.compile(r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+){1,2}"), "***"),
    (
        re.compile(
            r"(?i)\b(sig|sharedaccesssignature|accountkey|password|pwd|client_?secret"
            r"|application ?key|access_?token|appkey)(\s*[=:]\s*)[^\s;,&\"']+"
        ),
        r"\1\2***",
    ),
)


@contextlib.contextmanager
def log_context(**fields: str | None) -> Iterator[None]:
    """Add fields (``rule``, ``window``, ``operation``) to every line logged inside; None: none."""
    given = {key: value for key, value in fields.items() if value is not None}
    token = _FIELDS.set({**(_FIELDS.get() or {}), **given})
    try:
        yield
    finally:
        _FIELDS.reset(token)


def context_fields() -> Mapping[str, str]:
    """The fields that ``log_context`` has set here."""
    return _FIELDS.get() or {}


def configure(style: Format, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send all logging of the process to ``stream`` (stderr), one line per record."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter(style))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # NB: azure-core logs every request's headers at INFO (1.41.0).
    for noisy in ("azure", "aiohttp", "asyncio"):
        logging.getLogger(noisy).setLevel("WARNING")
    # It warns of each token that it cannot get (1.27.0); the caller logs the error once.
    logging.getLogger("azure.identity").setLevel("ERROR")


class LineFormatter(logging.Formatter):
    """Formats a record as one line with named fields."""

    def __init__(self, style: Format) -> None:
        super().__init__()
        self._write = _json if style == "json" else _logfmt

    def format(self, record: logging.LogRecord) -> str:
        """The line: time (UTC), level, message, logger, then the fields, then the error."""
        fields: dict[str, Any] = {
            "time": str(Instant.from_unix_ns(int(record.created * 1e6) * 1000)),
            "level": record.levelname.lower(),
            "message": redact(record.getMessage().strip()),
            "logger": record.name,
            **(_FIELDS.get() or {}),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            fields["error"] = redact(self.formatException(record.exc_info))
        return self._write(fields)


def redact(text: str) -> str:
    """``text`` with what looks like a token, a key or a password replaced by ``***``."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _json(fields: Mapping[str, Any]) -> str:
    return _ENCODER.encode(fields)


def _logfmt(fields: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={_quoted(str(value))}" for key, value in fields.items())


def _quoted(value: str) -> str:
    return value if _BARE.fullmatch(value) else json.dumps(value, ensure_ascii=False)
