"""The worker's commands to Kusto (``worker.ports.Kusto``), each sent to its database's endpoint."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from summaryrule.kql import quote_name
from summaryrule.planner.types import Operation
from worker.errors import Ambiguous, Refused
from worker.kusto.records import operation
from worker.kusto.service import Row, Service

_CHUNK: Final = 200
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class KustoCommands:
    """Keeps ``worker.ports.Kusto`` with the real thing.

    There is no search of operations by token: ``.show operations`` has no command text, and
    ``.show commands``, which has, knows no operation id, lists only what has ended and needs the
    rights of a database monitor (Kusto docs, both pages). ``has_tag`` and a second submit with the
    same token answer the same question.
    """

    def __init__(self, services: Mapping[str, Service]) -> None:
        """``services`` is by database; several may share one."""
        self._services = services

    def endpoint(self, database: str) -> str | None:
        """URL of the endpoint that serves ``database``, or None."""
        service = self._services.get(database)
        return None if service is None else service.url

    def troubles(self) -> dict[str, str | None]:
        """By endpoint, why it is left alone for now; None while it answers."""
        return {service.url: service.trouble for service in set(self._services.values())}

    async def submit(self, database: str, command: str, *, before_send: Callable[[], None]) -> str:
        """Start an ``async`` command; its operation id."""
        service = self._serving(database)
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
            rows += await self._serving(database).call("poll", database, text)
        return _latest(rows)

    async def operations_log(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        """The latest record of each id in the two-week log."""
        rows = []
        for chunk in _chunks(ids):
            listed = ", ".join(f'"{one}"' for one in chunk)
            text = f".show operations | where tostring(OperationId) in ({listed})"
            rows += await self._serving(database).call("log", database, text)
        return _latest(rows)

    async def has_tag(self, database: str, table: str, tag: str) -> bool:
        """Whether any extent of ``table`` carries ``tag``, whole."""
        literal = tag.replace("\\", "\\\\").replace("'", "\\'")
        text = f".show table {quote_name(table)} extents where tags has '{literal}'"
        rows = await self._or_nothing("tags", database, text)
        return any(tag in _tags(row.get("Tags")) for row in rows)

    async def cancel(self, database: str, operation: str) -> bool:
        """Ask for a cancel; whether Kusto says it was done."""
        if not _GUID.fullmatch(operation):
            return False
        text = f".cancel operation {operation}"
        rows = await self._or_nothing("cancel", database, text)
        # NB: the docs spell it "Cancelled" in one place and "Canceled" in another.
        states = [str(row.get("CancellationState", "")).lower() for row in rows]
        return any(re.search(r"cancell?ed successfully", state) for state in states)

    async def close(self) -> None:
        """End the connections of every endpoint."""
        for service in set(self._services.values()):
            await service.close()

    async def _or_nothing(self, name: str, database: str, text: str) -> list[Row]:
        """The rows; none when what the command names does not exist."""
        try:
            return await self._serving(database).call(name, database, text)
        except Refused as error:
            if "EntityNotFound" in error.code:
                return []
            raise

    def _serving(self, database: str) -> Service:
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
    return {one: operation(row) for one, row in found.items()}


def _tags(value: Any) -> list[str]:  # noqa: ANN401 - a string of lines, or a list
    return list(value) if isinstance(value, list) else str(value or "").split()
