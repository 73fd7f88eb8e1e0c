"""A Kusto endpoint in memory: async operations, their log, tags and extents, with faults.

Nothing runs in the background. Each call first ends the operations that are due, in the order of
their ends. Therefore a schedule replays exactly. An append is committed when its operation ends.
The ingest-by tag is checked in the same step, as in one transaction.
"""

import asyncio
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random

from runtime.errors import InvalidQuery, Refused
from summaryrule.api.duration import Duration
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.planner.types import Column, Operation
from summaryrule.window_command import RunTag, parse_run_tag
from tests.worker.simulation.faults import Faults
from worker.ports import Clock

_APPEND = re.compile(
    r"\.set-or-append async (?P<table>\['.*?'\]|\w+)(?: with \((?P<with>.*?)\))? <\| "
)
_TAGS = re.compile(r"""tags='\[(.*?)\]'""")
_IF_NOT_EXISTS = re.compile(r"""ingestIfNotExists='\["([^"]+)"\]'""")
_LATEST_FOR = 6 * 3600 * TICKS_PER_SECOND
_LOGGED_FOR = 14 * 86400 * TICKS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an operation will end, and after how many seconds."""

    seconds: float = 1.0
    state: str = "Completed"
    status: str = ""
    should_retry: bool = False


@dataclass(frozen=True, slots=True)
class Append:
    """A committed append; with 0 `rows`, it leaves no extent."""

    database: str
    table: str
    command: str
    tags: frozenset[str]
    rows: int
    started: int

    @property
    def run(self) -> RunTag | None:
        """Its drop-by tag, in mode Replace."""
        return next(filter(None, map(parse_run_tag, self.tags)), None)


@dataclass(frozen=True, slots=True)
class Extent:
    """Rows of one or more appends, with the tags of all of them."""

    appends: tuple[Append, ...]
    tags: frozenset[str]

    @property
    def drop_by(self) -> tuple[str, str, frozenset[str]]:
        """The key of extents that may be merged: database, table and drop-by tags."""
        first = self.appends[0]
        drop_by = frozenset(tag for tag in self.tags if tag.startswith("drop-by:"))
        return first.database, first.table, drop_by


@dataclass(slots=True)
class _Running:
    database: str
    command: str
    started: int
    ends: int
    outcome: Outcome


_STARTED = partial(
    Operation, state="InProgress", status="", should_retry=False, duration=Duration(0)
)


@dataclass(slots=True)
class KustoState:
    """The data and the operations of all databases. It survives the workers."""

    clock: Clock
    databases: frozenset[str] = frozenset({"Telemetry"})
    outcome: Callable[[str], Outcome] = lambda _command: Outcome()
    rows: Callable[[str], int] = lambda _command: 1
    log_lag: float = 0.0
    missing_until: int = 0
    question_seconds: float = 0.0
    repeat: str = "Completed"
    random: Random = field(default_factory=lambda: Random(0))
    appended: list[Append] = field(default_factory=list)
    extents: list[Extent] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    submitted: list[tuple[int, str]] = field(default_factory=list)
    records: dict[str, Operation] = field(default_factory=dict)
    running: dict[str, _Running] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)

    def start(self, database: str, command: str) -> str:
        """Start an async append; its operation id. Raises Refused for any other text."""
        if _APPEND.match(command) is None:
            raise Refused("SYN0002: Query could not be parsed", "SYN0002")
        self.require_source()
        self.settle()
        now = self.clock.now()
        operation_id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        outcome = self.outcome(command)
        ends = now + round(outcome.seconds * TICKS_PER_SECOND)
        self.running[operation_id] = _Running(database, command, now, ends, outcome)
        self.submitted.append((now, command))
        started = Instant(now)
        self.records[operation_id] = _STARTED(operation_id, started=started, updated=started)
        return operation_id

    def require_source(self) -> None:
        """Raises InvalidQuery until the table that all queries read exists."""
        if self.missing_until and self.clock.now() < self.missing_until:
            text = "SEM0100: Failed to resolve table expression named 'Raw'"
            raise InvalidQuery(text, "SEM0100")

    def columns(self) -> tuple[Column, ...]:
        """The columns of every query."""
        self.require_source()
        return (Column("Value", "long"),)

    def settle(self) -> None:
        """End all operations that are due."""
        now = self.clock.now()
        for operation_id, running in sorted(self.running.items(), key=lambda item: item[1].ends):
            if running.ends <= now:
                del self.running[operation_id]
                outcome = running.outcome
                if outcome.state == "Completed" and not self._commit(running):
                    outcome = Outcome(state=self.repeat)
                self._end(operation_id, running.ends, outcome)

    def cancel(self, operation_id: str) -> bool:
        """Cancel an operation; whether it was still running."""
        self.settle()
        if self.running.pop(operation_id, None) is None:
            return False
        self._end(
            operation_id, self.clock.now(), Outcome(state="Canceled", status="canceled by the user")
        )
        return True

    def lose_record(self, operation_id: str) -> None:
        """Lose the record of an operation, as when Kusto elects another admin node."""
        self.records.pop(operation_id, None)

    def expire_record(self, operation_id: str) -> None:
        """Keep the record of an operation in the log only."""
        self.expired.add(operation_id)

    def find_records(
        self, ids: Iterable[str], *, max_age: int, lag: int = 0
    ) -> dict[str, Operation]:
        """Records updated in the last `max_age` ticks, of operations older than `lag` ticks."""
        self.settle()
        now = self.clock.now()
        found = {
            operation_id: self.records[operation_id]
            for operation_id in ids
            if operation_id in self.records
        }
        return {
            operation_id: record
            for operation_id, record in found.items()
            if record.updated is not None
            and now - record.updated.ticks <= max_age
            and record.started is not None
            and now - record.started.ticks >= lag
        }

    def has_tag(self, database: str, table: str, tag: str) -> bool:
        self.settle()
        return any(tag in extent.tags for extent in self._extents_of(database, table))

    def _extents_of(self, database: str, table: str) -> list[Extent]:
        return [each for each in self.extents if each.drop_by[:2] == (database, table)]

    def has_table(self, table: str) -> bool:
        self.settle()
        return any(append.table == table for append in self.appended)

    def find_tags(self, database: str, table: str, prefix: str) -> set[str]:
        """The tags with a prefix, whatever the creation time of their extents is."""
        self.settle()
        found = self._extents_of(database, table)
        return {tag for extent in found for tag in extent.tags if tag.startswith(prefix)}

    def merge(self) -> None:
        """Merge all extents that may be merged."""
        self.settle()
        groups: dict[tuple[str, str, frozenset[str]], list[Extent]] = {}
        for extent in self.extents:
            groups.setdefault(extent.drop_by, []).append(extent)
        self.extents = [
            Extent(
                tuple(append for each in group for append in each.appends),
                frozenset(tag for each in group for tag in each.tags),
            )
            for group in groups.values()
        ]

    def drop_extents(self, database: str, table: str, tag: str) -> None:
        """Drop the extents with a tag. It is a gap if a window then has no rows, but should."""
        self.settle()
        dropped = [each for each in self._extents_of(database, table) if tag in each.tags]
        self.extents = [each for each in self.extents if each not in dropped]
        for append in (append for each in dropped for append in each.appends):
            run = append.run
            if run is not None and not self.rows_of(run) and self.last_run(run).rows:
                self.gaps.append(f"{run.name}: a reader finds no rows of {run.start}")

    def rows_of(self, run: RunTag) -> list[Append]:
        """The appends whose rows a reader finds for the window of a run, in mode Replace."""
        return [
            append
            for extent in self.extents
            for append in extent.appends
            if append.run is not None and append.run.window_prefix == run.window_prefix
        ]

    def last_run(self, run: RunTag) -> Append:
        """The append of the window of a run that was submitted last, whenever it ended."""
        return max(self.runs_of(run), key=lambda append: append.started)

    def runs_of(self, run: RunTag) -> list[Append]:
        """Every append of the window of a run in mode Replace, with rows or without."""
        return [
            append
            for append in self.appended
            if append.run is not None and append.run.window_prefix == run.window_prefix
        ]

    def drop_tags(self, database: str, table: str, tags: Iterable[str]) -> None:
        """Remove tags; the rows stay."""
        self.settle()
        removed, extents = frozenset(tags), self._extents_of(database, table)
        self.extents = [
            replace(each, tags=each.tags - removed) if each in extents else each
            for each in self.extents
        ]

    def _commit(self, running: _Running) -> bool:
        """Append, unless the token is in the table; whether it was appended."""
        match = _APPEND.match(running.command)
        assert match is not None
        table = match["table"].removeprefix("['").removesuffix("']")
        if_not_exists, tag_list = (
            _IF_NOT_EXISTS.search(match["with"] or ""),
            _TAGS.search(match["with"] or ""),
        )
        tags = frozenset(re.findall(r'"([^"]+)"', tag_list[1])) if tag_list else frozenset()
        if if_not_exists and self._exists(running.database, table, if_not_exists[1]):
            return False
        rows = self.rows(running.command)
        append = Append(running.database, table, running.command, tags, rows, running.started)
        self.appended.append(append)
        if rows:
            self.extents.append(Extent((append,), tags))
        return True

    def _exists(self, database: str, table: str, token: str) -> bool:
        found = self._extents_of(database, table)
        return any(f"ingest-by:{token}" in extent.tags for extent in found)

    def _end(self, operation_id: str, at: int, outcome: Outcome) -> None:
        record = self.records.get(operation_id)
        if record is None or record.started is None:
            return
        self.records[operation_id] = replace(
            record,
            state=outcome.state,
            status=outcome.status,
            should_retry=outcome.should_retry,
            updated=Instant(at),
            duration=Duration((at - record.started.ticks) * 100),
        )


class MemoryKusto:
    """Implements `worker.ports.KustoClient` and `QueryClient` on a `KustoState`."""

    def __init__(self, state: KustoState, faults: Faults | None = None) -> None:
        self._state = state
        self._faults = faults or Faults()

    def endpoint(self, database: str) -> str | None:
        return "http://127.0.0.1:8080" if database in self._state.databases else None

    async def submit(self, database: str, command: str, *, before_send: Callable[[], None]) -> str:
        self._require(database)
        before_send()
        return await self._faults.call(lambda: self._state.start(database, command), writes=True)

    async def operations(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        recent = [operation_id for operation_id in ids if operation_id not in self._state.expired]
        return await self._find_records(database, recent, max_age=_LATEST_FOR)

    async def operations_log(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        lag = round(self._state.log_lag * TICKS_PER_SECOND)
        return await self._find_records(database, list(ids), max_age=_LOGGED_FOR, lag=lag)

    async def has_tag(self, database: str, table: str, tag: str) -> bool:
        self._require(database)
        return await self._faults.call(
            lambda: self._state.has_tag(database, table, tag), writes=False
        )

    async def query_columns(self, database: str, query: str) -> tuple[Column, ...] | None:
        self._require(database)
        assert query
        await asyncio.sleep(self._state.question_seconds)
        return await self._faults.call(self._state.columns, writes=False)

    async def table_columns(self, database: str, table: str) -> tuple[Column, ...] | None:
        self._require(database)
        return await self._faults.call(
            lambda: (Column("Value", "long"),) if self._state.has_table(table) else None,
            writes=False,
        )

    async def find_tags(self, database: str, table: str, prefix: str, since: Instant) -> set[str]:
        del since
        self._require(database)
        return await self._faults.call(
            lambda: self._state.find_tags(database, table, prefix), writes=False
        )

    async def drop_extents(
        self, database: str, table: str, tag: str, *, before_send: Callable[[], None]
    ) -> None:
        self._require(database)
        before_send()
        await self._faults.call(lambda: self._state.drop_extents(database, table, tag), writes=True)

    async def drop_tags(
        self, database: str, table: str, tags: Iterable[str], *, before_send: Callable[[], None]
    ) -> None:
        self._require(database)
        before_send()
        await self._faults.call(lambda: self._state.drop_tags(database, table, tags), writes=True)

    async def cancel(self, database: str, operation: str) -> bool:
        self._require(database)
        return await self._faults.call(lambda: self._state.cancel(operation), writes=False)

    async def _find_records(
        self, database: str, ids: list[str], *, max_age: int, lag: int = 0
    ) -> dict[str, Operation]:
        self._require(database)
        if not ids:
            await asyncio.sleep(0)
            return {}
        return await self._faults.call(
            lambda: self._state.find_records(ids, max_age=max_age, lag=lag), writes=False
        )

    def _require(self, database: str) -> None:
        if database not in self._state.databases:
            raise Refused(f"no endpoint serves the database {database!r}", "NoEndpoint")
