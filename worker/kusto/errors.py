"""Maps the exceptions of ``azure-kusto-data`` to errors of the worker, and formats their texts.

Facts about version 6.0.4:

- ``KustoThrottlingError`` (429) is not a ``KustoServiceError``, and keeps the response, with its
  ``Retry-After``, in ``args`` only.
- A JSON error without ``error`` leaves as a bare ``KeyError``, JSON that is no object as a
  ``TypeError``; the HTTP status is then only in the exception's context.
- A reply that cannot be read, HTML included, is a ``KustoServiceError`` whose text is the page.
- ``KustoNetworkError`` covers a refused connection (nothing was sent) and a lost one (anything
  may have happened) alike; the cause tells them apart.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import aiohttp
from azure.kusto.data.exceptions import (
    KustoApiError,
    KustoError,
    KustoMultiApiError,
    KustoNetworkError,
    KustoServiceError,
    KustoThrottlingError,
)

from runtime.errors import (
    Ambiguous,
    InvalidQuery,
    Misconfigured,
    OperatorError,
    Refused,
    Temporary,
    Throttled,
    Unreachable,
    retry_after,
)
from runtime.logging import redact
from worker.kusto.config import Login

_THROTTLED_FOR = 10.0
_RIGHTS_RETRY = 60.0
"""Missing rights, a wrong URL and a missing login: people correct them, so waits are long."""
NoReplyError = type[Ambiguous] | type[Unreachable]
"""The error for a missing answer: it depends on whether the call changes something."""
_CLIENT_BUGS = (KeyError, TypeError, ValueError, AttributeError, IndexError, LookupError)


@contextlib.contextmanager
def mapped_errors(endpoint: str, *, submits: bool) -> Iterator[None]:
    """Map the exceptions of one call to errors of the worker.

    ``submits`` says that the call changes something, so that a missing reply is ``Ambiguous``.
    """
    try:
        yield
    except TimeoutError as error:
        raise _no_usable_answer(
            endpoint, "no answer in time", _no_reply_type(submits=submits)
        ) from error
    except (KustoError, aiohttp.ClientError, OSError, *_CLIENT_BUGS) as error:
        raise map_error(error, endpoint, submits=submits) from error


def map_error(error: Exception, endpoint: str, *, submits: bool) -> OperatorError:
    """The worker's error for one of the client's."""
    for kind, answer in _BY_KIND:
        if isinstance(error, kind):
            return answer(error, endpoint, _no_reply_type(submits=submits))
    status = _status(error)
    if status in _AT_FAULT and not _names_the_command(error):
        return Misconfigured(_AT_FAULT[status].format(endpoint=endpoint), _RIGHTS_RETRY)
    if isinstance(error, KustoApiError) and status < 500:  # noqa: PLR2004 - HTTP
        return _api(error, endpoint)
    return _no_usable_answer(endpoint, _what_came(error, status), _no_reply_type(submits=submits))


def no_token(error: Exception, endpoint: str, login: Login | None) -> Misconfigured:
    """The worker's error for a credential that gives no access token: who asked, and a remedy."""
    why = format_error(str(error).split("\n", maxsplit=1)[0]) or "no answer in time"
    who, remedy = (f" as {login.identity}", f"; {login.remedy}") if login else ("", "")
    text = f"no token for {endpoint}{who}: {type(error).__name__}: {why}{remedy}"
    return Misconfigured(text, _RIGHTS_RETRY)


_AT_FAULT = {
    401: "{endpoint} does not accept the worker's login; check its identity and the URL",
    403: "the worker has no right to do this on {endpoint}; its identity needs the role"
    " Database User, and Table Admin on a table that already exists",
    404: "{endpoint} is no Kusto endpoint (it answered 404); check --kusto-endpoint",
}


def _throttled(error: KustoThrottlingError, endpoint: str, _lost: NoReplyError) -> Throttled:
    response = error.args[1] if len(error.args) > 1 else None
    delay = retry_after(getattr(response, "headers", {}), _THROTTLED_FOR)
    return Throttled(f"{endpoint} asks for fewer calls; the next one is in {delay:g} s", delay)


def _network(error: KustoNetworkError, endpoint: str, lost: NoReplyError) -> Temporary:
    cause = error.__cause__
    if isinstance(cause, aiohttp.ClientConnectorError):
        return Unreachable(f"cannot connect to {endpoint}: {format_error(str(cause.os_error))}")
    if isinstance(cause, TimeoutError):
        return _no_usable_answer(endpoint, "no answer in time", lost)
    why = f"the connection broke ({type(cause).__name__})"
    return _no_usable_answer(endpoint, why, lost)


def _no_reply_type(*, submits: bool) -> NoReplyError:
    return Ambiguous if submits else Unreachable


def _no_usable_answer(endpoint: str, why: str, lost: NoReplyError) -> Temporary:
    return lost(f"{endpoint} gave no usable answer: {why}")


def _api(error: KustoApiError, endpoint: str) -> OperatorError:
    api = error.get_api_error()
    text = str(api.description or api.message or "")
    code = code_in(text) or str(api.code or "")
    if api.permanent is False:
        return Temporary(f"{endpoint} could not do it now: {with_code(code, text)}")
    is_query = _QUERY_CODE.fullmatch(code) and not _NO_RIGHT.search(_QUOTED.sub("", text))
    return (InvalidQuery if is_query else Refused)(with_code(code, text), code)


def _multiple(error: KustoMultiApiError, endpoint: str, lost: NoReplyError) -> OperatorError:
    """Errors inside a 200: rows may have been made before them."""
    first = error.get_api_errors()[0] if error.get_api_errors() else None
    text = str(first.description or first.message) if first else "no reason was given"
    return _no_usable_answer(endpoint, format_error(text), lost)


_BY_KIND: tuple[tuple[type[Exception], Callable[[Any, str, NoReplyError], OperatorError]], ...] = (
    (KustoThrottlingError, _throttled),
    (KustoNetworkError, _network),
    (KustoMultiApiError, _multiple),
)


def _names_the_command(error: Exception) -> bool:
    """Whether a 4xx is Kusto's judgement of the command, not of the caller or the URL."""
    return isinstance(error, KustoApiError) and _status(error) not in {401, 403}


def _what_came(error: Exception, status: int) -> str:
    if isinstance(error, KustoServiceError):
        return f"{status or 'something'}: {format_error(error.message_text)[:120]}"
    return f"{status or 'something'} that is no Kusto reply"


def _status(error: BaseException) -> int:
    """The HTTP status behind an exception, or 0."""
    seen: BaseException | None = error
    while seen is not None:
        for holder in (getattr(seen, "http_response", None), seen):
            status = getattr(holder, "status", None)
            if isinstance(status, int):
                return status
        seen = seen.__cause__ or seen.__context__
    return 0


LONGEST: Final = 400

_CODE: Final = re.compile(r"\b(SEM\d{4}|SYN\d{4}|E_[A-Z_]+)\b")
_QUERY_CODE: Final = re.compile(r"(?:SYN|SEM)\d{4}")
_NO_RIGHT: Final = re.compile(r"(?i)\b(?:not authorized|unauthorized|forbidden|access denied)\b")
_QUOTED: Final = re.compile(r"'[^']*'")
_POSITION: Final = re.compile(
    r"line:position\s*=\s*(\d+):(\d+)"
    r"|\bline:?\s*(\d+),\s*position:?\s*(\d+)"
    r"|\bline \[(\d+),\s*(\d+)\]",
    re.IGNORECASE,
)
_NOISE: Final = (
    re.compile(r"(?i)^request is invalid and cannot be (?:processed|executed)[:.]?\s*"),
    re.compile(r"(?i)^bad request:?\s*"),
    re.compile(r"(?i)\s*\(?clientRequestId\s*[:=]\s*[^\s)]+\)?"),
    re.compile(r"(?i)\s*\[0x[0-9a-f]+\]"),
    # Entra ID's, which differ in each answer: a message that changes would be written each time.
    re.compile(r"(?i)\s*\b(?:trace|correlation) ID: \S+|\s*\btimestamp: [\d-]+[T ][\d:]+Z?"),
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


def code_in(text: str) -> str:
    """The engine's own code (``SEM0100``) that a message carries, or the empty string."""
    match = _CODE.search(text)
    return match[1] if match else ""


def position_in(text: str) -> tuple[int, int] | None:
    """Line and position that a message gives, counted in the whole command, or None."""
    found = _POSITION.search(text)
    return None if found is None else _line_and_position(found)


def move_positions(text: str, move: Callable[[int, int], str]) -> str:
    """``text`` with each position replaced by what ``move`` returns for its line and position."""
    return _POSITION.sub(lambda found: move(*_line_and_position(found)), text)


def _line_and_position(found: re.Match[str]) -> tuple[int, int]:
    line, position = (int(each) for each in found.groups() if each is not None)
    return line, position


def with_code(code: str, text: str) -> str:
    """One sentence with the code in front, and the position where the message has one."""
    clean = format_error(text) or "no reason was given"
    position = position_in(text)
    if position is not None and f"{position[0]}" not in clean:
        clean = f"{clean} (line {position[0]}, position {position[1]})"
    return clean if not code or code in clean else f"{code}: {clean}"
