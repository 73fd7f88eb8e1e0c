"""The data of the view of all rules: which rules match, what is wrong, how far each is.

A row of each rule is kept and made again only when its object has changed, so that an update costs
little for any number of rules and viewers.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Final

from summaryrule.api import timeline
from summaryrule.api.block_reason import BlockReason, remedy_for
from summaryrule.api.constants import ACTIVE_PHASES
from summaryrule.api.instant import MAX, MIN, TICKS_PER_SECOND, Instant
from summaryrule.api.ownership import Ownership
from summaryrule.api.schema_validation import MalformedError, parse_rule
from summaryrule.api.summary import (
    OVERDUE_FROM,
    Problem,
    RuleSummary,
    as_json,
    backfill_phase,
    count_in_flight,
    count_overdue,
    in_queue,
    overdue_from,
    readiness,
    reported_problems,
    summarize,
)
from summaryrule.api.unstructured import as_str, nested_dict
from worker.kube.store import Key
from worker.ports import RawRule
from worker.status_page.rule_query import RuleQuery

ROWS: Final = 50
"""Rules on a page."""
STRIP: Final = 40
"""Windows in the strip of a rule."""
ITEM_SECONDS: Final = 10
"""How long overdue windows and the strip of a rule that has not changed may be old."""
MOST_ITEMS: Final = 1_000
MOST_CHOICES: Final = 200
"""Namespaces and databases that the filters offer."""
GROUP_FROM: Final = 3
"""Rules that must share a problem to be shown as one group."""

_OWN: Final = re.compile(
    r"^\d+/\d+ windows, done until \S+; "
    r"|^\d+ (?:interval )?windows failed, the first \[[^)]*\): "
    r"|^window \[[^)]*\) failed: "
    r"|; submits wait \d+ s"
    r"|; window \[[^)]*\) waits for it$"
)
"""Parts of a message that differ between rules with the same problem."""
_DEFAULT: Final = Ownership()


def why_malformed(rule: RawRule) -> str:
    """Why the object cannot be read as a rule; empty if it can."""
    try:
        parse_rule(rule)
    except MalformedError as error:
        return str(error)
    return ""


def malformed_problem(rule: RawRule, ownership: Ownership) -> Problem | None:
    """The problem of an object that cannot be read, unless a worker has reported one."""
    if readiness(rule, ownership)[1] not in {"", BlockReason.NOT_SEEN}:
        return None
    why = why_malformed(rule)
    return Problem("schedule", BlockReason.MALFORMED.value, why) if why else None


def summarize_stored(rule: RawRule, now: Instant, ownership: Ownership) -> RuleSummary:
    """The summary of a raw object; one that cannot be read is ``Malformed``, not unseen."""
    summary, broken = summarize(rule, now, ownership), malformed_problem(rule, ownership)
    if broken is None:
        return summary
    problems = (broken, *summary.problems)
    return replace(summary, reason=broken.reason, message=broken.message, problems=problems)


@dataclass(frozen=True, slots=True)
class Row:
    """What filters, order and counts need of a rule; ``rule`` is the object that it is of.

    From the tick ``late_from`` on, the windows that are due are a problem too.
    """

    rule: RawRule
    name: str
    text: str
    namespace: str
    database: str
    labels: Mapping[str, Any]
    reasons: frozenset[str]
    problem: Problem | None
    has_backfill: bool
    late_from: int
    in_flight: int

    @classmethod
    def of(cls, rule: RawRule, ownership: Ownership) -> "Row":
        """The row of a raw object; a part of a wrong type counts as missing."""
        metadata, spec = nested_dict(rule, "metadata"), nested_dict(rule, "spec")
        namespace, database = as_str(metadata.get("namespace")), as_str(spec.get("database"))
        name = f"{namespace}/{as_str(metadata.get('name'))}"
        broken = malformed_problem(rule, ownership)
        problems = (broken,) if broken else tuple(reported_problems(rule, ownership))
        ready = broken.reason if broken else readiness(rule, ownership)[1]
        messages = " ".join(each.message for each in problems)
        table = as_str(spec.get("table"))
        return cls(
            rule=rule,
            name=name,
            text=f"{name} {database}.{table} {messages}".lower(),
            namespace=namespace,
            database=database,
            labels=nested_dict(metadata, "labels"),
            reasons=frozenset({ready, *(each.reason for each in problems)} - {""}),
            problem=problems[0] if problems else None,
            has_backfill=backfill_phase(rule) in ACTIVE_PHASES,
            in_flight=count_in_flight(rule),
            late_from=(overdue_from(rule, OVERDUE_FROM) or MAX).ticks,
        )

    def is_troubled(self, now: Instant) -> bool:
        """Whether the rule has a problem at ``now``."""
        return self.problem is not None or self.late_from <= now.ticks


def _matching(rows: Iterable[Row], query: RuleQuery, now: Instant) -> list[Row]:
    """The rows that the query shows, in their order."""
    found = list(rows)
    if query.show == "problem":
        found = [row for row in found if row.is_troubled(now)]
    if query.show == "backfill":
        found = [row for row in found if row.has_backfill]
    if query.namespace:
        found = [row for row in found if row.namespace == query.namespace]
    if query.database:
        found = [row for row in found if row.database == query.database]
    if query.reason:
        found = [row for row in found if query.reason in row.reasons]
    if query.label:
        key, _, value = query.label.partition("=")
        found = [row for row in found if key in row.labels and value in ("", row.labels[key])]
    if query.search:
        search = query.search.lower()
        found = [row for row in found if search in row.text]
    return found


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """All rows, those with a problem first, and what the view says of all of them.

    It is true until an object is replaced, and until the tick ``until``.
    """

    rules: list[RawRule]
    rows: list[Row]
    counts: Mapping[str, Any]
    until: int

    @classmethod
    def of(
        cls,
        rules: list[RawRule],
        before: "_Snapshot | None",
        now: Instant,
        ownership: Ownership,
    ) -> "_Snapshot":
        known = {} if before is None else {id(row.rule): row for row in before.rows}
        rows = [known.get(id(rule)) or Row.of(rule, ownership) for rule in rules]
        rows.sort(key=attrgetter("name"))
        rows.sort(key=lambda row: not row.is_troubled(now))
        counts = {
            "rules": len(rows),
            "backfills": sum(row.has_backfill for row in rows),
            "troubled": sum(row.is_troubled(now) for row in rows),
            "namespaces": _choices(row.namespace for row in rows),
            "databases": _choices(row.database for row in rows),
            "reasons": dict(Counter(reason for row in rows for reason in row.reasons)),
        }
        later = (row.late_from for row in rows if row.late_from > now.ticks)
        return cls(rules, rows, counts, min(later, default=MAX.ticks))


class RuleList:
    """The rules of the worker's cache, as rows."""

    def __init__(self, rules: Iterable[RawRule], ownership: Ownership = _DEFAULT) -> None:
        """``rules`` is iterated at each update; its objects are replaced, never changed.

        ``ownership`` says which of them the worker runs.
        """
        self._rules, self._ownership = rules, ownership
        self._snapshot = _Snapshot.of([], None, MIN, ownership)
        self._items: dict[str, tuple[Row, int, dict[str, Any]]] = {}

    def rows(self, now: Instant) -> list[Row]:
        """The rows of all rules, those with a problem at ``now`` first, then by name."""
        return self._update(now).rows

    def in_flight(self, now: Instant) -> int:
        """The windows of all rules that Kusto has accepted and that have not ended."""
        return sum(row.in_flight for row in self.rows(now))

    def find(self, namespace: str, name: str, now: Instant) -> RawRule | None:
        """The raw rule of this name."""
        wanted = f"{namespace}/{name}"
        return next((row.rule for row in self.rows(now) if row.name == wanted), None)

    def as_json(self, query: RuleQuery, now: Instant, ahead: Mapping[Key, int]) -> dict[str, Any]:
        """The view: counts of all rules, groups of problems, and one page of rules that match.

        A page beyond the last is the last. ``ahead`` gives the rules that wait in the queue.
        """
        snapshot = self._update(now)
        matching = _matching(snapshot.rows, query, now)
        if query.sort == "name":
            matching.sort(key=attrgetter("name"))
        if query.sort == "overdue":
            matching.sort(key=lambda row: (-count_overdue(row.rule, now), row.name))
        groups = _groups(matching)
        shared = {(group["reason"], group["message"]): group["count"] for group in groups}
        pages = max(1, -(-len(matching) // ROWS))
        page = min(max(query.page, 1), pages)
        shown = matching[(page - 1) * ROWS : page * ROWS]
        return {
            **snapshot.counts,
            "matched": len(matching),
            "page": page,
            "pages": pages,
            "groups": groups,
            "items": [
                {**self._item(row, now, ahead), "sharedBy": shared.get(_key(row.problem), 0)}
                for row in shown
            ],
        }

    def _item(self, row: Row, now: Instant, ahead: Mapping[Key, int]) -> dict[str, Any]:
        """One row of the view, made again when its rule changes, and after some seconds."""
        place = ahead.get((row.namespace, row.name.partition("/")[2]))
        if place is not None:
            summary = summarize_stored(row.rule, now, self._ownership)
            return _make_item(in_queue(summary, place), row, now)
        period = now.ticks // (ITEM_SECONDS * TICKS_PER_SECOND)
        made_of, made_in, item = self._items.get(row.name, (None, 0, {}))
        if made_of is row and made_in == period:
            return item
        if len(self._items) >= MOST_ITEMS:
            self._items.clear()
        item = _make_item(summarize_stored(row.rule, now, self._ownership), row, now)
        self._items[row.name] = (row, period, item)
        return item

    def _update(self, now: Instant) -> _Snapshot:
        rules, last = list(self._rules), self._snapshot
        if rules != last.rules or now.ticks >= last.until:
            self._snapshot = _Snapshot.of(rules, last, now, self._ownership)
        return self._snapshot


def cause(problem: Problem) -> str:
    """The message without the windows of its rule."""
    return _OWN.sub("", problem.message)


def _key(problem: Problem | None) -> tuple[str, str]:
    """What rules with the same problem have in common."""
    return ("", "") if problem is None else (problem.reason, cause(problem))


def _choices(values: Iterable[str]) -> list[str]:
    return sorted(set(values) - {""})[:MOST_CHOICES]


def _make_item(summary: RuleSummary, row: Row, now: Instant) -> dict[str, Any]:
    strip = timeline.strip(timeline.lanes(row.rule, now), now, STRIP)
    first = cause(summary.problems[0]) if summary.problems else ""
    return {**as_json(summary), "cause": first, "strip": strip}


def _groups(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Problems that several rules share, the most frequent first, without each one's window."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.problem is not None:
            found.setdefault(_key(row.problem), []).append(row.name)
    shared = [(key, names) for key, names in found.items() if len(names) >= GROUP_FROM]
    return [
        {
            "reason": reason,
            "message": message,
            "count": len(names),
            "remedy": remedy_for(reason, "NAME"),
        }
        for (reason, message), names in sorted(shared, key=lambda each: -len(each[1]))
    ]
