"""The plan in a form for people and scripts: what ``worker plan`` prints (design, section 12)."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

from summaryrule import backfill, kql
from summaryrule.identity import SCHEDULE_KEY, token
from summaryrule.instant import Instant
from summaryrule.plan import Plan
from summaryrule.settings import Settings
from summaryrule.v1 import SummaryRule
from summaryrule.windows import Window, is_due

LIMIT: Final = 1_000


def explain(rule: SummaryRule, planned: Plan, now: Instant, settings: Settings) -> dict[str, Any]:
    """Every due window of the plan, oldest first, the first 1,000 of each kind, and its holds."""
    intervals = planned.due if planned.due is not None else ()
    past = planned.backfill
    remaining: Iterable[Window] = ()
    if past is not None:
        delay = rule.spec.ingestion_delay
        outstanding = backfill.outstanding(past, rule.spec.interval)
        remaining = (window for window in outstanding if is_due(window, now, delay))
    key = past.request_key if past is not None else ""
    runs, more_runs = _listed(rule, intervals, SCHEDULE_KEY, settings)
    past_runs, more_past = _listed(rule, remaining, key, settings)
    more = more_runs + more_past
    return {
        "name": rule.metadata.name,
        "held": [{"reason": held.reason, "message": held.message} for held in planned.held],
        "interval": runs,
        "backfill": past_runs,
        **({"more": more} if more else {}),
    }


def _listed(
    rule: SummaryRule, windows: Iterable[Window], key: str, settings: Settings
) -> tuple[list[Mapping[str, str]], int]:
    rest = iter(windows)
    shown = [_window(rule, window, key, settings) for window in islice(rest, LIMIT)]
    return shown, sum(1 for _ in rest)


def _window(rule: SummaryRule, window: Window, key: str, settings: Settings) -> Mapping[str, str]:
    name = token(rule, key, window.start)
    return {
        "start": str(window.start),
        "end": str(window.end),
        "queryEnd": str(window.query_end),
        "command": kql.command(rule.spec, window, settings.labels, token=name),
        "token": name,
    }
