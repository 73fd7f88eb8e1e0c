"""Maps an HTTP status of the API server to an error of ``runtime.errors``."""

import contextlib
from collections.abc import Mapping
from typing import Any

import msgspec

from runtime.errors import (
    Ambiguous,
    Conflict,
    Gone,
    NotFound,
    OperatorError,
    Refused,
    Temporary,
    Throttled,
    Unreachable,
    retry_after,
)

_LONGEST_SENTENCE = 500
_THROTTLED_FOR = 1.0
_TOKEN_RELOAD = 10.0  # a rotated ServiceAccount token is read again within a minute


def error_for_status(
    what: str, status: int, body: bytes, headers: Mapping[str, str]
) -> OperatorError:
    """The error for a reply that is no success.

    ``what`` is the request in words (``PATCH summaryrules/x``). A write answered by a 5xx is
    ``Ambiguous``: the server may have stored it before it failed.
    """
    reason, message = _status_of(body)
    text = f"the API server answered {status} to {what}: {message}"[:_LONGEST_SENTENCE]
    if status in _BY_STATUS:
        return _BY_STATUS[status](text)
    if status == 429:  # noqa: PLR2004 - Too Many Requests
        return Throttled(text, retry_after(headers, _THROTTLED_FOR))
    if status == 401:  # noqa: PLR2004 - Unauthorized
        return Temporary(text, _TOKEN_RELOAD)
    if status < 500:  # noqa: PLR2004 - the server's own failures begin here
        return Refused(text, reason)
    kind = Unreachable if what.startswith("GET") else Ambiguous
    return kind(text, retry_after(headers, 0.0))


def _status_of(body: bytes) -> tuple[str, str]:
    """Reason and message of a ``metav1.Status``; of anything else only its beginning."""
    status: Any = None
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        status = msgspec.json.decode(body)
    if not isinstance(status, dict):
        return "", _one_line(body[:_LONGEST_SENTENCE].decode("utf-8", "replace"))
    return str(status.get("reason", "")), _one_line(str(status.get("message", "no message")))


def _one_line(text: str) -> str:
    return " ".join(text.split())


_BY_STATUS: Mapping[int, type[OperatorError]] = {404: NotFound, 409: Conflict, 410: Gone}
