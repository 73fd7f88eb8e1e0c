"""`explain`: why a rule, or a part of it, does not go on, and what to do about it."""

import argparse
from collections.abc import Iterator, Sequence

from plugin.commands.plan import local_plan
from plugin.commands.status import progress
from plugin.console import Console
from plugin.formatting import dump, plural
from plugin.kubectl import Kubectl, Rule
from summaryrule.api.block_reason import BlockReason
from summaryrule.api.instant import Instant
from summaryrule.api.summary import RuleSummary, format_duration, summarize
from summaryrule.api.unstructured import as_int, as_str, nested_dict


def explain(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Print it; exit code 1 when something is held."""
    rule, now = kubectl.rule(args.name), console.now()
    found = list(held(rule, now))
    if args.output in {"json", "yaml"}:
        console.say(dump({"name": args.name, "held": found}, args.output))
    else:
        console.say(lines(summarize(rule, now), found, plain=console.plain))
    return 1 if found else 0


def held(rule: Rule, now: Instant) -> Iterator[dict[str, str]]:
    """Each reason with its message and what to do."""
    name = as_str(nested_dict(rule, "metadata").get("name"))
    for reason, message in dict(_reasons(rule, now)).items():
        yield {"reason": reason, "message": message, "advice": _remedy(reason, name)}


def _reasons(rule: Rule, now: Instant) -> Iterator[tuple[str, str]]:
    """The plan's, and those that only the worker can know; a failed backfill is in the plan's."""
    for trouble in summarize(rule, now).problems:
        if trouble.subject == "schedule":
            yield trouble.reason, trouble.message
    if not as_int(nested_dict(rule, "status").get("observedGeneration")):
        yield "NotSeen", "no worker has looked at this rule yet"
    for each in local_plan(rule, now)["held"]:
        yield each["reason"], each["message"]


def _remedy(reason: str, name: str) -> str:
    """What to do, as the enum has it; a reason that it does not have is described by kubectl."""
    if reason not in BlockReason.__members__.values():
        return f"kubectl describe summaryrule {name}"
    return BlockReason(reason).remedy(name)


def lines(seen: RuleSummary, found: Sequence[dict[str, str]], *, plain: bool) -> Iterator[str]:
    """Where it stands, then what is held."""
    yield f"{seen.name}: every {seen.interval} into {seen.database}.{seen.table}"
    yield f"  schedule  {_schedule(seen)}"
    if seen.backfill is not None:
        past = seen.backfill
        yield f"  backfill  {past.phase}  {progress(past, plain=plain)}  [{past.start}, {past.end})"
    if not found:
        yield "Nothing holds it."
    for each in found:
        yield f"Held: {each['reason']}: {each['message']}"
        yield f"  do: {each['advice']}"


def _schedule(seen: RuleSummary) -> str:
    if seen.last is None:
        last = "no window has completed yet"
    else:
        last = f"last window ended {seen.last}, {format_duration(seen.lag or 0)} ago"
    parts = [last, f"{seen.in_flight} in flight", f"{plural(seen.failed, 'window')} failed"]
    return ", ".join(parts)
