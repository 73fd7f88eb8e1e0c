"""The data of the view of all rules: which rules match, what is wrong, how far each is.

A row of each rule is kept and made again only when its object has changed, so that an update costs
little for any number of rules and viewers.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Literal
from urllib.parse import parse_qs

from summaryrule.api import timeline
from summaryrule.api.block_reason import remedy_for
from summaryrule.api.constants import ACTIVE_PHASES
from summaryrule.api.instant import MAX, MIN, TICKS_PER_SECOND, Instant
from summaryrule.api.ownership import Ownership
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

ROWS: Final = 50
"""Rules on a page."""
STRIP: Final = 40
"""Windows in the strip of a rule."""
ITEM_SECONDS: Final = 10
"""How long overdue windows and the strip of a rule that has not changed may be old."""
MOST_ITEMS: Final = 1_000
LONGEST_TEXT: Final = 200
MOST_CHOICES: Final = 200
"""Namespaces and databases that the filters offer."""
GROUP_FROM: Final = 3
"""Rules that must share a problem to be shown as one group."""

Show = Literal["all", "backfill", "problem"]
Sort = Literal["problem", "name", "overdue"]
SHOWS: Final[tuple[Show, ...]] = ("all", "backfill", "problem")
SORTS: Final[tuple[Sort, ...]] = ("problem", "name", "overdue")
_WINDOW: Final = re.compile(r"^.*?\[[^)]*\)[:,]? *")
_MOST_PAGE_DIGITS: Final = 6
_DEFAULT: Final = Ownership()


@dataclass(frozen=True, slots=True)
class RuleQuery:
    """Which rules to show, in which order, and which page of them (from 1).

    A rule matches if ``search`` is in its ``namespace/name``, ``database.table`` or problem, in
    upper or lower case, and if its other fields are equal to those given. ``label`` is ``key`` or
    ``key=value``. ``reason`` is the reason of the condition ``Ready``, or of a problem.
    """

    search: str = ""
    show: Show = "all"
    namespace: str = ""
    database: str = ""
    label: str = ""
    reason: str = ""
    sort: Sort = "problem"
    page: int = 1

    @classmethod
    def parse(cls, raw: str) -> "RuleQuery":
        """Parse the query of a URL; invalid parts are ignored."""
        given = parse_parameters(raw)
        page = given.get("page", "1")
        is_number = page.isascii() and page.isdecimal() and len(page) <= _MOST_PAGE_DIGITS
        return cls(
            search=given.get("search", "").strip(),
            show=next((show for show in SHOWS if show == given.get("show")), "all"),
            namespace=given.get("namespace", ""),
            database=given.get("database", ""),
            label=given.get("label", "").strip(),
            reason=given.get("reason", ""),
            sort=next((sort for sort in SORTS if sort == given.get("sort")), "problem"),
            page=int(page) if is_number else 1,
        )


def parse_parameters(raw: str) -> dict[str, str]:
    """The parameters of a URL's query by name, the last of each; none if it cannot be read."""
    try:
        fields = parse_qs(raw, max_num_fields=16)
    except ValueError:
        return {}
    return {name: values[-1][:LONGEST_TEXT] for name, values in fields.items()}


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
        problems = tuple(reported_problems(rule, ownership))
        ready = readiness(rule, ownership)[1]
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
        pages = max(1, -(-len(matching) // ROWS))
        page = min(max(query.page, 1), pages)
        shown = matching[(page - 1) * ROWS : page * ROWS]
        return {
            **snapshot.counts,
            "matched": len(matching),
            "page": page,
            "pages": pages,
            "groups": _groups(matching),
            "items": [self._item(row, now, ahead) for row in shown],
        }

    def _item(self, row: Row, now: Instant, ahead: Mapping[Key, int]) -> dict[str, Any]:
        """One row of the view, made again when its rule changes, and after some seconds."""
        place = ahead.get((row.namespace, row.name.partition("/")[2]))
        if place is not None:
            return _make_item(in_queue(summarize(row.rule, now, self._ownership), place), row, now)
        period = now.ticks // (ITEM_SECONDS * TICKS_PER_SECOND)
        made_of, made_in, item = self._items.get(row.name, (None, 0, {}))
        if made_of is row and made_in == period:
            return item
        if len(self._items) >= MOST_ITEMS:
            self._items.clear()
        item = _make_item(summarize(row.rule, now, self._ownership), row, now)
        self._items[row.name] = (row, period, item)
        return item

    def _update(self, now: Instant) -> _Snapshot:
        rules, last = list(self._rules), self._snapshot
        if rules != last.rules or now.ticks >= last.until:
            self._snapshot = _Snapshot.of(rules, last, now, self._ownership)
        return self._snapshot


def _choices(values: Iterable[str]) -> list[str]:
    return sorted(set(values) - {""})[:MOST_CHOICES]


def _make_item(summary: RuleSummary, row: Row, now: Instant) -> dict[str, Any]:
    strip = timeline.strip(timeline.lanes(row.rule, now), now, STRIP)
    return {**as_json(summary), "strip": strip}


def _groups(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Problems that several rules share, the most frequent first, without each one's window."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.problem is not None:
            cause = _WINDOW.sub("", row.problem.message)
            found.setdefault((row.problem.reason, cause), []).append(row.name)
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
