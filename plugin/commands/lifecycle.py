"""`pause`, `resume`, `cancel`, `retry` and `skip`: control what runs or has failed.

`pause`, `resume` and `cancel` patch spec. `retry` and `skip` set an annotation, which the worker
removes once it has recorded the request in status.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from plugin.console import Console
from plugin.formatting import dump, plural, qualified_name
from plugin.kubectl import Kubectl, RefusedError, Rule
from summaryrule.api.constants import RETRY_ANNOTATION, SKIP_ANNOTATION
from summaryrule.api.instant import Instant
from summaryrule.api.summary import backfill_phase
from summaryrule.api.unstructured import as_instant, nested_dict, nested_list

MAX_NAMED: Final = 5
"""Failed windows that a refusal names."""


def pause(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Let windows in flight finish, and submit no more."""
    return _suspend(kubectl, args, console, value=True)


def resume(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Continue what was paused."""
    return _suspend(kubectl, args, console, value=False)


def _suspend(kubectl: Kubectl, args: argparse.Namespace, console: Console, *, value: bool) -> int:
    result = "paused" if value else "resumed"
    if args.schedule:
        body: dict[str, Any] = {"spec": {"suspend": value}}
        return _patch(kubectl, args, console, body, f"interval runs {result}")
    _require_backfill(
        kubectl.rule(args.name), f"{args.command} --schedule {args.command}s its interval runs"
    )
    body = {"spec": {"backfill": {"suspend": value}}}
    return _patch(kubectl, args, console, body, f"backfill {result}")


def cancel(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """End a backfill; windows that are done stay done."""
    _require_backfill(kubectl.rule(args.name), "there is nothing to cancel")
    return _patch(kubectl, args, console, {"spec": {"backfill": None}}, "backfill canceled")


def retry(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Run failed windows again: all of them, or those with the given starts."""
    rule = kubectl.rule(args.name)
    failed = failed_windows(rule)
    if not failed and backfill_phase(rule) != "Failed":
        raise RefusedError(f"{args.name} has no failed windows")
    unknown = [start for start in args.window or () if start not in failed]
    if unknown:
        raise RefusedError(f"{args.name}: {_join(unknown)} has not failed; {_list_failed(failed)}")
    value = ",".join(map(str, args.window)) if args.window else "all"
    count = len(args.window or failed)
    result = f"retries {plural(count, 'failed window')}" if count else "continues with the new body"
    return _patch(kubectl, args, console, _annotate(RETRY_ANNOTATION, value), result)


def skip(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Leave windows out permanently: failed ones, or ones that a backfill has not run yet."""
    rule = kubectl.rule(args.name)
    failed = failed_windows(rule)
    unknown = [
        start for start in args.window if start not in failed and not _is_pending(rule, start)
    ]
    if unknown:
        raise RefusedError(
            f"{args.name}: {_join(unknown)} has neither failed nor is it still to run in a"
            f" backfill; {_list_failed(failed)}"
        )
    value = ",".join(map(str, args.window))
    body = _annotate(SKIP_ANNOTATION, value)
    return _patch(kubectl, args, console, body, f"skips {_join(args.window)}")


def failed_windows(rule: Rule) -> list[Instant]:
    """The starts of windows that failed permanently, of schedule and backfill, oldest first."""
    status = nested_dict(rule, "status")
    windows = (
        each
        for kind in ("schedule", "backfill")
        for each in nested_list(nested_dict(status, kind), "failed")
    )
    starts = (as_instant(each.get("start")) for each in windows)
    return sorted({start for start in starts if start is not None})


def _is_pending(rule: Rule, start: Instant) -> bool:
    backfill = nested_dict(nested_dict(rule, "status"), "backfill")
    done, end = as_instant(backfill.get("doneUntil")), as_instant(backfill.get("requestedEnd"))
    return done is not None and end is not None and done <= start < end


def _require_backfill(rule: Rule, instead: str) -> None:
    if not nested_dict(nested_dict(rule, "spec"), "backfill"):
        raise RefusedError(
            f"{nested_dict(rule, 'metadata').get('name')} has no backfill; {instead}"
        )


def _annotate(name: str, value: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {name: value}}}


def _patch(
    kubectl: Kubectl,
    args: argparse.Namespace,
    console: Console,
    body: Mapping[str, Any],
    result: str,
) -> int:
    patch_rule(kubectl, args, console, body, lambda _: result)
    return 0


def patch_rule(
    kubectl: Kubectl,
    args: argparse.Namespace,
    console: Console,
    body: Mapping[str, Any],
    describe: Callable[[Rule], str],
) -> None:
    """Patch the rule and print it as stored; with --dry-run=client only print the patch.

    The text has what `describe` returns for the stored rule.
    """
    if args.dry_run == "client":
        console.say(dump(body, args.output))
        return
    stored = kubectl.patch(args.name, body, dry_run=args.dry_run == "server")
    dry = " (server dry run)" if args.dry_run else ""
    text = "" if args.output == "name" else f" {describe(stored)}{dry}"
    console.show(stored, args.output, [f"{qualified_name(stored)}{text}"])


def _join(starts: Iterable[Instant]) -> str:
    return ", ".join(map(str, starts))


def _list_failed(failed: list[Instant]) -> str:
    if not failed:
        return "no window has failed"
    more = f" and {len(failed) - MAX_NAMED} more" if len(failed) > MAX_NAMED else ""
    return f"failed: {_join(failed[:MAX_NAMED])}{more}"
