"""`explain`: why a rule or a part of it does not run, and what to do."""

import argparse
from collections.abc import Iterator, Sequence
from typing import Final

from plugin.commands.plan import WORKER_ONLY_REASONS, local_plan
from plugin.commands.status import phase, progress
from plugin.console import Console
from plugin.formatting import NONE, plural
from plugin.kubectl import Kubectl, Rule
from plugin.leader import Leader, created, read_leader, rules_ahead
from summaryrule.api.block_reason import BlockReason, remedy_for
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.summary import (
    RuleSummary,
    format_duration,
    in_queue,
    summarize,
    without_leader,
)
from summaryrule.api.unstructured import as_str, nested_dict

SAID_BY_SUMMARY: Final = frozenset(
    {
        BlockReason.DELETING,
        BlockReason.NOT_SEEN,
        BlockReason.OTHER_CLUSTER,
        BlockReason.QUEUED,
    }
)
"""Reasons that no condition and no plan has."""
YOUNG_SECONDS: Final = 60
"""A rule of this age may have been created a moment before the worker reconciles it."""


def explain(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Print it; exit code 1 when something does not run that should."""
    rule, leader = kubectl.rule(args.name), read_leader(kubectl, console)
    now = console.now()
    summary = _summary(kubectl, rule, now, leader)
    found = list(held(rule, summary, now))
    if leader.unknown:
        console.note(f"whether a worker leads is unknown: {leader.unknown}")
    data = {"name": args.name, "held": found}
    console.show(data, args.output, lines(summary, found, plain=console.plain))
    return 1 if any(_is_problem(each["reason"]) for each in found) else 0


def _summary(kubectl: Kubectl, rule: Rule, now: Instant, leader: Leader) -> RuleSummary:
    summary = summarize(rule, now)
    if leader.is_missing:
        return without_leader(summary, leader.message)
    if summary.reason == BlockReason.NOT_SEEN and leader.leads:
        ahead = rules_ahead(kubectl, rule)
        is_young = now.ticks - created(rule).ticks < YOUNG_SECONDS * TICKS_PER_SECOND
        return in_queue(summary, ahead) if ahead or is_young else summary
    return summary


def held(rule: Rule, summary: RuleSummary, now: Instant) -> Iterator[dict[str, str]]:
    """Each reason with its message and the advice what to do."""
    name = as_str(nested_dict(rule, "metadata").get("name"))
    found = dict[str, str]()
    for reason, message in _reasons(rule, summary, now):
        found.setdefault(reason, message)
    for reason, message in found.items():
        advice = remedy_for(reason, name) or f"kubectl describe summaryrule {name}"
        yield {"reason": reason, "message": message, "advice": advice}


def _reasons(rule: Rule, summary: RuleSummary, now: Instant) -> Iterator[tuple[str, str]]:
    """Reasons of the local plan, and those that only the worker knows, from status."""
    if summary.reason in SAID_BY_SUMMARY:
        yield summary.reason, summary.message
    for problem in summary.problems:
        if problem.subject in {"schedule", "query"}:
            yield problem.reason, problem.message
    for each in local_plan(rule, now)["held"]:
        reason = each["reason"]
        if reason == BlockReason.CRITERIA_NOT_MET:
            yield BlockReason.OTHER_CLUSTER.value, each["message"]
        elif summary.ready != "True" or reason not in WORKER_ONLY_REASONS:
            yield reason, each["message"]


def _is_problem(reason: str) -> bool:
    found = BlockReason.named(reason)
    return found is None or found.is_problem


def lines(rule: RuleSummary, found: Sequence[dict[str, str]], *, plain: bool) -> Iterator[str]:
    """The state of schedule and backfill, then each reason with what to do."""
    yield f"{rule.name}: every {rule.interval} into {rule.database}.{rule.table}"
    yield f"  ready     {', '.join(filter(None, (rule.ready, rule.reason))) or NONE}"
    yield f"  schedule  {_schedule(rule)}"
    if rule.backfill is not None:
        past = rule.backfill
        done = progress(past, plain=plain)
        yield f"  backfill  {phase(rule, past)}  {done}  [{past.start}, {past.end})"
    if not found:
        yield "Nothing holds it."
    for each in found:
        word = "Warning" if each["reason"] == BlockReason.COLUMNS_DIFFER else "Held"
        yield f"{word}: {each['reason']}: {each['message']}"
        yield f"  do: {each['advice']}"


def _schedule(rule: RuleSummary) -> str:
    if rule.last is None:
        last = "no window has completed yet"
    else:
        last = f"last window ended {rule.last}, {format_duration(rule.lag or 0)} ago"
    parts = [last, f"{rule.in_flight} in flight", f"{plural(rule.failed, 'window')} failed"]
    return ", ".join(parts)
