"""HTTP bodies into requests: what azure-kusto-data sends, checked.

Source: Kusto docs, "Query/management HTTP request"; azure-kusto-data 6.0.4 sends `properties` as a
JSON string inside the JSON, and `NetDefaultDB` as `db` when nobody named one.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from emulator.context import Request
from emulator.engine.literals import parse_timespan
from emulator.errors import BadRequestError
from emulator.responses import ResultFormat
from emulator.store import COMMAND_TIMEOUT, QUERY_TIMEOUT

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

MAX_BODY: Final = 64 * 1024 * 1024
DEFAULT_DATABASE: Final = "Telemetry"
_LONGEST: Final = timedelta(hours=1)
_UNNAMED: Final = ("", "NetDefaultDB")


@dataclass(frozen=True)
class HttpRequest:
    """One HTTP request, read to its end."""

    method: str
    path: str
    query: str
    body: bytes
    activity: UUID


class _Body(msgspec.Struct):
    csl: str
    db: str | None = None
    properties: str | dict[str, Any] | None = None


class _Properties(msgspec.Struct):
    # The Go client writes `"Parameters": null`.
    parameters: dict[str, Any] | None = msgspec.field(name="Parameters", default=None)
    options: dict[str, Any] | None = msgspec.field(name="Options", default=None)


async def read_body(receive: Receive) -> bytes:
    """The request's body; raises BadRequestError 413 past 64 MiB."""
    chunks, size = [], 0
    while True:
        event = await receive()
        chunk = event.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            raise BadRequestError(
                413, f"The request is over {MAX_BODY // 2**20} MiB; send it in parts."
            )
        chunks.append(chunk)
        if not event.get("more_body", False):
            return b"".join(chunks)


def parse_request(call: HttpRequest, now: datetime) -> Request:
    """The Kusto request in `call`; raises BadRequestError 400 for what is none."""
    try:
        body = msgspec.json.decode(call.body, type=_Body)
        properties = _properties(body.properties)
    except msgspec.DecodeError as error:
        raise BadRequestError(
            400, f"The body must be JSON as {{db, csl, properties}}: {error}."
        ) from error
    if not body.csl.strip():
        raise BadRequestError(400, "'csl' is empty; write a query or a command.")
    options = properties.options or {}
    database = body.db or ""
    database = DEFAULT_DATABASE if database in _UNNAMED else database
    return Request(
        database,
        body.csl.strip(),
        now,
        call.activity,
        properties.parameters or {},
        _timeout(options.get("servertimeout"), call.path),
        ResultFormat(
            newlines=options.get("results_v2_newlines_between_frames") is True,
            fragments=options.get("results_v2_fragment_primary_tables") is True,
            errors=str(options.get("results_error_reporting_placement", "in_data")),
        ),
    )


def _timeout(given: object, path: str) -> timedelta:
    """The option `servertimeout`, which clients write as a timespan."""
    if given is None:
        return COMMAND_TIMEOUT if path.endswith("mgmt") else QUERY_TIMEOUT
    found = timedelta(microseconds=(parse_timespan(str(given)) or 0) // 10)
    if not timedelta(0) < found <= _LONGEST:
        raise BadRequestError(400, f"servertimeout takes a timespan up to 1h, and got {given!r}.")
    return found


def _properties(given: str | dict[str, Any] | None) -> _Properties:
    if isinstance(given, str):
        return msgspec.json.decode(given or "{}", type=_Properties)
    return msgspec.convert(given or {}, type=_Properties)
