"""`plan`: what the worker would submit now, planned here by the worker's own code.

Cluster labels are the worker's: whether criteria match is taken from its verdict in status, and
the text of a command lacks the `let` lines of labels.
"""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from plugin import output
from plugin.commands.forecast import forecast
from plugin.console import Console
from plugin.kubectl import Kubectl
from plugin.table import table
from plugin.words import plural

SHOWN = 10
"""Windows of each kind in the table."""


def plan(cluster: Kubectl, asked: argparse.Namespace, console: Console) -> int:
    """Print it."""
    planned = forecast(cluster.rule(asked.name), asked.now or console.now())
    if asked.output in {"json", "yaml"}:
        console.say(output.dumped(planned, asked.output))
    else:
        console.say(lines(planned, wide=asked.output == "wide"))
    return 0


def lines(planned: Mapping[str, Any], *, wide: bool) -> Iterator[str]:
    """The counts, what is held, and the windows; `wide` has each with its KQL."""
    runs, past = len(planned["interval"]), len(planned["backfill"])
    more = f", and {planned['more']} more" if planned.get("more") else ""
    due = f"{plural(runs, 'interval window')} and {plural(past, 'backfill window')} due{more}"
    yield f"{planned['name']}: {due}"
    for held in planned["held"]:
        yield f"  held: {held['reason']}: {held['message']}"
    yield from _with_text(planned) if wide else _listed(planned)


def _listed(planned: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        (kind, window["start"], window["end"])
        for kind in ("interval", "backfill")
        for window in planned[kind][:SHOWN]
    ]
    if rows:
        yield from table(("KIND", "START", "END"), rows)
    left = len(planned["interval"]) + len(planned["backfill"]) + planned.get("more", 0) - len(rows)
    if left:
        yield f"and {left} more; -o wide shows the first thousand with their KQL"


def _with_text(planned: Mapping[str, Any]) -> Iterator[str]:
    for kind in ("interval", "backfill"):
        for window in planned[kind]:
            yield f"{kind} [{window['start']}, {window['end']})  token {window['token']}"
            yield from (f"  | {line}" for line in window["command"].splitlines())
