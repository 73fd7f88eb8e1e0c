"""The requests of the worker to Kusto (``worker.ports.KustoClient``), by database."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from runtime.errors import Ambiguous, InvalidQuery, Refused
from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant, InvalidInstantError
from summaryrule.kql import quote_name, without_trailing_semicolons
from summaryrule.planner.types import Column, Operation
from summaryrule.verification import Extent
from worker.kusto.client import EndpointClient, Row
from worker.kusto.errors import format_error
from worker.kusto.health import EndpointHealth

_CHUNK: Final = 200
_TAGS_CHUNK: Final = 500
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class KustoRequests:
    """Keeps ``worker.ports.Kusto`` with the real thing.

    There is no search of operations by token: ``.show operations`` has no command text, and
    ``.show commands``, which has, knows no operation id, lists only what has ended and needs the
    rights of a database monitor (Kusto docs, both pages). ``has_tag`` and a second submit with the
    same token answer the same question.
    """

    def __init__(self, services: Mapping[str, EndpointClient]) -> None:
        """``services`` is by database; several may share one."""
        self._services = services

    def endpoint(self, database: str) -> str | None:
        """URL of the endpoint that serves ``database``, or None."""
        service = self._services.get(database)
        return None if service is None else service.url

    @property
    def clients(self) -> tuple[EndpointClient, ...]:
        """The client of each endpoint, each once."""
        return tuple(dict.fromkeys(self._services.values()))

    def health(self) -> dict[str, EndpointHealth]:
        """Whether each endpoint answers, by its URL."""
        return {service.url: service.health for service in self.clients}

    def login_error(self, database: str) -> str:
        """Why there is no access token for the database's endpoint; empty if nothing is known."""
        service = self._services.get(database)
        return (service and service.login_error) or ""

    async def submit(self, database: str, command: str, *, before_send: Callable[[], None]) -> str:
        """Start an ``async`` command; its operation id."""
        service = self._client_for(database)
        rows = await service.call("submit", database, command, before_send=before_send)
        found = str(rows[0].get("OperationId", "")) if rows else ""
        if not _GUID.fullmatch(found):
            raise Ambiguous(f"{service.url} took the command but gave no operation id")
        return found

    async def operations(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        """The latest record of each id that Kusto still knows: one request per 200 ids."""
        rows = []
        for chunk in _chunks(ids):
            text = f".show operations ({', '.join(chunk)})"
            rows += await self._client_for(database).call("poll", database, text)
        return _latest(rows)

    async def operations_log(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        """The latest record of each id in the two-week log."""
        rows = []
        for chunk in _chunks(ids):
            listed = ", ".join(f'"{one}"' for one in chunk)
            text = f".show operations | where tostring(OperationId) in ({listed})"
            rows += await self._client_for(database).call("log", database, text)
        return _latest(rows)

    async def has_tag(self, database: str, table: str, tag: str) -> bool:
        """Whether any extent of ``table`` carries ``tag``, whole."""
        rows = await self._query_or_empty("tags", database, _tagged_extents(table, tag))
        return any(tag in _tags(row.get("Tags")) for row in rows)

    async def drop_extents(
        self, database: str, table: str, tag: str, *, before_send: Callable[[], None]
    ) -> None:
        """Drop the extents of ``table`` that carry ``tag``."""
        text = f".drop extents <| {_tagged_extents(table, tag)}"
        await self._client_for(database).call("drop", database, text, before_send=before_send)

    async def drop_tags(
        self, database: str, table: str, tags: Iterable[str], *, before_send: Callable[[], None]
    ) -> None:
        """Remove these tags, 500 with a command."""
        left, client = iter(tags), self._client_for(database)
        while chunk := tuple(islice(left, _TAGS_CHUNK)):
            text = (
                f".drop table {quote_name(table)} extent tags ({', '.join(map(_literal, chunk))})"
            )
            await client.call("drop", database, text, before_send=before_send)

    async def query_columns(self, database: str, query: str) -> tuple[Column, ...] | None:
        """The columns of a query's result; None if only running it shows them."""
        client = self._client_for(database)
        text = f"{without_trailing_semicolons(query)}\n| getschema"
        try:
            rows = await client.ask("query", database, text)
        except InvalidQuery:
            # Not every query can be continued (render). Its own text decides, and gives positions.
            await client.ask("query", database, query)
            return None
        ordered = sorted(rows, key=lambda row: int(row["ColumnOrdinal"]))
        return tuple(Column(str(row["ColumnName"]), str(row["ColumnType"])) for row in ordered)

    async def table_columns(self, database: str, table: str) -> tuple[Column, ...] | None:
        """The columns of a table, in order; None if there is no such table."""
        text = f".show table {quote_name(table)} schema as json"
        try:
            rows = await self._client_for(database).ask("schema", database, text)
        except Refused as error:
            if "EntityNotFound" in error.code:
                return None
            raise
        listed = json.loads(rows[0]["Schema"])["OrderedColumns"] if rows else []
        return tuple(Column(str(each["Name"]), str(each["CslType"])) for each in listed)

    async def find_tags(self, database: str, table: str, prefix: str, since: Instant) -> set[str]:
        """The tags that begin with ``prefix``, of extents created at ``since`` or later."""
        text = (
            f".show table {quote_name(table)} extents where tags contains {_literal(prefix)}"
            f" | where MaxCreatedOn >= datetime({since}) | project Tags"
        )
        rows = await self._query_or_empty("tags", database, text)
        return {tag for row in rows for tag in _tags(row.get("Tags")) if tag.startswith(prefix)}

    async def list_extents(
        self, database: str, table: str, since: Instant, until: Instant
    ) -> list[Extent]:
        """The extents with rows created in ``[since, until]``, with their tags; none without table.

        Raises:
            OperatorError: see ``worker.kusto.errors``.
        """
        text = (
            f".show table {quote_name(table)} extents | where MaxCreatedOn >= datetime({since})"
            f" and MinCreatedOn <= datetime({until}) | project Tags, MinCreatedOn, MaxCreatedOn"
        )
        rows = await self._query_or_empty("extents", database, text)
        return [
            Extent(
                frozenset(_tags(row["Tags"])),
                Instant.parse(str(row["MinCreatedOn"])),
                Instant.parse(str(row["MaxCreatedOn"])),
            )
            for row in rows
        ]

    async def has_rows(self, database: str, query: str) -> bool:
        """Whether the query has at least one row.

        Raises:
            OperatorError: see ``worker.kusto.errors``; ``InvalidQuery`` too where it cannot be
                continued.
        """
        text = f"{without_trailing_semicolons(query)}\n| take 1"
        return bool(await self._client_for(database).ask("query", database, text))

    async def cancel(self, database: str, operation: str) -> bool:
        """Ask for a cancel; whether Kusto says it was done."""
        if not _GUID.fullmatch(operation):
            return False
        text = f".cancel operation {operation}"
        rows = await self._query_or_empty("cancel", database, text)
        # NB: the docs spell it "Cancelled" in one place and "Canceled" in another.
        states = [str(row.get("CancellationState", "")).lower() for row in rows]
        return any(re.search(r"cancell?ed successfully", state) for state in states)

    async def close(self) -> None:
        """End the connections of every endpoint."""
        for service in self.clients:
            await service.close()

    async def _query_or_empty(self, name: str, database: str, text: str) -> list[Row]:
        """The rows; none when what the command names does not exist."""
        try:
            return await self._client_for(database).call(name, database, text)
        except Refused as error:
            if "EntityNotFound" in error.code:
                return []
            raise

    def _client_for(self, database: str) -> EndpointClient:
        service = self._services.get(database)
        if service is None:
            raise Refused(
                f"no endpoint serves the database {database!r}; add it with --kusto-endpoint",
                "NoEndpoint",
            )
        return service


def _chunks(ids: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Ids that Kusto can know, each once; one that is no GUID must not reach a command's text."""
    known = (one for one in dict.fromkeys(ids) if _GUID.fullmatch(one))
    while chunk := tuple(islice(known, _CHUNK)):
        yield chunk


def _latest(rows: Iterable[Row]) -> dict[str, Operation]:
    """The log has several records of an operation; its texts of one width sort by time."""
    found: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: str(row.get("LastUpdatedOn") or "")):
        found[str(row["OperationId"])] = row
    return {one: parse_operation(row) for one, row in found.items()}


def _tagged_extents(table: str, tag: str) -> str:
    return f".show table {quote_name(table)} extents where tags has {_literal(tag)}"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _tags(value: Any) -> list[str]:  # noqa: ANN401 - a string of lines, or a list
    return list(value) if isinstance(value, list) else str(value or "").split()


_TIMESPAN: Final = re.compile(r"(?:(\d+)\.)?(\d+):(\d\d):(\d\d)(?:\.(\d{1,7}))?")


def parse_operation(row: dict[str, Any]) -> Operation:
    """The record; a time that is absent or unreadable is None, for it decides nothing."""
    return Operation(
        id=str(row["OperationId"]),
        state=str(row.get("State") or ""),
        status=format_error(str(row.get("Status") or "")),
        should_retry=_truth(row.get("ShouldRetry")),
        started=_instant(row.get("StartedOn")),
        updated=_instant(row.get("LastUpdatedOn")),
        duration=_timespan(row.get("Duration")),
    )


def _truth(value: Any) -> bool:  # noqa: ANN401 - v1 replies carry booleans as SByte, or text
    return value.strip().lower() in {"true", "1"} if isinstance(value, str) else bool(value)


def _instant(value: Any) -> Instant | None:  # noqa: ANN401 - JSON
    try:
        return Instant.parse(str(value))
    except InvalidInstantError:
        return None


def _timespan(value: Any) -> Duration | None:  # noqa: ANN401 - JSON
    """Kusto's ``[d.]hh:mm:ss[.fffffff]``."""
    match = _TIMESPAN.fullmatch(str(value))
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[:4])
    whole = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return Duration(whole * 1_000_000_000 + int((match[5] or "").ljust(7, "0")) * 100)
