"""`history`: the backfills of a rule that ended, newest first (status keeps the last ten)."""

import argparse

from plugin import output
from plugin.console import Console
from plugin.kubectl import Kubectl
from plugin.table import table
from plugin.words import NONE
from summaryrule.api.unstructured import Json, nested_dict, nested_list

HEAD = ("FINISHED", "PHASE", "START", "END", "WINDOWS", "REQUEST", "REQUESTED BY")


def history(cluster: Kubectl, asked: argparse.Namespace, console: Console) -> int:
    """Print it."""
    records = nested_list(nested_dict(cluster.rule(asked.name), "status"), "backfillHistory")
    if asked.output in {"json", "yaml"}:
        console.say(output.dumped(records, asked.output))
    elif records:
        console.say(table(HEAD, [_row(record) for record in records]))
    else:
        print(f"No backfill of {asked.name} has ended.", file=console.err)
    return 0


def _row(record: Json) -> tuple[str, ...]:
    fields = ("finishedAt", "phase", "start", "end", "windows", "id", "by")
    return tuple(str(record[name]) if name in record else NONE for name in fields)
