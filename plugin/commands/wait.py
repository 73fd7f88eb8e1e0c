"""`wait`: waits until a backfill has ended; a terminal shows its progress meanwhile.

`kubectl wait --for=condition=Backfill` does not return when a backfill has failed; this one does.
"""

import argparse
from typing import Final

from plugin.commands.status import eta, progress
from plugin.console import Console
from plugin.kubectl import Kubectl, RefusedError, Rule
from summaryrule.api.instant import TICKS_PER_SECOND
from summaryrule.api.summary import summarize
from summaryrule.api.unstructured import as_int, nested_dict

POLL_SECONDS: Final = 1.0
SUCCEEDED: Final = frozenset({"Completed"})
TERMINAL_PHASES: Final = frozenset({"Completed", "Canceled", "Superseded"})


def wait(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Wait for it; exit code 1 when it fails, is canceled, or the time is over."""
    return follow(kubectl, args.name, console, args.timeout)


def follow(kubectl: Kubectl, name: str, console: Console, timeout: int) -> int:
    """Wait at most `timeout` ticks for the end of the rule's backfill.

    Raises:
        RefusedError: there is no backfill, it has failed, or the time is over.
        KeyboardInterrupt: Ctrl-C; the backfill goes on, and the user is told how to wait again.
    """
    deadline = console.monotonic() + timeout / TICKS_PER_SECOND
    try:
        while True:
            rule = kubectl.rule(name)
            phase = final_phase(rule)
            if phase is not None:
                console.redraw("")
                return _print_end(rule, phase, console)
            if console.monotonic() >= deadline:
                console.redraw("")
                raise RefusedError(
                    f"{name}: the time is over and the backfill goes on: {_line(rule, console)}"
                )
            console.redraw(_line(rule, console))
            console.pause(POLL_SECONDS)
    except KeyboardInterrupt:
        console.redraw("")
        again = " ".join(["kubectl summaryrule wait", name, *kubectl.flags])
        console.note(f"{name}: the backfill goes on; to wait again: {again}")
        raise


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
        return phase if phase in TERMINAL_PHASES else None
    return "Failed" if phase == "Failed" and _is_current(rule) else None


def _is_current(rule: Rule) -> bool:
    """Whether status describes the present spec."""
    generation = as_int(nested_dict(rule, "metadata").get("generation"))
    return as_int(nested_dict(rule, "status").get("observedGeneration")) >= generation


def _print_end(rule: Rule, phase: str, console: Console) -> int:
    name = nested_dict(rule, "metadata").get("name")
    backfill = nested_dict(nested_dict(rule, "status"), "backfill")
    console.say([f"{name}: backfill {phase}, {backfill.get('progress') or '0'} windows"])
    if phase == "Failed":
        raise RefusedError(f"{backfill.get('lastError')}; see kubectl summaryrule explain {name}")
    return 0 if phase in SUCCEEDED else 1


def _line(rule: Rule, console: Console) -> str:
    now = console.now()
    backfill = summarize(rule, now).backfill
    if backfill is None:
        return "the worker has not begun"
    line = f"{backfill.phase}  {progress(backfill, plain=console.plain)}  ETA {eta(backfill, now)}"
    return line if console.width is None else line[: console.width - 1]
