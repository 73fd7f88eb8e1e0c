"""Compares a rule's windows with the extent tags of its table: which rows are there, and how often.

Each append has an ingest-by tag, its token. Kusto keeps the tags of extents that it merges (Kusto
docs, "Extent tags"). So a token in the tags of any extent says that the rows of that run are there.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from summaryrule.api.backfill_request import legacy_window_token, window_token
from summaryrule.api.instant import Instant
from summaryrule.api.timeline import Lane
from summaryrule.api.v1 import SummaryRule
from summaryrule.api.windows import Window
from summaryrule.window_command import rule_tag_prefix

WindowState = Literal[
    "once", "empty", "missing", "twice", "failed", "pending", "skipped", "unlisted", "unknown",
    "not covered",
]  # fmt: skip
"""What is known of a window.

- ``once``: the rows of one run are there. ``twice``: those of several runs.
- ``missing``: status says that it is done, and no token of it is there. ``empty``: the same, and
  its query has no rows, so that its append left no tag.
- ``failed``, ``pending``, ``skipped``: status says so, and no rows are there.
- ``unlisted``: the rows are there, and status does not know of the run.
- ``unknown``: it cannot be told, because extents of its time have no tags, or its run was on
  another grid.
- ``not covered``: neither the schedule nor a backfill had it, and no rows are there.
"""
WRONG: Final[frozenset[WindowState]] = frozenset({"twice", "missing", "failed"})
"""States in which the table is not as it should be."""

_INGEST_BY: Final = "ingest-by:"
_PENDING: Final = frozenset({"running", "sending", "waiting"})


@dataclass(frozen=True, slots=True)
class Extent:
    """A part of a table: its tags, and the oldest and newest creation time of its rows."""

    tags: frozenset[str]
    oldest: Instant
    newest: Instant

    @property
    def tokens(self) -> frozenset[str]:
        """The tokens of the appends that are in it."""
        return frozenset(
            tag.removeprefix(_INGEST_BY) for tag in self.tags if tag.startswith(_INGEST_BY)
        )


@dataclass(frozen=True, slots=True)
class WindowCheck:
    """The state of one window, and the tokens of its runs whose rows are there."""

    window: Window
    state: WindowState
    tokens: tuple[str, ...] = ()


def check_windows(
    rule: SummaryRule, lanes: Sequence[Lane], extents: Iterable[Extent], windows: Iterable[Window]
) -> list[WindowCheck]:
    """Check windows of the rule's present grid; the time grows with windows and extents.

    Args:
        rule: the rule with its status; tokens need its UID.
        lanes: what status says of its windows.
        extents: the extents of the table that were created in the time of the windows. The creation
            time of an append is the end of its window.
        windows: the windows to check.
    """
    listed, checked = list(extents), list(windows)
    tokens = _tokens_there(rule, checked, {token for each in listed for token in each.tokens})
    runs = _replacing_runs(rule, listed)
    untagged = [each for each in listed if not each.tokens]
    found = []
    for window in checked:
        there = dict.fromkeys((*tokens[window], *runs.get(str(window.start), ())))
        state = _state(rule, lanes, window, len(there))
        if state == "missing" and _may_be_in(untagged, window):
            state = "unknown"
        found.append(WindowCheck(window, state, tuple(there)))
    return found


def _tokens_there(
    rule: SummaryRule, windows: Sequence[Window], present: set[str]
) -> Mapping[Window, list[str]]:
    """The tokens of each window that are in the table, the usual one first."""
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


def _replacing_runs(rule: SummaryRule, extents: Iterable[Extent]) -> Mapping[str, list[str]]:
    """By the start of the window, the runs in mode Replace that the drop-by tags name."""
    prefix = rule_tag_prefix(rule)
    found = defaultdict[str, list[str]](list)
    for tag in dict.fromkeys(tag for each in extents for tag in sorted(each.tags)):
        if tag.startswith(prefix):
            start, _, run = tag.removeprefix(prefix).partition("/")
            found[start].append(run)
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
    """Whether an extent without tags may have the rows of the window."""
    return any(each.oldest <= window.end <= each.newest for each in extents)


def droppable_tokens(check: WindowCheck, extents: Iterable[Extent]) -> tuple[str, ...]:
    """The tokens, but the first, whose extents have rows of no other append.

    Their extents can be dropped without loss: Kusto has not merged them with others.
    """
    listed = list(extents)
    return tuple(
        token
        for token in check.tokens[1:]
        if all(each.tokens == {token} for each in listed if token in each.tokens)
    )
