"""What this worker knows, as plain data for ``worker.page``: a page of rules, counts, endpoints.

Read from the mirror at each request, so there is nothing to keep in step. A look costs a few
microseconds a rule, and only the rules of the page shown are read in full.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import parse_qs

from summaryrule.api.instant import Instant
from summaryrule.api.summary import RuleSummary, as_json, backfill_phase, has_problem, summarize
from summaryrule.api.unstructured import as_str, nested_dict
from worker.ports import Clock, Rule

ROWS: Final = 50
"""Rules on a page."""

LONGEST_SEARCH: Final = 100
ACTIVE: Final = frozenset({"Pending", "Running", "Paused", "Failed"})

Show = Literal["all", "backfill", "problem"]
SHOWS: Final[tuple[Show, ...]] = ("all", "backfill", "problem")


@dataclass(frozen=True, slots=True)
class Query:
    """Which rules to show: those whose ``namespace/name`` contains ``search``, page from 1."""

    search: str = ""
    show: Show = "all"
    page: int = 1
    refresh: bool = True

    @classmethod
    def parse(cls, raw: str) -> "Query":
        """Read a URL's query; what makes no sense is left out."""
        try:
            fields = parse_qs(raw, max_num_fields=8)
        except ValueError:
            return cls()
        given = {name: values[-1] for name, values in fields.items()}
        page = given.get("page", "1")
        return cls(
            search=given.get("search", "")[:LONGEST_SEARCH].strip(),
            show=next((show for show in SHOWS if show == given.get("show")), "all"),
            page=int(page) if page.isascii() and page.isdecimal() and len(page) < 7 else 1,  # noqa: PLR2004
            refresh=given.get("refresh") != "off",
        )


@dataclass(frozen=True, slots=True)
class View:
    """One answer: the counts are of all rules, ``matched`` of those that the query chose."""

    at: Instant
    identity: str
    leads: bool
    query: Query
    total: int
    backfills: int
    troubled: int
    matched: int
    pages: int
    rows: tuple[RuleSummary, ...]
    endpoints: Mapping[str, str | None]

    def as_json(self) -> dict[str, Any]:
        """What ``/status.json`` answers."""
        return {
            "at": str(self.at),
            "identity": self.identity,
            "leads": self.leads,
            "rules": self.total,
            "backfills": self.backfills,
            "troubled": self.troubled,
            "matched": self.matched,
            "page": self.query.page,
            "pages": self.pages,
            "endpoints": [
                {"url": url, "trouble": trouble} for url, trouble in sorted(self.endpoints.items())
            ],
            "items": [as_json(row) for row in self.rows],
        }


@dataclass(frozen=True, slots=True)
class Board:
    """The sources: the mirror of rules, the clock, this process and its endpoints."""

    rules: Iterable[Rule]
    clock: Clock
    identity: str
    leads: Callable[[], bool]
    endpoints: Callable[[], Mapping[str, str | None]]

    def view(self, query: Query) -> View:
        """What to show for a query; a page beyond the last is the last."""
        now = Instant(self.clock.now())
        every = list(self.rules)
        troubled = {id(rule) for rule in every if has_problem(rule)}
        active = {id(rule) for rule in every if backfill_phase(rule) in ACTIVE}
        chosen = {"all": None, "backfill": active, "problem": troubled}[query.show]
        matching = [
            (key, rule)
            for rule in every
            if (chosen is None or id(rule) in chosen) and query.search in (key := _key(rule))
        ]
        matching.sort(key=lambda pair: pair[0])
        pages = max(1, -(-len(matching) // ROWS))
        page = min(max(query.page, 1), pages)
        return View(
            at=now,
            identity=self.identity,
            leads=self.leads(),
            query=Query(query.search, query.show, page, query.refresh),
            total=len(every),
            backfills=len(active),
            troubled=len(troubled),
            matched=len(matching),
            pages=pages,
            rows=tuple(
                summarize(rule, now) for _, rule in matching[(page - 1) * ROWS : page * ROWS]
            ),
            endpoints=self.endpoints(),
        )


def _key(rule: Rule) -> str:
    metadata = nested_dict(rule, "metadata")
    return f"{as_str(metadata.get('namespace'))}/{as_str(metadata.get('name'))}"
