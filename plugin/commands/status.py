"""`status`: the state of each rule in one line."""

import argparse
from collections.abc import Iterator, Sequence
from typing import Final

from plugin.console import Color, Console
from plugin.formatting import (
    BAR_WIDTH,
    NONE,
    dump,
    progress_bar,
    qualified_name,
    time_between,
)
from plugin.kubectl import Kubectl, Rule, UsageError
from plugin.leader import Leader, read_leader, unseen_by_age
from plugin.tables import needed_width, table
from summaryrule.api.block_reason import BlockKind, BlockReason
from summaryrule.api.constants import RUNNABLE_PHASES
from summaryrule.api.instant import Instant
from summaryrule.api.summary import (
    BackfillSummary,
    RuleSummary,
    as_json,
    format_duration,
    in_queue,
    summarize,
    without_leader,
)

PROBLEM: Final = "PROBLEM"
HEAD: Final = ("NAME", "READY", "REASON", "LAST WINDOW", "LAG", "BACKFILL", "PROGRESS", "ETA")
WIDE: Final = ("TABLE", "INTERVAL", "IN FLIGHT", "FAILED", "REQUESTED BY")
LESS_NEEDED: Final = ("LAST WINDOW", "ETA", "PROGRESS", "LAG", "BACKFILL", "READY")
"""Columns that a narrow terminal does not get, in the order in which they are left out."""
WATCH_SECONDS: Final = 2.0

COLORS: Final[dict[str, dict[str, Color]]] = {
    "READY": {"True": "green", "False": "red", "Unknown": "yellow"},
    "BACKFILL": {"Failed": "red", "Completed": "green", "Paused": "yellow"},
}


def status(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Print it; the exit code is 0 whatever the state of the rules."""
    if args.names and args.all_namespaces:
        raise UsageError("a name and --all-namespaces do not go together: write -n NAMESPACE")
    if not args.watch:
        _print(kubectl, args, console)
        return 0
    while True:
        console.clear()
        _print(kubectl, args, console)
        console.pause(WATCH_SECONDS)


def _print(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> None:
    found = kubectl.rules(args.names, everywhere=args.all_namespaces, selector=args.selector)
    if args.output == "name":
        console.say(qualified_name(rule) for rule in found)
        return
    now = console.now()
    summaries = _summaries(found, now, read_leader(kubectl, console), console)
    if args.output in {"json", "yaml"}:
        data = [as_json(each) for each in summaries]
        console.say(dump(data[0] if len(args.names) == 1 else data, args.output))
    elif summaries:
        wide, everywhere = args.output == "wide", args.all_namespaces
        console.say(lines(summaries, now, console, wide=wide, everywhere=everywhere))
    else:
        console.note(_nothing(args))


def _summaries(
    rules: Sequence[Rule], now: Instant, leader: Leader, console: Console
) -> list[RuleSummary]:
    """The summaries, as far as the Lease allows them; a note says why nothing runs."""
    summaries = [summarize(rule, now) for rule in rules]
    if leader.unknown:
        console.hint(f"whether a worker leads is unknown: {leader.unknown}")
    elif not leader.leads:
        console.note(f"{leader.message}; do: {BlockReason.NO_LEADER.remedy('NAME')}")
        return [without_leader(each, leader.message) for each in summaries]
    else:
        unseen = unseen_by_age(rules)
        return [
            in_queue(each, unseen[key]) if (key := (each.namespace, each.name)) in unseen else each
            for each in summaries
        ]
    return summaries


def _nothing(args: argparse.Namespace) -> str:
    which = f" with the labels {args.selector}" if args.selector else ""
    where = "in any namespace" if args.all_namespaces else "in this namespace; -A shows all"
    return f"No SummaryRules{which} {where}."


def lines(
    summaries: Sequence[RuleSummary],
    now: Instant,
    console: Console,
    *,
    wide: bool,
    everywhere: bool,
) -> Iterator[str]:
    """The table. On a terminal it fits the width, unless it is `wide`; PROBLEM comes last.

    On a narrow terminal the bars go first, then whole columns.
    """
    head = (*(["NAMESPACE"] if everywhere else []), *HEAD, *(WIDE if wide else []), PROBLEM)
    cells = [dict(_cells(each, now, plain=console.plain)) for each in summaries]
    width = None if wide else console.width
    rows = [[row[title] for title in head] for row in cells]
    if width is not None and needed_width([head, *rows]) > width:
        bar = head.index("PROGRESS")
        for row in rows:
            row[bar] = row[bar][BAR_WIDTH:].strip() or NONE

    def paint(title: str, text: str) -> str:
        return console.paint(text, _color(title, text.strip()))

    return table(head, rows, width=width, less_needed=LESS_NEEDED, paint=paint)


def _color(title: str, text: str) -> Color | None:
    if title == PROBLEM:
        return None if text == NONE else "red"
    return COLORS.get(title, {}).get(text)


def _cells(rule: RuleSummary, now: Instant, *, plain: bool) -> Iterator[tuple[str, str]]:
    backfill = rule.backfill
    yield "NAMESPACE", rule.namespace
    yield "NAME", rule.name
    yield "READY", rule.ready or NONE
    yield "REASON", rule.reason or NONE
    yield "LAST WINDOW", NONE if rule.last is None else str(rule.last)
    yield "LAG", _lag(rule)
    yield "BACKFILL", NONE if backfill is None else phase(rule, backfill)
    yield "PROGRESS", NONE if backfill is None else progress(backfill, plain=plain)
    yield "ETA", eta(backfill, now)
    yield "TABLE", f"{rule.database}.{rule.table}"
    yield "INTERVAL", rule.interval
    yield "IN FLIGHT", str(rule.in_flight + (backfill.in_flight if backfill else 0))
    yield "FAILED", str(rule.failed + (backfill.failed if backfill else 0))
    yield "REQUESTED BY", (backfill.by if backfill else "") or NONE
    yield PROBLEM, "; ".join(each.message or each.reason for each in rule.problems) or NONE


def _lag(rule: RuleSummary) -> str:
    """How far the data is behind; nothing has to follow in a rule that is not to run."""
    reason = BlockReason.named(rule.reason)
    is_intended = reason is not None and reason.kind is BlockKind.INTENDED
    if rule.suspended or is_intended or rule.lag is None:
        return NONE
    return format_duration(rule.lag)


def phase(rule: RuleSummary, backfill: BackfillSummary) -> str:
    """The phase; while no worker leads, a backfill waits that would run."""
    leads = all(each.reason != BlockReason.NO_LEADER for each in rule.problems)
    return backfill.phase if leads or backfill.phase not in RUNNABLE_PHASES else "Waiting"


def progress(backfill: BackfillSummary, *, plain: bool) -> str:
    """The bar, the percentage and the windows."""
    bar = progress_bar(backfill.percent, plain=plain)
    there = f" ({backfill.already_there} already there)" if backfill.already_there else ""
    return f"{bar} {backfill.percent:3}% {backfill.done}/{backfill.total}{there}"


def eta(backfill: BackfillSummary | None, now: Instant) -> str:
    """The expected remaining time of a running backfill."""
    if backfill is None or backfill.phase != "Running" or backfill.eta is None:
        return NONE
    return time_between(now, backfill.eta) if backfill.eta > now else "soon"
