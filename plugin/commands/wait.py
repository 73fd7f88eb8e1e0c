"""`wait`: waits until a backfill has ended; a terminal shows its progress meanwhile.

`kubectl wait --for=condition=Backfill` does not return when a backfill has failed; this one does.
It also says when no worker leads, and goes on waiting for one.
"""

import argparse
from typing import Final

from plugin.commands.status import eta, phase, progress
from plugin.console import Console
from plugin.kubectl import Kubectl, RefusedError, Rule
from plugin.leader import Leader, read_leader
from summaryrule.api.block_reason import BlockReason
from summaryrule.api.constants import ACTIVE_PHASES
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.summary import summarize, without_leader
from summaryrule.api.unstructured import as_int, nested_dict

POLL_SECONDS: Final = 1.0
LEADER_SECONDS: Final = 10.0
SUCCEEDED: Final = frozenset({"Completed"})


def wait(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Wait for it; exit code 1 when it fails, is canceled, or the time is over."""
    return follow(kubectl, args.name, console, args.timeout)


def follow(kubectl: Kubectl, name: str, console: Console, timeout: int) -> int:
    """Wait at most `timeout` ticks for the end of the rule's backfill.

    Raises:
        RefusedError: there is no backfill, it has failed, its query is invalid, or the time is
            over.
        KeyboardInterrupt: Ctrl-C; the backfill goes on, and the user is told how to wait again.
    """
    deadline = console.monotonic() + timeout / TICKS_PER_SECOND
    leaders = _Leaders(kubectl, name, console)
    try:
        while True:
            rule = kubectl.rule(name)
            phase = final_phase(rule)
            if phase is not None:
                console.redraw("")
                return _print_end(rule, phase, console)
            invalid = _invalid_query(rule, console.now())
            if invalid:
                console.redraw("")
                raise RefusedError(f"{name}: {invalid}; see kubectl summaryrule explain {name}")
            if console.monotonic() >= deadline:
                console.redraw("")
                raise RefusedError(
                    f"{name}: the time is over: {_line(rule, leaders.current(), console)}"
                )
            console.redraw(_cut(_line(rule, leaders.current(), console), console))
            console.pause(POLL_SECONDS)
    except KeyboardInterrupt:
        console.redraw("")
        again = " ".join(["kubectl summaryrule wait", name, *kubectl.flags])
        console.note(f"{name}: this ends the waiting, not the backfill; to wait again: {again}")
        raise


class _Leaders:
    """The leader, read again every ``LEADER_SECONDS``; a note says when there is none."""

    def __init__(self, kubectl: Kubectl, name: str, console: Console) -> None:
        self._kubectl, self._name, self._console = kubectl, name, console
        self._leader = Leader(unknown="not read yet")
        self._until = console.monotonic()

    def current(self) -> Leader:
        """The leader as last read."""
        if self._console.monotonic() >= self._until:
            before, self._leader = self._leader, read_leader(self._kubectl, self._console)
            self._until = self._console.monotonic() + LEADER_SECONDS
            if self._leader.is_missing and not before.is_missing:
                self._console.redraw("")
                self._console.note(f"{self._name}: {self._leader.message}")
        return self._leader


def final_phase(rule: Rule) -> str | None:
    """The phase in which it ended, `Failed` where it needs a person; None while it goes on.

    Raises:
        RefusedError: the rule has no backfill and never had one.
    """
    wanted = nested_dict(nested_dict(rule, "spec"), "backfill")
    status = nested_dict(nested_dict(rule, "status"), "backfill")
    phase = status.get("phase")
    if not wanted and not status:
        name = nested_dict(rule, "metadata").get("name")
        raise RefusedError(
            f"{name} has no backfill to wait for: kubectl summaryrule backfill {name} --last 7d"
        )
    if not wanted:
        return phase if phase and phase not in ACTIVE_PHASES else None
    return "Failed" if phase == "Failed" and _is_current(rule) else None


def _invalid_query(rule: Rule, now: Instant) -> str:
    """Why Kusto refuses the query, so that no window runs; empty if it does not."""
    found = (
        each.message
        for each in summarize(rule, now).problems
        if each.reason == BlockReason.QUERY_INVALID
    )
    return next(found, "") if _is_current(rule) else ""


def _is_current(rule: Rule) -> bool:
    """Whether status describes the present spec."""
    generation = as_int(nested_dict(rule, "metadata").get("generation"))
    return as_int(nested_dict(rule, "status").get("observedGeneration")) >= generation


def _print_end(rule: Rule, phase: str, console: Console) -> int:
    name = nested_dict(rule, "metadata").get("name")
    backfill = nested_dict(nested_dict(rule, "status"), "backfill")
    there = backfill.get("windowsAlreadyThere")
    rest = f", {there} of them already there" if there else ""
    console.say([f"{name}: backfill {phase}, {backfill.get('progress') or '0'} windows{rest}"])
    if phase == "Failed":
        raise RefusedError(f"{backfill.get('lastError')}; see kubectl summaryrule explain {name}")
    return 0 if phase in SUCCEEDED else 1


def _line(rule: Rule, leader: Leader, console: Console) -> str:
    now = console.now()
    summary = summarize(rule, now)
    if leader.is_missing:
        summary = without_leader(summary, leader.message)
    backfill = summary.backfill
    if backfill is None:
        return leader.message if leader.is_missing else "the worker has not begun"
    done = f"{phase(summary, backfill)}  {progress(backfill, plain=console.plain)}"
    more = leader.message if leader.is_missing else f"ETA {eta(backfill, now)}"
    return f"{done}  {more}"


def _cut(line: str, console: Console) -> str:
    return line if console.width is None else line[: console.width - 1]
