"""Finds which windows of a rule have rows in its table, and from how many runs.

The source is the tags of the table's extents. Each append has an ingest-by tag with its token. When
Kusto merges extents, the new extent keeps their tags (Kusto docs, "Extent tags"). So if any extent
has the token of a run, the rows of that run are in the table.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from summaryrule.api.instant import Instant
from summaryrule.api.timeline import Lane
from summaryrule.api.tokens import legacy_window_token, window_token
from summaryrule.api.v1 import SummaryRule
from summaryrule.api.windows import Window
from summaryrule.window_command import INGEST_BY, parse_run_tag

WindowState = Literal[
    "once", "empty", "missing", "twice", "failed", "pending", "skipped", "unlisted", "unknown",
    "not covered",
]  # fmt: skip
"""The state of a window in the table, compared with its state in status.

- ``once``: the table has the rows of one run. ``twice``: it has the rows of several runs.
- ``missing``: the window is done in status, but the table has none of its tokens.
- ``empty``: as ``missing``, but its query returns no rows. The append then left no tag.
- ``failed``, ``pending``, ``skipped``: the state in status; the table has no rows of the window.
- ``unlisted``: the table has the rows of a run that is not in status.
- ``unknown``: the tags do not show it. Extents of that time have no tags, or the window ran on
  another grid.
- ``not covered``: neither the schedule nor a backfill included the window, and the table has no
  rows of it.
"""
WRONG: Final[frozenset[WindowState]] = frozenset({"twice", "missing", "failed"})
"""States that need a repair."""

_PENDING: Final = frozenset({"running", "sending", "waiting"})


@dataclass(frozen=True, slots=True)
class Extent:
    """A part of a table: its tags, and the oldest and newest creation time of its rows."""

    tags: frozenset[str]
    oldest: Instant
    newest: Instant

    @property
    def tokens(self) -> frozenset[str]:
        """The tokens in its ingest-by tags."""
        return frozenset(
            tag.removeprefix(INGEST_BY) for tag in self.tags if tag.startswith(INGEST_BY)
        )


@dataclass(frozen=True, slots=True)
class WindowCheck:
    """The state of one window, and the tokens of its runs whose rows are in the table."""

    window: Window
    state: WindowState
    tokens: tuple[str, ...] = ()


def check_windows(
    rule: SummaryRule, lanes: Sequence[Lane], extents: Iterable[Extent], windows: Iterable[Window]
) -> list[WindowCheck]:
    """Check windows of the rule's current grid, in time linear in windows and extents.

    Args:
        rule: the rule with its UID, which is a part of each token, and its status.
        lanes: the states of its windows in status.
        extents: the extents of the table that were created in the time of the windows. The worker
            sets the creation time of an append to the end of its window.
        windows: the windows to check.
    """
    listed, checked = list(extents), list(windows)
    tokens = _tokens_there(rule, checked, {token for each in listed for token in each.tokens})
    runs = _replacing_runs(rule, listed)
    untagged = [each for each in listed if not each.tokens]
    found = []
    for window in checked:
        there = dict.fromkeys((*tokens[window], *runs.get(window.start, ())))
        state = _state(rule, lanes, window, len(there))
        if state == "missing" and _may_be_in(untagged, window):
            state = "unknown"
        found.append(WindowCheck(window, state, tuple(there)))
    return found


def _tokens_there(
    rule: SummaryRule, windows: Sequence[Window], present: set[str]
) -> Mapping[Window, list[str]]:
    """The tokens of each window that are in the table, that of a run without requestId first."""
    usual = {window: window_token(rule, window) for window in windows}
    found = {window: [token] if token in present else [] for window, token in usual.items()}
    if present <= set(usual.values()):
        return found
    for window in windows:
        found[window] += [t for t in _other_tokens(rule, window) if t in present]
    return found


def _other_tokens(rule: SummaryRule, window: Window) -> Iterator[str]:
    """The tokens of requests with a requestId, and of backfills of release 0.1.0."""
    status = rule.status
    if status is None:
        return
    requests = [(each.start, each.end, each.id, each.key) for each in status.backfill_history]
    if (past := status.backfill) is not None:
        bounds = past.requested_start, past.requested_end
        requests.append((*bounds, past.request_id, past.request_key))
    for start, end, request_id, key in requests:
        if start <= window.start < end:
            if request_id:
                yield window_token(rule, window, request_id)
            yield legacy_window_token(rule, key, window.start)


def _replacing_runs(rule: SummaryRule, extents: Iterable[Extent]) -> Mapping[Instant, list[str]]:
    """The runs in mode Replace, from the drop-by tags, by the start of their window."""
    owner = rule.metadata.namespace, rule.metadata.name
    found = defaultdict[Instant, list[str]](list)
    for tag in dict.fromkeys(tag for each in extents for tag in sorted(each.tags)):
        parsed = parse_run_tag(tag)
        if parsed is not None and (parsed.namespace, parsed.name) == owner:
            found[parsed.start].append(parsed.run)
    return found


def _state(rule: SummaryRule, lanes: Sequence[Lane], window: Window, runs: int) -> WindowState:
    if runs > 1:
        return "twice"
    covering = [(lane, state) for lane in lanes if (state := lane.state_at(window.start))]
    states = {state for _, state in covering}
    if runs == 1:
        return "once" if states - {"not run"} else "unlisted"
    done = [lane for lane, state in covering if state == "done"]
    if done:
        is_on_grid = any(lane.interval == rule.spec.interval for lane in done)
        return "missing" if is_on_grid else "unknown"
    if states & _PENDING:
        return "pending"
    return next((each for each in ("failed", "skipped") if each in states), "not covered")


def _may_be_in(extents: Iterable[Extent], window: Window) -> bool:
    """Whether one of the extents may have the rows of the window, by its creation time."""
    return any(each.oldest <= window.end <= each.newest for each in extents)


def droppable_tokens(check: WindowCheck, extents: Iterable[Extent]) -> tuple[str, ...]:
    """The tokens of the window's later runs that can be dropped alone.

    Kusto has not merged the extents of these runs with others. So a drop of these extents removes
    no rows of another append. The first run is not in the result.
    """
    listed = list(extents)
    return tuple(
        token
        for token in check.tokens[1:]
        if all(each.tokens == {token} for each in listed if token in each.tokens)
    )
