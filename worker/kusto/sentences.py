"""Kusto's error texts as one sentence for a person, with no secret in it.

What is made here goes into conditions, Events and logs. Called by ``worker.kusto.failures`` and
for the ``Status`` of operations.
"""

import re
from typing import Final

LONGEST: Final = 400

_SECRETS: Final = (
    re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+){1,2}"),
    re.compile(
        r"(?i)\b(sig|sharedaccesssignature|accountkey|password|pwd|client_?secret|application ?key"
        r"|access_?token|appkey)(\s*[=:]\s*)[^\s;,&\"']+"
    ),
)
_CODE: Final = re.compile(r"\b(SEM\d{4}|SYN\d{4}|E_[A-Z_]+)\b")
_POSITIONS: Final = (
    re.compile(r"line:position\s*=\s*(\d+):(\d+)"),
    re.compile(r"(?i)\bline:\s*(\d+),\s*position:\s*(\d+)"),
    re.compile(r"(?i)\bon line \[(\d+),\s*(\d+)\]"),
)
_NOISE: Final = (
    re.compile(r"(?i)^request is invalid and cannot be (?:processed|executed)[:.]?\s*"),
    re.compile(r"(?i)^bad request:?\s*"),
    re.compile(r"(?i)\s*\(?clientRequestId\s*[:=]\s*[^\s)]+\)?"),
    re.compile(r"(?i)\s*\[0x[0-9a-f]+\]"),
)
_MARKUP: Final = r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>"
_TAG: Final = re.compile(_MARKUP, re.DOTALL | re.IGNORECASE)


def format_error(text: str) -> str:
    """``text`` on one line, its noise and secrets removed, at most ``LONGEST`` characters."""
    if "<html" in text[:1000].lower() or "<!doctype" in text[:1000].lower():
        text = _TAG.sub(" ", text)
    clean = redact(" ".join(text.split()))
    for noise in _NOISE:
        clean = noise.sub("", clean)
    clean = clean.strip()
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 1].rstrip() + "…"


def redact(text: str) -> str:
    """``text`` with what looks like a token, a key or a password replaced by ``***``."""
    clean = _SECRETS[0].sub(r"\1 ***", text)
    clean = _SECRETS[1].sub("***", clean)
    return _SECRETS[2].sub(r"\1\2***", clean)


def code_in(text: str) -> str:
    """The engine's own code (``SEM0100``) that a message carries, or the empty string."""
    match = _CODE.search(text)
    return match[1] if match else ""


def position_in(text: str) -> tuple[int, int] | None:
    """Line and position that a message gives, counted in the whole command, or None."""
    for pattern in _POSITIONS:
        if match := pattern.search(text):
            return int(match[1]), int(match[2])
    return None


def with_code(code: str, text: str) -> str:
    """One sentence with the code in front, and the position where the message has one."""
    clean = format_error(text) or "no reason was given"
    position = position_in(text)
    if position is not None and f"{position[0]}" not in clean:
        clean = f"{clean} (line {position[0]}, position {position[1]})"
    return clean if not code or code in clean else f"{code}: {clean}"
