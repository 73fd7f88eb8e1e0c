"""`windows`: the windows of a rule that status names, with their state and error.

Status has each window that failed, that is running or that is about to be submitted, and ranges of
windows that are done. A row of blocks, one for each of the last windows, comes first.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from plugin.console import Color, Console
from plugin.formatting import NONE, dump, plural
from plugin.kubectl import Kubectl, Rule
from plugin.leader import Leader, read_leader
from plugin.tables import table
from summaryrule.api.instant import Instant
from summaryrule.api.timeline import lanes, strip
from summaryrule.api.unstructured import as_int, as_str, nested_dict, nested_list

HEAD: Final = ("KIND", "STATE", "START", "END", "ATTEMPT", "ERROR")
LESS_NEEDED: Final = ("ATTEMPT", "KIND")
"""Columns that a narrow terminal does not get, in the order in which they are left out."""
OPEN: Final = frozenset({"running", "pending"})
STOPPED: Final = {"running": "unknown"}
"""The state of a window while no worker leads."""
BLOCKS: Final[dict[str, tuple[str, str, Color | None]]] = {
    "f": ("█", "failed", "red"),
    "r": ("▅", "running", "yellow"),
    "w": ("▃", "waiting", None),
    "s": ("▂", "skipped", "yellow"),
    "n": ("▂", "not run", None),
    "d": ("▆", "done", "green"),
    "-": ("·", "not covered", None),
}
"""For each letter of a strip: its block, what it means, and its color.

The heights differ, so that the states can be told apart without color.
"""
COUNT: Final = 40
"""The windows of a strip; fewer on a terminal of fewer columns."""
COLORS: Final[dict[str, Color]] = {"failed": "red", "running": "yellow", "done": "green"}


def windows(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Print them; exit code 0."""
    rule = kubectl.rule(args.name)
    every = list(list_windows(rule))
    if any(each["state"] in OPEN for each in every):
        every = _as_leader_allows(every, read_leader(kubectl, console), console)
    found = [each for each in every if args.state in (None, each["state"])]
    if args.output in {"json", "yaml"}:
        console.say(dump(found, args.output))
        return 0
    if args.state is None:
        leads = all(each["state"] != STOPPED["running"] for each in every)
        console.say(strip_lines(rule, console.now(), console, leads=leads))
    if found:
        rows = [[each[title.lower()] or NONE for title in HEAD] for each in found]
        width = console.table_width(args.output)

        def paint(title: str, text: str) -> str:
            return console.paint(text, COLORS.get(text.strip()) if title == "STATE" else None)

        console.say(table(HEAD, rows, width=width, less_needed=LESS_NEEDED, paint=paint))
    else:
        which = f"{args.state} " if args.state else ""
        console.note(f"{args.name} has no {which}windows in its status.")
    return 0


def _as_leader_allows(
    found: list[dict[str, str]], leader: Leader, console: Console
) -> list[dict[str, str]]:
    """The windows; while no worker leads, nobody knows whether an operation still runs."""
    if not leader.is_missing:
        return found
    console.note(leader.message)
    return [{**each, "state": STOPPED.get(each["state"], each["state"])} for each in found]


def list_windows(rule: Rule) -> Iterator[dict[str, str]]:
    """Each window or range of windows: `kind`, `state`, `start`, `end`, `attempt` and `error`."""
    status = nested_dict(rule, "status")
    schedule, backfill = nested_dict(status, "schedule"), nested_dict(status, "backfill")
    if schedule.get("lastDone"):
        yield _row("schedule", "done", {"end": schedule["lastDone"]})
    yield from _unfinished("schedule", schedule)
    done_until = backfill.get("doneUntil")
    if done_until and done_until != backfill.get("requestedStart"):
        yield _row("backfill", "done", {"start": backfill.get("requestedStart"), "end": done_until})
    for done in nested_list(backfill, "doneAhead"):
        yield _row("backfill", "done", done)
    yield from _unfinished("backfill", backfill)


def _unfinished(kind: str, status: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for window in nested_list(status, "failed"):
        yield _row(kind, "failed", window)
    for window in nested_list(status, "inFlight"):
        yield _row(kind, "running" if window.get("operationId") else "pending", window)


def _row(kind: str, state: str, window: Mapping[str, Any]) -> dict[str, str]:
    attempt = as_int(window.get("attempt"))
    return {
        "kind": kind,
        "state": state,
        "start": as_str(window.get("start")),
        "end": as_str(window.get("end")),
        "attempt": str(attempt) if attempt else "",
        "error": as_str(window.get("error")),
    }


def strip_lines(rule: Rule, now: Instant, console: Console, *, leads: bool) -> Iterator[str]:
    """The row of blocks, on a terminal only, and the words; none without a valid interval.

    ``leads`` is whether a worker leads: without one, nobody knows whether an operation runs.
    """
    letters = strip(lanes(rule, now), now, min(COUNT, console.width or COUNT))
    if not letters.strip("-"):
        return
    if console.width is not None:
        yield "".join(_blocks(letters, console))
    counts = Counter(letters)
    running = "running" if leads else "unknown"
    words = (
        f"{counts[letter]} {running if letter == 'r' else name}"
        for letter, (_, name, _) in BLOCKS.items()
        if counts[letter]
    )
    yield f"last {plural(len(letters), 'window')}, oldest first: {', '.join(words)}"


def _blocks(letters: str, console: Console) -> Iterator[str]:
    for letter, same in groupby(letters):
        block, _, color = BLOCKS[letter]
        text = (letter if console.plain else block) * len(list(same))
        yield console.paint(text, color)
