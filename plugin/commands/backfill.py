"""`backfill` requests a past range of a rule; `history` lists the requests that have ended.

The request is one patch of `spec.backfill`. Admission decides what is refused, aligned or done
already, and the user gets its messages.
"""

import argparse
from collections.abc import Mapping
from typing import Any, Final

from plugin.commands.lifecycle import patch_rule
from plugin.commands.wait import follow
from plugin.console import Console
from plugin.formatting import NONE, dump, plural
from plugin.kubectl import Kubectl, RefusedError, Rule
from plugin.tables import table
from summaryrule.api.instant import Instant
from summaryrule.api.unstructured import Json, as_duration, as_instant, nested_dict, nested_list
from summaryrule.api.windows import floor

IS_RUNNING: Final = """\
{name} runs a backfill of [{start}, {end}) ({progress} windows). To extend or shorten it, give its
own --start (and --request-id) with another --end; to end it and start this one, add --replace"""


def backfill(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Request it; exit code 0 when it is stored, or with --wait when it has completed."""
    rule = kubectl.rule(args.name)
    start = args.start or last(rule, console.now(), args.last)
    running = is_running_request(rule, start, args.request_id)
    if running is False and not args.replace:
        raise RefusedError(_is_running(rule))
    body = request(args, start, extends=running is True)
    _show_preview(rule, body, console)
    patch_rule(kubectl, args, console, body, _result)
    if args.dry_run:
        return 0
    if args.wait:
        return follow(kubectl, args.name, console, args.timeout)
    console.hint(f"to wait for its end: kubectl summaryrule wait {args.name}")
    return 0


def _show_preview(rule: Rule, body: Mapping[str, Any], console: Console) -> None:
    from plugin.backfill_preview import preview  # noqa: PLC0415 - pydantic and the planner

    for line in preview(rule, body["spec"]["backfill"], console.now()):
        console.note(line)


def last(rule: Rule, now: Instant, ticks: int) -> Instant:
    """The start of the window that contains the time `ticks` before `now`."""
    interval, start = as_duration(nested_dict(rule, "spec").get("interval")), now.plus(-ticks)
    return floor(start, interval) if interval and interval.ticks > 0 else start


def request(args: argparse.Namespace, start: Instant, *, extends: bool) -> dict[str, Any]:
    """The merge patch. A new request clears the fields of an older one; `extends` keeps them."""
    given: dict[str, Any] = {
        "end": None if args.end is None else str(args.end),
        "requestId": args.request_id,
        "maxInFlight": args.max_in_flight,
        "suspend": None,
    }
    if extends:
        given = {name: value for name, value in given.items() if value is not None}
    return {"spec": {"backfill": {"start": str(start), **given}}}


def is_running_request(rule: Rule, start: Instant, request_id: str | None) -> bool | None:
    """Whether this is the request of the running backfill; None when none is running."""
    from summaryrule.api.backfill_request import (  # noqa: PLC0415 - pydantic
        is_active,
        is_same_request,
        read_stored_requests,
        request_identity,
    )

    running = read_stored_requests(rule).current
    interval = as_duration(nested_dict(rule, "spec").get("interval"))
    if interval is None or not is_active(running) or "backfill" not in nested_dict(rule, "spec"):
        return None
    return is_same_request(running, request_identity(start, interval, request_id))


def _is_running(rule: Rule) -> str:
    status = nested_dict(nested_dict(rule, "status"), "backfill")
    return IS_RUNNING.format(
        name=nested_dict(rule, "metadata").get("name"),
        start=status.get("requestedStart"),
        end=status.get("requestedEnd"),
        progress=status.get("progress") or "0",
    )


def _result(stored: Rule) -> str:
    spec = nested_dict(stored, "spec")
    wanted: Mapping[str, Any] = nested_dict(spec, "backfill")
    if not wanted:
        return "unchanged: this range has run (--request-id with a new name runs it again)"
    windows = _windows(wanted, spec.get("interval"))
    at_once = wanted.get("maxInFlight") or 1
    return f"backfill of [{wanted.get('start')}, {wanted.get('end')}): {windows}, {at_once} at once"


def _windows(wanted: Mapping[str, Any], interval: object) -> str:
    start, end = as_instant(wanted.get("start")), as_instant(wanted.get("end"))
    size = as_duration(interval)
    if start is None or end is None or size is None or size.ticks <= 0:
        return "windows"
    return plural(-((start.ticks - end.ticks) // size.ticks), "window") + f" of {size}"


HEAD: Final = ("FINISHED", "PHASE", "START", "END", "WINDOWS", "REQUEST", "REQUESTED BY")


def history(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Print the backfills that have ended, newest first; status keeps the last ten."""
    records = nested_list(nested_dict(kubectl.rule(args.name), "status"), "backfillHistory")
    if args.output in {"json", "yaml"}:
        console.say(dump(records, args.output))
    elif records:
        rows = [_row(record) for record in records]
        console.say(table(HEAD, rows, width=console.table_width(args.output)))
    else:
        console.note(f"No backfill of {args.name} has ended.")
    return 0


def _row(record: Json) -> tuple[str, ...]:
    shown = {**record, "windows": record.get("progress", record.get("windows"))}
    fields = ("finishedAt", "phase", "start", "end", "windows", "id", "by")
    return tuple(NONE if shown.get(name) is None else str(shown[name]) for name in fields)
