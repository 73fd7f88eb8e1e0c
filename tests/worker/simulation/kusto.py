"""A Kusto in memory: operations that take time, tags, the log, and what can go wrong with each.

Nothing runs in the background. Every call first settles what has ended by now, in the order of
its end, so a schedule replays exactly. Appends commit when their operation ends, and the
ingest-by check happens in the same step, as one transaction does it.
"""

import asyncio
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random

from summaryrule.api.duration import Duration
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.planner.types import Column, Operation
from summaryrule.window_command import RunTag, parse_run_tag
from tests.worker.simulation.faults import Faults
from worker.errors import InvalidQuery, Refused
from worker.ports import Clock

_APPEND = re.compile(
    r"\.set-or-append async (?P<table>\['.*?'\]|\w+)(?: with \((?P<with>.*?)\))? <\| "
)
_TAGS = re.compile(r"""tags='\[(.*?)\]'""")
_UNLESS = re.compile(r"""ingestIfNotExists='\["([^"]+)"\]'""")
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
    """An append that was committed; `rows` may be 0, and then it leaves no extent."""

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
    """Rows of one or more appends, under the tags of all."""

    appends: tuple[Append, ...]
    tags: frozenset[str]

    @property
    def drop_by(self) -> tuple[str, str, frozenset[str]]:
        """What extents must have in common to be merged: table and drop-by tags."""
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


_BEGUN = partial(Operation, state="InProgress", status="", should_retry=False, duration=Duration(0))


@dataclass(slots=True)
class World:
    """The data of all databases: what survives the worker, and what the invariants are about."""

    clock: Clock
    databases: frozenset[str] = frozenset({"Telemetry"})
    outcome: Callable[[str], Outcome] = lambda _command: Outcome()
    rows: Callable[[str], int] = lambda _command: 1
    log_lag: float = 0.0
    missing_until: int = 0
    repeat: str = "Completed"
    dice: Random = field(default_factory=lambda: Random(0))
    appended: list[Append] = field(default_factory=list)
    extents: list[Extent] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    submitted: list[tuple[int, str]] = field(default_factory=list)
    records: dict[str, Operation] = field(default_factory=dict)
    running: dict[str, _Running] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)

    def start(self, database: str, command: str) -> str:
        """Take an async append; its operation id. Raises Refused for any other text."""
        if _APPEND.match(command) is None:
            raise Refused("SYN0002: Query could not be parsed", "SYN0002")
        self.require_source()
        self.settle()
        now, one = self.clock.now(), str(uuid.UUID(int=self.dice.getrandbits(128), version=4))
        outcome = self.outcome(command)
        ends = now + round(outcome.seconds * TICKS_PER_SECOND)
        self.running[one] = _Running(database, command, now, ends, outcome)
        self.submitted.append((now, command))
        started = Instant(now)
        self.records[one] = _BEGUN(one, started=started, updated=started)
        return one

    def require_source(self) -> None:
        """Raises InvalidQuery until the table that the queries read is there."""
        if self.missing_until and self.clock.now() < self.missing_until:
            text = "SEM0100: Failed to resolve table expression named 'Raw'"
            raise InvalidQuery(text, "SEM0100")

    def columns(self) -> tuple[Column, ...]:
        """The columns of every query."""
        self.require_source()
        return (Column("Value", "long"),)

    def settle(self) -> None:
        """End every operation whose time has come."""
        now = self.clock.now()
        for one, running in sorted(self.running.items(), key=lambda item: item[1].ends):
            if running.ends <= now:
                del self.running[one]
                outcome = running.outcome
                if outcome.state == "Completed" and not self._commit(running):
                    outcome = Outcome(state=self.repeat)
                self._end(one, running.ends, outcome)

    def cancel(self, one: str) -> bool:
        """Stop it if it has not ended; whether it was stopped."""
        self.settle()
        if self.running.pop(one, None) is None:
            return False
        self._end(one, self.clock.now(), Outcome(state="Canceled", status="canceled by the user"))
        return True

    def forget(self, one: str) -> None:
        """Lose an operation's record (an election of the admin node does that)."""
        self.records.pop(one, None)

    def expire(self, one: str) -> None:
        """From now on only the log has it."""
        self.expired.add(one)

    def known(self, ids: Iterable[str], *, younger: int, lag: int = 0) -> dict[str, Operation]:
        """Records updated within `younger` ticks, as they stood `lag` ticks ago."""
        self.settle()
        now = self.clock.now()
        found = {one: self.records[one] for one in ids if one in self.records}
        return {
            one: record
            for one, record in found.items()
            if record.updated is not None
            and now - record.updated.ticks <= younger
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
        """All of them: the creation time only saves work."""
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
        """Drop what carries a tag; a window that loses its last rows and has some is a gap."""
        self.settle()
        dropped = [each for each in self._extents_of(database, table) if tag in each.tags]
        self.extents = [each for each in self.extents if each not in dropped]
        for append in (append for each in dropped for append in each.appends):
            run = append.run
            if run is not None and not self.rows_of(run) and self.last_run(run).rows:
                self.gaps.append(f"{run.name}: a reader finds no rows of {run.start}")

    def rows_of(self, run: RunTag) -> list[Append]:
        """What a reader finds of the window of a run: the appends in mode Replace."""
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
        gone, here = frozenset(tags), self._extents_of(database, table)
        self.extents = [
            replace(each, tags=each.tags - gone) if each in here else each for each in self.extents
        ]

    def _commit(self, running: _Running) -> bool:
        """Append, unless the token is in the table; whether it was appended."""
        match = _APPEND.match(running.command)
        assert match is not None
        table = match["table"].removeprefix("['").removesuffix("']")
        unless, listed = _UNLESS.search(match["with"] or ""), _TAGS.search(match["with"] or "")
        tags = frozenset(re.findall(r'"([^"]+)"', listed[1])) if listed else frozenset()
        if unless and self._exists(running.database, table, unless[1]):
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

    def _end(self, one: str, at: int, outcome: Outcome) -> None:
        record = self.records.get(one)
        if record is None or record.started is None:
            return
        self.records[one] = replace(
            record,
            state=outcome.state,
            status=outcome.status,
            should_retry=outcome.should_retry,
            updated=Instant(at),
            duration=Duration((at - record.started.ticks) * 100),
        )


class MemoryKusto:
    """Keeps `worker.ports.Kusto` on a world."""

    def __init__(self, world: World, faults: Faults | None = None) -> None:
        self._world = world
        self._faults = faults or Faults()

    def endpoint(self, database: str) -> str | None:
        return "http://127.0.0.1:8080" if database in self._world.databases else None

    async def submit(self, database: str, command: str, *, before_send: Callable[[], None]) -> str:
        self._require(database)
        before_send()
        return await self._faults.meet(lambda: self._world.start(database, command), writes=True)

    async def operations(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        recent = [one for one in ids if one not in self._world.expired]
        return await self._known(database, recent, younger=_LATEST_FOR)

    async def operations_log(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        lag = round(self._world.log_lag * TICKS_PER_SECOND)
        return await self._known(database, list(ids), younger=_LOGGED_FOR, lag=lag)

    async def has_tag(self, database: str, table: str, tag: str) -> bool:
        self._require(database)
        return await self._faults.meet(
            lambda: self._world.has_tag(database, table, tag), writes=False
        )

    async def query_columns(self, database: str, query: str) -> tuple[Column, ...] | None:
        self._require(database)
        assert query
        return await self._faults.meet(self._world.columns, writes=False)

    async def table_columns(self, database: str, table: str) -> tuple[Column, ...] | None:
        self._require(database)
        return await self._faults.meet(
            lambda: (Column("Value", "long"),) if self._world.has_table(table) else None,
            writes=False,
        )

    async def find_tags(self, database: str, table: str, prefix: str, since: Instant) -> set[str]:
        del since
        self._require(database)
        return await self._faults.meet(
            lambda: self._world.find_tags(database, table, prefix), writes=False
        )

    async def drop_extents(
        self, database: str, table: str, tag: str, *, before_send: Callable[[], None]
    ) -> None:
        self._require(database)
        before_send()
        await self._faults.meet(lambda: self._world.drop_extents(database, table, tag), writes=True)

    async def drop_tags(
        self, database: str, table: str, tags: Iterable[str], *, before_send: Callable[[], None]
    ) -> None:
        self._require(database)
        before_send()
        await self._faults.meet(lambda: self._world.drop_tags(database, table, tags), writes=True)

    async def cancel(self, database: str, operation: str) -> bool:
        self._require(database)
        return await self._faults.meet(lambda: self._world.cancel(operation), writes=False)

    async def _known(
        self, database: str, ids: list[str], *, younger: int, lag: int = 0
    ) -> dict[str, Operation]:
        self._require(database)
        if not ids:
            await asyncio.sleep(0)
            return {}
        return await self._faults.meet(
            lambda: self._world.known(ids, younger=younger, lag=lag), writes=False
        )

    def _require(self, database: str) -> None:
        if database not in self._world.databases:
            raise Refused(f"no endpoint serves the database {database!r}", "NoEndpoint")
