"""`wait`: until a backfill has ended, with its progress on a terminal meanwhile.

`kubectl wait --for=condition=Backfill` waits on where a backfill has failed; this one says so.
"""

import argparse

from plugin.commands.status import eta, progress
from plugin.console import Console
from plugin.kubectl import Kubectl, RefusedError, Rule
from summaryrule.api.instant import TICKS_PER_SECOND
from summaryrule.api.summary import summarize
from summaryrule.api.unstructured import as_int, nested_dict

POLL_SECONDS = 1.0
"""Seconds between two looks."""

GOOD = frozenset({"Completed"})
TERMINAL_PHASES = frozenset({"Completed", "Canceled", "Superseded"})


def wait(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Wait for it; exit code 1 when it fails, is canceled, or the time is over."""
    return follow(kubectl, args.name, console, args.timeout)


def follow(kubectl: Kubectl, name: str, console: Console, timeout: int) -> int:
    """Wait at most `timeout` ticks for the end of the rule's backfill.

    Raises:
        RefusedError: there is none, it needs a person, or the time is over.
    """
    last = console.monotonic() + timeout / TICKS_PER_SECOND
    while True:
        rule = kubectl.rule(name)
        ended = final_phase(rule)
        if ended is not None:
            console.redraw("")
            return _tell(rule, ended, console)
        if console.monotonic() >= last:
            console.redraw("")
            raise RefusedError(
                f"{name}: the time is over and the backfill goes on: {_line(rule, console)}"
            )
        console.redraw(_line(rule, console))
        console.pause(POLL_SECONDS)


def final_phase(rule: Rule) -> str | None:
    """The phase it has ended in, `Failed` where only a person helps; None while it goes on.

    Raises:
        RefusedError: the rule has no backfill and never had one.
    """
    wanted = nested_dict(nested_dict(rule, "spec"), "backfill")
    status = nested_dict(nested_dict(rule, "status"), "backfill")
    phase = status.get("phase")
    if not wanted and not status:
        name = nested_dict(rule, "metadata").get("name")
        raise RefusedError(
            f"{name} has no backfill to wait for: kubectl summaryrule backfill {name}"
        )
    if not wanted:
        return phase if phase in TERMINAL_PHASES else None
    return "Failed" if phase == "Failed" and _is_seen(rule) else None


def _is_seen(rule: Rule) -> bool:
    """Whether status speaks of the spec as it is now."""
    generation = as_int(nested_dict(rule, "metadata").get("generation"))
    return as_int(nested_dict(rule, "status").get("observedGeneration")) >= generation


def _tell(rule: Rule, ended: str, console: Console) -> int:
    console.say(
        [f"{nested_dict(rule, 'metadata').get('name')}: backfill {ended}, {_windows(rule)}"]
    )
    if ended == "Failed":
        error = nested_dict(nested_dict(rule, "status"), "backfill").get("lastError")
        raise RefusedError(f"{error}; see kubectl summaryrule explain")
    return 0 if ended in GOOD else 1


def _windows(rule: Rule) -> str:
    return f"{nested_dict(nested_dict(rule, 'status'), 'backfill').get('progress') or '0'} windows"


def _line(rule: Rule, console: Console) -> str:
    now = console.now()
    past = summarize(rule, now).backfill
    if past is None:
        return "the worker has not begun"
    return f"{past.phase}  {progress(past, plain=console.plain)}  ETA {eta(past, now)}"
