"""`events`: the Kubernetes Events of a rule, oldest first.

The API server keeps an Event for an hour (kube-apiserver's ``--event-ttl``). One Event object
stands for a message that is repeated; ``count`` says how often.
"""

import argparse
from typing import Any, Final

from plugin.console import Console
from plugin.formatting import dump, time_between
from plugin.kubectl import Kubectl
from plugin.tables import table
from summaryrule.api.constants import KIND
from summaryrule.api.instant import Instant
from summaryrule.api.unstructured import as_instant, as_int, as_str

HEAD: Final = ("LAST SEEN", "COUNT", "TYPE", "REASON", "MESSAGE")
LESS_NEEDED: Final = ("COUNT", "TYPE", "LAST SEEN")
"""Columns that a narrow terminal does not get, in the order in which they are left out."""
_TIMES: Final = ("lastTimestamp", "eventTime", "firstTimestamp")

Event = dict[str, Any]


def events(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Print them; exit code 0."""
    kubectl.rule(args.name)
    found = sorted(map(event, kubectl.events(KIND, args.name)), key=lambda each: each["lastSeen"])
    if args.output in {"json", "yaml"}:
        console.say(dump(found, args.output))
    elif found:
        now = console.now()
        rows = [_row(each, now) for each in found]

        def paint(title: str, text: str) -> str:
            is_warning = title == "TYPE" and text.strip() == "Warning"
            return console.paint(text, "yellow" if is_warning else None)

        width = console.table_width(args.output)
        console.say(table(HEAD, rows, width=width, less_needed=LESS_NEEDED, paint=paint))
    else:
        console.note(f"{args.name} has no Events; the API server keeps an Event for an hour.")
    return 0


def event(raw: Event) -> Event:
    """What is shown of an Event; ``lastSeen`` is in RFC 3339, empty if no time can be read."""
    times = (as_instant(raw.get(name)) for name in _TIMES)
    last = next((each for each in times if each is not None), None)
    return {
        "lastSeen": "" if last is None else str(last),
        "count": as_int(raw.get("count")) or 1,
        "type": as_str(raw.get("type")),
        "reason": as_str(raw.get("reason")),
        "message": as_str(raw.get("message")),
    }


def _row(shown: Event, now: Instant) -> tuple[str, ...]:
    last = as_instant(shown["lastSeen"])
    ago = "unknown" if last is None else f"{time_between(min(last, now), now)} ago"
    return ago, str(shown["count"]), shown["type"], shown["reason"], shown["message"]
