"""`explain`: why a rule or a part of it does not run, and what to do."""

import argparse
from collections.abc import Iterator, Sequence

from plugin.commands.plan import local_plan
from plugin.commands.status import progress
from plugin.console import Console
from plugin.formatting import NONE, dump, plural
from plugin.kubectl import Kubectl, Rule
from summaryrule.api.block_reason import BlockReason
from summaryrule.api.instant import Instant
from summaryrule.api.summary import RuleSummary, format_duration, summarize
from summaryrule.api.unstructured import as_str, nested_dict


def explain(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Print it; exit code 1 when something does not run that should."""
    rule, now = kubectl.rule(args.name), console.now()
    found = list(held(rule, now))
    if args.output in {"json", "yaml"}:
        console.say(dump({"name": args.name, "held": found}, args.output))
    else:
        console.say(lines(summarize(rule, now), found, plain=console.plain))
    return 1 if any(_is_problem(each["reason"]) for each in found) else 0


def held(rule: Rule, now: Instant) -> Iterator[dict[str, str]]:
    """Each reason with its message and the advice what to do."""
    name = as_str(nested_dict(rule, "metadata").get("name"))
    for reason, message in dict(_reasons(rule, now)).items():
        yield {"reason": reason, "message": message, "advice": _remedy(reason, name)}


def _reasons(rule: Rule, now: Instant) -> Iterator[tuple[str, str]]:
    """Reasons of the local plan, and those that only the worker knows, from status."""
    summary = summarize(rule, now)
    if summary.reason in {BlockReason.DELETING, BlockReason.NOT_SEEN, BlockReason.OTHER_CLUSTER}:
        yield summary.reason, summary.message
    for problem in summary.problems:
        if problem.subject == "schedule":
            yield problem.reason, problem.message
    for each in local_plan(rule, now)["held"]:
        is_other = each["reason"] == BlockReason.CRITERIA_NOT_MET
        yield (BlockReason.OTHER_CLUSTER.value if is_other else each["reason"]), each["message"]


def _is_problem(reason: str) -> bool:
    found = BlockReason.named(reason)
    return found is None or found.is_problem


def _remedy(reason: str, name: str) -> str:
    found = BlockReason.named(reason)
    return f"kubectl describe summaryrule {name}" if found is None else found.remedy(name)


def lines(rule: RuleSummary, found: Sequence[dict[str, str]], *, plain: bool) -> Iterator[str]:
    """The state of schedule and backfill, then each reason with what to do."""
    yield f"{rule.name}: every {rule.interval} into {rule.database}.{rule.table}"
    yield f"  ready     {', '.join(filter(None, (rule.ready, rule.reason))) or NONE}"
    yield f"  schedule  {_schedule(rule)}"
    if rule.backfill is not None:
        past = rule.backfill
        yield f"  backfill  {past.phase}  {progress(past, plain=plain)}  [{past.start}, {past.end})"
    if not found:
        yield "Nothing holds it."
    for each in found:
        yield f"Held: {each['reason']}: {each['message']}"
        yield f"  do: {each['advice']}"


def _schedule(rule: RuleSummary) -> str:
    if rule.last is None:
        last = "no window has completed yet"
    else:
        last = f"last window ended {rule.last}, {format_duration(rule.lag or 0)} ago"
    parts = [last, f"{rule.in_flight} in flight", f"{plural(rule.failed, 'window')} failed"]
    return ", ".join(parts)
