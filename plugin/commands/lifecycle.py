"""`pause`, `resume`, `cancel`, `retry` and `skip`: acts on what runs or has failed.

Pause, resume and cancel are fields of spec; retry and skip are annotations that the worker takes
away once it has acted (design, section 4).
"""

import argparse
import json
from collections.abc import Iterable, Mapping
from typing import Any

from plugin.console import Console
from plugin.formatting import plural, qualified_name
from plugin.kubectl import Kubectl, RefusedError, Rule
from summaryrule.api.instant import Instant
from summaryrule.api.summary import backfill_phase
from summaryrule.api.unstructured import as_instant, nested_dict, nested_list

# As in `summaryrule.api.v1`, which costs a second of a cold start to import.
RETRY = "adx-mon.azure.com/backfill-retry"
SKIP = "adx-mon.azure.com/backfill-skip"

NAMED = 5
"""Failed windows that a refusal names."""


def pause(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Let what is in flight end, and submit nothing more."""
    return _suspend(kubectl, args, console, value=True)


def resume(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Go on where it stands."""
    return _suspend(kubectl, args, console, value=False)


def _suspend(kubectl: Kubectl, args: argparse.Namespace, console: Console, *, value: bool) -> int:
    word = "paused" if value else "resumed"
    if args.schedule:
        body: dict[str, Any] = {"spec": {"suspend": value}}
        return _act(kubectl, args, console, body, f"interval runs {word}")
    _require_backfill(kubectl.rule(args.name), f"{args.command} --schedule is for interval runs")
    body = {"spec": {"backfill": {"suspend": value}}}
    return _act(kubectl, args, console, body, f"backfill {word}")


def cancel(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """End a backfill; windows that are done stay done."""
    _require_backfill(kubectl.rule(args.name), "there is nothing to cancel")
    return _act(kubectl, args, console, {"spec": {"backfill": None}}, "backfill canceled")


def retry(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Run failed windows again: all of them, or those named by their starts."""
    rule = kubectl.rule(args.name)
    known = failed(rule)
    if not known and backfill_phase(rule) != "Failed":
        raise RefusedError(f"{args.name} has no failed windows")
    unknown = [start for start in args.window or () if start not in known]
    if unknown:
        raise RefusedError(f"{args.name}: {_names(unknown)} has not failed; {_which(known)}")
    value = ",".join(map(str, args.window)) if args.window else "all"
    count = len(args.window or known)
    what = f"retries {plural(count, 'failed window')}" if count else "goes on with the new text"
    return _act(kubectl, args, console, _annotated(RETRY, value), what)


def skip(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Leave windows out for good: failed ones, or ones that a backfill has still to run."""
    rule = kubectl.rule(args.name)
    unknown = [
        start for start in args.window if start not in failed(rule) and not _ahead(rule, start)
    ]
    if unknown:
        why = "has neither failed nor is it still to run in a backfill"
        raise RefusedError(f"{args.name}: {_names(unknown)} {why}; {_which(failed(rule))}")
    value = ",".join(map(str, args.window))
    return _act(kubectl, args, console, _annotated(SKIP, value), f"skips {_names(args.window)}")


def failed(rule: Rule) -> list[Instant]:
    """Starts of windows that failed for good, the schedule's and the backfill's, oldest first."""
    status = nested_dict(rule, "status")
    windows = (
        each
        for kind in ("schedule", "backfill")
        for each in nested_list(nested_dict(status, kind), "failed")
    )
    starts = (as_instant(each.get("start")) for each in windows)
    return sorted({start for start in starts if start is not None})


def _ahead(rule: Rule, start: Instant) -> bool:
    running = nested_dict(nested_dict(rule, "status"), "backfill")
    mark, end = as_instant(running.get("doneUntil")), as_instant(running.get("requestedEnd"))
    return mark is not None and end is not None and mark <= start < end


def _require_backfill(rule: Rule, otherwise: str) -> None:
    if not nested_dict(nested_dict(rule, "spec"), "backfill"):
        raise RefusedError(
            f"{nested_dict(rule, 'metadata').get('name')} has no backfill; {otherwise}"
        )


def _annotated(name: str, value: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {name: value}}}


def _act(
    kubectl: Kubectl,
    args: argparse.Namespace,
    console: Console,
    body: Mapping[str, Any],
    what: str,
) -> int:
    if args.dry_run == "client":
        console.say([json.dumps(body, indent=2)])
        return 0
    stored = kubectl.patch(args.name, body, dry_run=args.dry_run == "server")
    dry = " (server dry run)" if args.dry_run else ""
    console.say([qualified_name(stored) + ("" if args.output == "name" else f" {what}{dry}")])
    return 0


def _names(starts: Iterable[Instant]) -> str:
    return ", ".join(map(str, starts))


def _which(known: list[Instant]) -> str:
    if not known:
        return "no window has failed"
    more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
    return f"failed: {_names(known[:NAMED])}{more}"
