"""The rules that the demo applies: one valid rule and three that must be refused."""

import copy
from typing import Any, Final

import yaml

from devstack.demo.telemetry import TABLE
from summaryrule.api.duration import Duration
from summaryrule.api.instant import TICKS_PER_DAY, Instant
from summaryrule.api.windows import WindowSequence, floor, windows_between

NAME: Final = "api-requests-hourly"
SUMMARY: Final = "ApiserverRequestsHourly"
HOUR: Final = Duration(3_600_000_000_000)
_OFFSET_TICKS: Final = 17 * 60 * 10_000_000
AGGREGATION: Final = """\
| extend Verb = tostring(Labels.verb), Resource = tostring(Labels.resource)
| extend Code = tostring(Labels.code)
| summarize Samples = count(), Requests = max(Value) - min(Value)
  by Timestamp = bin(Timestamp, 1h), Verb, Resource, Code"""
WRONG_AGGREGATION: Final = AGGREGATION.replace("max(Value) - min(Value)", "max(Value)")
"""The same with a mistake: the value is a counter, so its maximum is not a number of requests."""


def valid(now: Instant) -> dict[str, Any]:
    """Return an hourly rule with a 72-hour backfill whose bounds are not on the hour.

    It ends before the schedule's first window, so that no window is computed twice.
    """
    start = floor(now, HOUR).plus(-75 * HOUR.ticks + _OFFSET_TICKS)
    return _rule(NAME, "1h", {"start": str(start), "end": str(start.plus(72 * HOUR.ticks))})


def windows(rule: dict[str, Any]) -> WindowSequence:
    """Return the windows of the rule's backfill."""
    backfill = rule["spec"]["backfill"]
    return windows_between(Instant.parse(backfill["start"]), Instant.parse(backfill["end"]), HOUR)


def backwards(now: Instant) -> dict[str, Any]:
    """Return a rule whose backfill starts when it ends."""
    start = str(floor(now.plus(-TICKS_PER_DAY), HOUR))
    return _rule("start-is-not-before-end", "1h", {"start": start, "end": start})


def too_old(now: Instant) -> dict[str, Any]:
    """Return a rule whose backfill starts 31 days ago."""
    start = floor(now.plus(-31 * TICKS_PER_DAY), HOUR)
    backfill = {"start": str(start), "end": str(floor(now, HOUR))}
    return _rule("start-is-31-days-ago", "1h", backfill)


def interval_in_days(_now: Instant) -> dict[str, Any]:
    """Return a rule whose interval is written in days."""
    return _rule("interval-in-days", "1d", None)


def corrected(rule: dict[str, Any], now: Instant) -> dict[str, Any]:
    """Return the rule with its mistake corrected, and a request for all windows until now."""
    fixed = copy.deepcopy(rule)
    fixed["spec"]["body"] = _body(AGGREGATION)
    until = str(floor(now, HOUR))
    fixed["spec"]["backfill"] |= {"end": until, "requestId": "counter-fix", "maxInFlight": 8}
    return fixed


def _body(aggregation: str) -> str:
    return f"{TABLE}\n| where Timestamp between (_startTime .. _endTime)\n{aggregation}\n"


def direct_query(start: Instant, end: Instant, aggregation: str) -> str:
    """Return an aggregation over the raw table, for all of `[start, end)` at once."""
    bounds = f"between (datetime({start}) .. datetime({end.plus(-1)}))"
    return f"{TABLE}\n| where Timestamp {bounds}\n{aggregation}"


def as_yaml(rule: dict[str, Any]) -> str:
    """Return the manifest as YAML."""
    return yaml.safe_dump(copy.deepcopy(rule), sort_keys=False)


def _rule(name: str, interval: str, backfill: dict[str, str] | None) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "database": "Telemetry",
        "table": SUMMARY,
        "interval": interval,
        "body": _body(WRONG_AGGREGATION),
        "writeMode": "Replace",
    }
    if backfill is not None:
        spec["backfill"] = backfill
    return {
        "apiVersion": "adx-mon.azure.com/v1",
        "kind": "SummaryRule",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }
