"""`status`: where every rule stands, one line each."""

import argparse
from collections.abc import Iterator, Sequence

from plugin.console import Console
from plugin.formatting import NONE, dump, progress_bar, qualified_name, table, time_between
from plugin.kubectl import Kubectl, UsageError
from summaryrule.api.instant import Instant
from summaryrule.api.summary import (
    BackfillSummary,
    RuleSummary,
    as_json,
    format_duration,
    summarize,
)

HEAD = ("NAME", "LAST WINDOW", "LAG", "BACKFILL", "PROGRESS", "ETA", "PROBLEM")
WIDE = ("TABLE", "INTERVAL", "IN FLIGHT", "FAILED", "REQUESTED BY")


def status(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Print it; exit code 0 whatever the rules' state."""
    if args.name and args.all_namespaces:
        raise UsageError("a name and --all-namespaces do not go together: write -n NAMESPACE")
    found = (
        [kubectl.rule(args.name)] if args.name else kubectl.rules(everywhere=args.all_namespaces)
    )
    if args.output == "name":
        console.say(qualified_name(rule) for rule in found)
        return 0
    now = console.now()
    seen = [summarize(rule, now) for rule in found]
    if args.output in {"json", "yaml"}:
        shown = [as_json(each) for each in seen]
        console.say(dump(shown[0] if args.name else shown, args.output))
    elif seen:
        wide, everywhere = args.output == "wide", args.all_namespaces
        console.say(lines(seen, now, wide=wide, everywhere=everywhere, plain=console.plain))
    else:
        where = "in any namespace" if args.all_namespaces else "here; -A looks in all namespaces"
        print(f"No SummaryRules {where}.", file=console.err)
    return 0


def lines(
    seen: Sequence[RuleSummary], now: Instant, *, wide: bool, everywhere: bool, plain: bool
) -> Iterator[str]:
    """The table."""
    head = (*(["NAMESPACE"] if everywhere else []), *HEAD, *(WIDE if wide else []))
    rows = [
        (
            *([each.namespace] if everywhere else []),
            *_row(each, now, plain=plain),
            *(_wide(each) if wide else []),
        )
        for each in seen
    ]
    return table(head, rows)


def _row(each: RuleSummary, now: Instant, *, plain: bool) -> tuple[str, ...]:
    past = each.backfill
    return (
        each.name,
        NONE if each.last is None else str(each.last),
        NONE if each.lag is None else format_duration(each.lag),
        NONE if past is None else past.phase,
        NONE if past is None else progress(past, plain=plain),
        eta(past, now),
        "; ".join(problems(each)) or NONE,
    )


def _wide(each: RuleSummary) -> tuple[str, ...]:
    flying = each.in_flight + (each.backfill.in_flight if each.backfill else 0)
    failed = each.failed + (each.backfill.failed if each.backfill else 0)
    by = each.backfill.by if each.backfill else ""
    return (f"{each.database}.{each.table}", each.interval, str(flying), str(failed), by or NONE)


def progress(past: BackfillSummary, *, plain: bool) -> str:
    """The bar, the percentage and the windows."""
    return f"{progress_bar(past.percent, plain=plain)} {past.percent:3}% {past.done}/{past.total}"


def eta(past: BackfillSummary | None, now: Instant) -> str:
    """How long a running backfill should still take."""
    if past is None or past.phase != "Running" or past.eta is None:
        return NONE
    return time_between(now, past.eta) if past.eta > now else "soon"


def problems(each: RuleSummary) -> Iterator[str]:
    """What does not go on, in words; a rule that is suspended on purpose is told too."""
    if each.suspended:
        yield "interval runs are suspended"
    for trouble in each.problems:
        yield trouble.message or trouble.reason
