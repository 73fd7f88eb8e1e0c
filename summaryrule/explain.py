"""The plan in a form for people and scripts: what ``worker plan`` prints (design, section 12)."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice, takewhile
from typing import Any, Final

from summaryrule import kql, remaining
from summaryrule.agenda import Plan
from summaryrule.estimate import estimates
from summaryrule.identity import schedule_key, token
from summaryrule.instant import Instant
from summaryrule.settings import Settings
from summaryrule.v1 import BackfillStatus, SummaryRule
from summaryrule.windows import Window, is_due

LIMIT: Final = 1_000


def explain(rule: SummaryRule, planned: Plan, now: Instant, settings: Settings) -> dict[str, Any]:
    """Every due window of the plan, oldest first, the first 1,000 of each kind, and its holds."""
    intervals = planned.due if planned.due is not None else ()
    past = planned.backfill
    waiting = (
        chain(_again(rule, past, now), _due(rule, past, now)) if past is not None else iter(())
    )
    key = past.request_key if past is not None else ""
    shown = list(islice(waiting, LIMIT))
    beyond = sum(1 for _ in waiting)
    counts = {"interval": len(intervals), "backfill": len(shown) + beyond}
    more = max(0, len(intervals) - LIMIT) + beyond
    return {
        "name": rule.metadata.name,
        "count": counts,
        "estimate": estimates(rule, planned, counts, settings),
        "held": [{"reason": held.reason, "message": held.message} for held in planned.held],
        "interval": [
            _window(rule, window, schedule_key(rule), settings) for window in intervals[:LIMIT]
        ],
        "backfill": [_window(rule, window, key, settings) for window in shown],
        **({"more": more} if more else {}),
    }


def _again(rule: SummaryRule, past: BackfillStatus, now: Instant) -> Iterator[Window]:
    """Windows that the same request left unfinished when it ended, not yet taken up again."""
    stored = rule.status.backfill if rule.status is not None else None
    taken = {window.token for window in stored.in_flight} if stored is not None else set()
    for window in past.in_flight:
        if window.token not in taken and is_due(window.window, now, rule.spec.ingestion_delay):
            yield window.window


def _due(rule: SummaryRule, past: BackfillStatus, now: Instant) -> Iterable[Window]:
    delay = rule.spec.ingestion_delay
    windows = remaining.outstanding(past, rule.spec.interval)
    return takewhile(lambda window: is_due(window, now, delay), windows)


def _window(rule: SummaryRule, window: Window, key: str, settings: Settings) -> Mapping[str, str]:
    name = token(rule, key, window.start)
    return {
        "start": str(window.start),
        "end": str(window.end),
        "queryEnd": str(window.query_end),
        "command": kql.command(rule.spec, window, settings.labels, token=name),
        "token": name,
    }
