"""`explain`: why a rule, or a part of it, does not go on, and what to do about it."""

import argparse
from collections.abc import Iterator, Sequence

from plugin import output
from plugin.advice import advice
from plugin.commands.forecast import forecast
from plugin.commands.status import progress
from plugin.console import Console
from plugin.kubectl import Kubectl, Rule
from plugin.words import format_duration, plural
from summaryrule.api.instant import Instant
from summaryrule.api.summary import RuleSummary, summarize
from summaryrule.api.unstructured import as_int, as_str, nested_dict


def explain(cluster: Kubectl, asked: argparse.Namespace, console: Console) -> int:
    """Print it; exit code 1 when something is held."""
    rule, now = cluster.rule(asked.name), console.now()
    found = list(held(rule, now))
    if asked.output in {"json", "yaml"}:
        console.say(output.dumped({"name": asked.name, "held": found}, asked.output))
    else:
        console.say(lines(summarize(rule, now), found, plain=console.plain))
    return 1 if found else 0


def held(rule: Rule, now: Instant) -> Iterator[dict[str, str]]:
    """Each reason with its message and what to do."""
    name = as_str(nested_dict(rule, "metadata").get("name"))
    for reason, message in dict(_reasons(rule, now)).items():
        yield {"reason": reason, "message": message, "advice": advice(reason, name)}


def _reasons(rule: Rule, now: Instant) -> Iterator[tuple[str, str]]:
    """The plan's, and those that only the worker can know; a failed backfill is in the plan's."""
    for trouble in summarize(rule, now).problems:
        if trouble.subject == "schedule":
            yield trouble.reason, trouble.message
    if not as_int(nested_dict(rule, "status").get("observedGeneration")):
        yield "NotSeen", "no worker has looked at this rule yet"
    for each in forecast(rule, now)["held"]:
        yield each["reason"], each["message"]


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
