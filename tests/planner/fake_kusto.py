"""A fake Kusto: appends with ingest-by tags, and operations with states that a test chooses.

It reads the command of the plan, so that bounds and token are those that Kusto would get.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.planner.types import Operation
from summaryrule.window_command import RunTag, parse_run_tag

_TOKEN = re.compile(r"ingestIfNotExists='\[\"([0-9a-f]+)\"\]'")
_RUN = re.compile(r'(drop-by:[^"]+)')
_BOUNDS = re.compile(r"let _startTime=datetime\((.*?)\);\nlet _endTime=datetime\((.*?)\);")
_TABLE = re.compile(r"[.]set-or-append async (\S+|\['.*?'\]) with")
_COMPLETED = "Completed"


@dataclass(frozen=True, slots=True)
class Append:
    """What an operation wrote: its table, the bounds of its query, its token, its text."""

    table: str
    start: str
    last: str
    token: str
    text: str
    run: RunTag | None = None


@dataclass(slots=True)
class Kusto:
    """``state_of`` gives the state of an operation, from the window's start and the attempt."""

    state_of: Callable[[str, int], str] = lambda _start, _attempt: _COMPLETED
    is_slow: bool = False
    ignores_cancel: bool = False
    seconds: int = 1
    data: list[Append] = field(default_factory=list)
    dropped: list[Append] = field(default_factory=list)
    submits: list[Append] = field(default_factory=list)
    canceled: list[str] = field(default_factory=list)
    _states: dict[str, str] = field(default_factory=dict)
    _appends: dict[str, Append] = field(default_factory=dict)

    def submit(self, command: str) -> str:
        """Accept an async append; the answer is the operation's id."""
        append = _read(command)
        self.submits.append(append)
        attempt = sum(1 for each in self.submits if each.token == append.token)
        operation_id = f"op-{len(self.submits)}"
        self._appends[operation_id] = append
        self._states[operation_id] = "InProgress"
        if not self.is_slow:
            self.end(operation_id, self.state_of(append.start, attempt))
        return operation_id

    def end(self, operation_id: str, state: str = _COMPLETED) -> None:
        """The operation ends; one that completes appends, unless its token is in the table."""
        self._states[operation_id] = state.removesuffix("!")
        append = self._appends[operation_id]
        known = {(each.table, each.token) for each in self.data}
        if state == _COMPLETED and (append.table, append.token) not in known:
            self.data.append(append)

    def end_all(self, state: str = _COMPLETED) -> None:
        """Whatever is in progress ends."""
        for operation_id in self.in_progress:
            self.end(operation_id, state)

    def forget(self, operation_id: str) -> None:
        """The operation's record expires."""
        del self._states[operation_id]

    @property
    def in_progress(self) -> list[str]:
        """Operations that have not ended."""
        return [each for each, state in self._states.items() if state == "InProgress"]

    def show(self, operation_id: str) -> Operation:
        """Its state; a ``?`` at the end means ShouldRetry."""
        state = self._states.get(operation_id, "NotFound")
        return Operation(
            operation_id,
            state.removesuffix("?"),
            "boom",
            should_retry=state.endswith("?"),
            duration=Duration(self.seconds * 1_000_000_000),
        )

    def has_tag(self, table: str, token: str) -> bool:
        """Whether the table has an extent with the token."""
        return any((each.table, each.token) == (table, token) for each in self.data)

    def drop_others(self, table: str, tag: RunTag) -> None:
        """Drop the other runs of the tag's window."""
        others = [
            each
            for each in self.data
            if each.run is not None
            and (each.table, each.run.window_prefix) == (table, tag.window_prefix)
            and each.run != tag
        ]
        self.dropped += others
        self.data = [each for each in self.data if each not in others]

    def drop_tags(self, prefix: str, before: Instant) -> None:
        """Remove the drop-by tags of old windows; the rows stay."""
        self.data = [
            replace(each, run=None)
            if each.run and str(each.run).startswith(prefix) and each.run.start < before
            else each
            for each in self.data
        ]

    def cancel(self, operation_id: str) -> None:
        """Stop it, if it has not ended."""
        self.canceled.append(operation_id)
        if operation_id in self.in_progress and not self.ignores_cancel:
            self._states[operation_id] = "Canceled"

    @property
    def starts(self) -> list[str]:
        """Starts of the windows whose data is there, in order."""
        return sorted(each.start for each in self.data)


def _read(command: str) -> Append:
    token, bounds, table = (
        _TOKEN.search(command),
        _BOUNDS.search(command),
        _TABLE.match(command),
    )
    assert token is not None
    assert bounds is not None
    assert table is not None
    run = _RUN.search(command)
    run_tag = parse_run_tag(run[1]) if run else None
    return Append(table[1], bounds[1], bounds[2], token[1], command, run_tag)
