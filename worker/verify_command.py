"""``worker verify``: whether the table of a rule has each window once, asked of Kusto."""

import asyncio
import json
import os
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, get_args

from runtime import clock
from runtime.clock import SystemClock
from runtime.errors import InvalidQuery
from summaryrule.api import timeline
from summaryrule.api.constants import LOOKBACK_DAYS
from summaryrule.api.instant import TICKS_PER_DAY, Instant
from summaryrule.api.schema_validation import parse_rule
from summaryrule.api.v1 import SummaryRule
from summaryrule.api.windows import Window, WindowSequence, ceil, floor
from summaryrule.kql import quote_name
from summaryrule.verification import (
    WRONG,
    Extent,
    WindowCheck,
    WindowState,
    check_windows,
    droppable_tokens,
)
from summaryrule.window_command import bind_variables, ingest_tag
from worker.cli import labels
from worker.kusto.config import parse_endpoints
from worker.kusto.connect import connect_kusto
from worker.kusto.requests import KustoRequests
from worker.ports import RawRule
from worker.rule_sources import patch_rule, read_rules

MOST_QUERIES: Final = 200
"""Windows whose query is run to tell an empty window from a missing one."""
AT_ONCE: Final = 4
_QUIET: Final = frozenset({"once", "empty", "not covered"})
"""States of windows that are counted and not listed."""


@dataclass(frozen=True, slots=True)
class Report:
    """The checks of one rule's windows, and the extents that they were compared with."""

    rule: SummaryRule
    checks: Sequence[WindowCheck]
    extents: Sequence[Extent]

    @property
    def is_right(self) -> bool:
        """Whether no window is missing, there more than once, or failed."""
        return not any(check.state in WRONG for check in self.checks)


def run(options: Namespace) -> int:
    """Print the reports; return 0, or 1 if a window is wrong.

    Raises:
        ValueError: a file or an option cannot be read, or there is no such rule or endpoint.
        OperatorError: the cluster or Kusto cannot be asked, or does not allow it.
    """
    rules = list(read_rules([*options.rules, *options.file], options.namespace, "worker verify"))
    reports = asyncio.run(_verify(rules, options, os.environ))
    if options.output == "json":
        print(json.dumps([as_json(each) for each in reports], indent=2))  # noqa: T201
    else:
        for each in reports:
            for line in as_text(each):
                print(line)  # noqa: T201 - a command prints
    if options.repair:
        for raw, each in zip(rules, reports, strict=True):
            line = _repair(raw, each, do=options.yes)
            if line:
                print(line, file=sys.stderr)  # noqa: T201
    return 0 if all(each.is_right for each in reports) else 1


async def _verify(
    rules: Iterable[RawRule], options: Namespace, environ: Mapping[str, str]
) -> list[Report]:
    endpoints = parse_endpoints(
        options.kusto_endpoint or _from_environment(environ),
        allow_plain_http=options.allow_plain_http,
    )
    found = labels(options.cluster_label, "--cluster-label")
    async with connect_kusto(endpoints, options.kusto_credential, environ, SystemClock()) as kusto:
        return [await verify(each, kusto, options.since, options.until, found) for each in rules]


def _from_environment(environ: Mapping[str, str]) -> list[str]:
    """The endpoint that KUSTO_DATABASE and KUSTO_ENDPOINT name, as the local stack sets them."""
    database, url = environ.get("KUSTO_DATABASE"), environ.get("KUSTO_ENDPOINT")
    return [f"{database}={url}"] if database and url else []


async def verify(
    raw: RawRule,
    kusto: KustoRequests,
    since: Instant | None,
    until: Instant | None,
    cluster_labels: Mapping[str, str],
) -> Report:
    """Check the windows of one rule that lie in ``[since, until)``.

    The default is what status knows of the last 30 days.

    Raises:
        MalformedError: the object is not a valid rule.
        OperatorError: Kusto cannot be asked, or does not allow it.
    """
    rule, now = parse_rule(raw), clock.now()
    lanes = timeline.lanes(raw, now)
    windows = _windows(rule, lanes, since, until, now)
    database, table = rule.spec.database, rule.spec.table
    extents = await kusto.list_extents(database, table, windows.start, windows.end)
    checks = check_windows(rule, lanes, extents, windows)
    empty = await _empty_windows(rule, checks, kusto, cluster_labels)
    checks = [
        WindowCheck(each.window, "empty") if each.window in empty else each for each in checks
    ]
    return Report(rule, checks, extents)


def _windows(
    rule: SummaryRule,
    lanes: Sequence[timeline.Lane],
    since: Instant | None,
    until: Instant | None,
    now: Instant,
) -> WindowSequence:
    """The whole windows in ``[since, until)``, by default those that status knows."""
    interval = rule.spec.interval
    known = [each for lane in lanes for each in lane.segments]
    earliest = now.plus(-LOOKBACK_DAYS * TICKS_PER_DAY)
    first = since or max(min((each.start for each in known), default=earliest), earliest)
    last = until or min(max((each.end for each in known), default=now), now)
    return WindowSequence(ceil(first, interval), floor(last, interval), interval)


async def _empty_windows(
    rule: SummaryRule,
    checks: Iterable[WindowCheck],
    kusto: KustoRequests,
    cluster_labels: Mapping[str, str],
) -> set[Window]:
    """Of the missing windows, at most 200 asked, those whose query has no rows now."""
    missing = [each.window for each in checks if each.state == "missing"][:MOST_QUERIES]
    slots = asyncio.Semaphore(AT_ONCE)

    async def is_empty(window: Window) -> bool:
        query = bind_variables(rule.spec.body, window, cluster_labels)
        async with slots:
            try:
                return not await kusto.has_rows(rule.spec.database, query)
            except InvalidQuery:
                return False

    answers = await asyncio.gather(*map(is_empty, missing))
    return {window for window, empty in zip(missing, answers, strict=True) if empty}


def as_json(report: Report) -> dict[str, Any]:
    """Counts of each state, and an item for each window that is wrong or worth a look."""
    counts = Counter(check.state for check in report.checks)
    return {
        "name": report.rule.metadata.name,
        "namespace": report.rule.metadata.namespace,
        "windows": len(report.checks),
        **{_camel(state): counts[state] for state in get_args(WindowState)},
        "items": [
            {
                "start": str(check.window.start),
                "end": str(check.window.end),
                "state": check.state,
                "tokens": list(check.tokens),
                "repair": repair(report, [check]),
            }
            for check in report.checks
            if check.state not in _QUIET
        ],
    }


def _camel(state: str) -> str:
    first, _, second = state.partition(" ")
    return first + second.title()


def as_text(report: Report) -> Iterator[str]:
    """A summary line, then a line for each range of equal states, with what to do."""
    yield f"{report.rule.metadata.name}: {summary_line(report.checks)}"
    for state, group in groupby(report.checks, key=lambda check: check.state):
        if state in _QUIET:
            continue
        checks = list(group)
        count = f" ({len(checks)} windows)" if len(checks) > 1 else ""
        yield f"  {state:8} [{checks[0].window.start}, {checks[-1].window.end}){count}"
        found = repair(report, checks)
        if found:
            yield f"           do: {found}"


def summary_line(checks: Sequence[WindowCheck]) -> str:
    """The number of windows and of each state, as ``720 windows: 718 once, 1 missing, 1 twice``."""
    counts = Counter(check.state for check in checks)
    parts = [f"{counts[state]} {state}" for state in get_args(WindowState) if counts[state]]
    return f"{len(checks)} windows: {', '.join(parts) or 'none'}"


def repair(report: Report, checks: Sequence[WindowCheck]) -> str:
    """The command that repairs neighbouring windows of one state; empty where there is none."""
    state, start, end = checks[0].state, checks[0].window.start, checks[-1].window.end
    name, namespace = report.rule.metadata.name, report.rule.metadata.namespace
    target = f"{name} -n {namespace}" if namespace else name
    if state == "missing" or (state == "twice" and report.rule.spec.replaces):
        again = f"--request-id {_request_id(start)}"
        return f"kubectl summaryrule backfill {target} --start {start} --end {end} {again}"
    if state == "failed":
        windows = " ".join(f"--window {each.window.start}" for each in checks)
        return f"kubectl summaryrule retry {target} {windows}"
    if state == "twice":
        return _drop_command(report, checks)
    return ""


def _repair(raw: RawRule, report: Report, *, do: bool) -> str:
    """Request one backfill that replaces each wrong window; what was or would be requested.

    It covers the range from the first wrong window to the last: mode Replace computes windows that
    are right again, and they stay right.

    Raises:
        ValueError: the rule is not in mode Replace, or has a backfill already.
        OperatorError: the cluster cannot be asked, or refuses the request.
    """
    name = report.rule.metadata.name
    wrong = [each.window for each in report.checks if each.state in {"missing", "twice"}]
    if not wrong:
        return ""
    if not report.rule.spec.replaces:
        raise ValueError(f"--repair needs writeMode: Replace, which {name} does not have;"
            " run the commands above instead")  # fmt: skip
    if report.rule.spec.backfill is not None:
        raise ValueError(f"{name} has a backfill: wait until it has ended, then verify again")
    start, end = wrong[0].start, wrong[-1].end
    backfill = {"start": str(start), "end": str(end), "requestId": _request_id(clock.now())}
    if not do:
        return f"{name}: would request a backfill of [{start}, {end}); add --yes to request it"
    patch_rule(raw, {"spec": {"backfill": backfill}})
    return f"{name}: requested a backfill of [{start}, {end})"


def _request_id(at: Instant) -> str:
    """A requestId that is new, for a time."""
    return f"verify-{at.to_seconds().replace(':', '').lower()}"


def _drop_command(report: Report, checks: Sequence[WindowCheck]) -> str:
    """The Kusto command that drops the rows of all runs but the first of each window."""
    tokens = [token for each in checks for token in droppable_tokens(each, report.extents)]
    if len(tokens) < sum(len(each.tokens) - 1 for each in checks):
        return (
            "Kusto has merged the extents of these windows with others: delete the rows of their"
            " time (.delete), then backfill it with a new requestId"
        )
    table = quote_name(report.rule.spec.table)
    has = " or ".join(f"Tags has '{ingest_tag(token)}'" for token in tokens)
    return f".drop extents <| .show table {table} extents | where {has}"
