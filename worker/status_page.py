"""The status page: its data (also as JSON) and its HTML.

The data is read from the store at each request. That costs a few microseconds per rule; only the
rules of the shown page are read in full.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import Any, Final, Literal
from urllib.parse import parse_qs, urlencode

from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.summary import (
    BackfillSummary,
    RuleSummary,
    as_json,
    backfill_phase,
    format_duration,
    has_problem,
    in_queue,
    summarize,
)
from summaryrule.api.unstructured import as_str, nested_dict
from worker.health_server import Handler, Reply
from worker.kube.store import Key
from worker.kusto.health import EndpointHealth
from worker.ports import Clock, RawRule

ROWS: Final = 50
"""Rules on a page."""

LONGEST_SEARCH: Final = 100
ACTIVE: Final = frozenset({"Pending", "Running", "Paused", "Failed"})

Show = Literal["all", "backfill", "problem"]
SHOWS: Final[tuple[Show, ...]] = ("all", "backfill", "problem")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which rules to show: those whose ``namespace/name`` contains ``search``, page from 1."""

    search: str = ""
    show: Show = "all"
    page: int = 1
    refresh: bool = True

    @classmethod
    def parse(cls, raw: str) -> "PageQuery":
        """Parse the query of a URL; invalid parts are ignored."""
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
class PageData:
    """The data of one page: counts of all rules, and ``matched``, the rules that match."""

    at: Instant
    identity: str
    leads: bool
    query: PageQuery
    total: int
    backfills: int
    troubled: int
    matched: int
    pages: int
    rows: tuple[RuleSummary, ...]
    endpoints: Mapping[str, EndpointHealth]

    def as_json(self) -> dict[str, Any]:
        """The body of ``/status.json``."""
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
                {"url": url, **health.as_json()} for url, health in sorted(self.endpoints.items())
            ],
            "items": [as_json(row) for row in self.rows],
        }


@dataclass(frozen=True, slots=True)
class StatusPage:
    """The sources of the page: the store, the clock, this process, its endpoints and its queue.

    ``ahead`` gives the rules that wait, each with the number of rules before it.
    """

    rules: Iterable[RawRule]
    clock: Clock
    identity: str
    leads: Callable[[], bool]
    endpoints: Callable[[], Mapping[str, EndpointHealth]]
    ahead: Callable[[], Mapping[Key, int]] = dict

    def data(self, query: PageQuery) -> PageData:
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
        return PageData(
            at=now,
            identity=self.identity,
            leads=self.leads(),
            query=PageQuery(query.search, query.show, page, query.refresh),
            total=len(every),
            backfills=len(active),
            troubled=len(troubled),
            matched=len(matching),
            pages=pages,
            rows=tuple(self._summaries(matching[(page - 1) * ROWS : page * ROWS], now)),
            endpoints=self.endpoints(),
        )

    def _summaries(
        self, shown: Iterable[tuple[str, RawRule]], now: Instant
    ) -> Iterator[RuleSummary]:
        ahead = self.ahead()
        for _, rule in shown:
            summary = summarize(rule, now)
            place = ahead.get((summary.namespace, summary.name))
            yield summary if place is None else in_queue(summary, place)


def _key(rule: RawRule) -> str:
    metadata = nested_dict(rule, "metadata")
    return f"{as_str(metadata.get('namespace'))}/{as_str(metadata.get('name'))}"


_HTML: Final = "text/html; charset=utf-8"
_JSON: Final = "application/json"
_REFRESH: Final = 5
"""Seconds between two loads of the page."""

_LONGEST_MESSAGE: Final = 500

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8883; --soft: #8889; --good: #1a7f37; --bad: #cf222e;
  --busy: #0969da; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #ff7b72; --busy: #58a6ff; } }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 86rem;
  padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; } header { display: flex; flex-wrap: wrap; gap: .3rem 1.5rem;
  align-items: baseline; }
form, nav { margin: 1rem 0; display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .45rem .9rem .45rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
thead th { font-weight: 600; } tbody th { font-weight: 600; }
td:nth-of-type(2) { min-width: 25rem; }
small { color: GrayText; display: block; font-weight: 400; }
progress { width: 9rem; vertical-align: middle; }
.good { color: var(--good); } .bad { color: var(--bad); } .busy { color: var(--busy); }
input, select, button { font: inherit; padding: .2rem .5rem; }
footer { margin-top: 2rem; color: GrayText; }
"""


def routes(page: StatusPage) -> Mapping[str, Handler]:
    """The handlers by path."""

    def html(query: str) -> Reply:
        return HTTPStatus.OK, _HTML, "".join(render_page(_page_data(page, query))).encode()

    def data(query: str) -> Reply:
        body = json.dumps(_page_data(page, query).as_json(), ensure_ascii=False)
        return HTTPStatus.OK, _JSON, body.encode()

    return {"/": html, "/status.json": data}


def _page_data(page: StatusPage, query: str) -> PageData:
    return page.data(PageQuery.parse(query))


def render_page(data: PageData) -> Iterator[str]:
    """The page, piece by piece."""
    reload = f'<meta http-equiv="refresh" content="{_REFRESH}">' if data.query.refresh else ""
    yield (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
        " style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{reload}<title>SummaryRules</title><style>{_STYLE}</style></head><body>"
    )
    yield from _render_head(data)
    yield from _render_endpoints(data.endpoints)
    yield _render_search(data.query)
    yield from _render_table(data)
    yield _render_pagination(data)
    yield from _render_footer(data)
    yield "</body></html>\n"


def _render_head(data: PageData) -> Iterator[str]:
    role = '<span class="good">leads</span>' if data.leads else "stands by"
    yield f"<header><h1>SummaryRules</h1><span>{data.total} rules</span>"
    yield f"<span>{data.backfills} backfills under way</span>"
    kind = "bad" if data.troubled else "good"
    yield f'<span class="{kind}">{data.troubled} with a problem</span>'
    yield f"<span>{escape(data.identity)} {role}</span></header>"


def _render_endpoints(endpoints: Mapping[str, EndpointHealth]) -> Iterator[str]:
    marks = {"answering": ("good", "●"), "failing": ("bad", "▲"), "unknown": ("", "○")}
    for url, health in sorted(endpoints.items()):
        kind, mark = marks[health.state]
        text = f"{url} {health}"
        yield f'<p class="{kind}">{mark} {_shorten(text)}</p>'


def _render_search(query: PageQuery) -> str:
    names = {"all": "all rules", "backfill": "with a backfill", "problem": "with a problem"}
    choices = "".join(
        f'<option value="{value}"{" selected" if value == query.show else ""}>{name}</option>'
        for value, name in names.items()
    )
    keep = "" if query.refresh else '<input type="hidden" name="refresh" value="off">'
    return (
        '<form role="search"><label>Name contains <input type="search" name="search"'
        f' value="{escape(query.search)}"></label>'
        f'<label>Show <select name="show">{choices}</select></label>{keep}'
        "<button>Show</button></form>"
    )


def _render_table(data: PageData) -> Iterator[str]:
    if not data.rows:
        yield "<p>No rule matches.</p>" if data.total else "<p>There are no rules yet.</p>"
        return
    yield '<div class="scroll"><table><thead><tr>'
    for head in ("Rule", "Last window", "Backfill", "Problem"):
        yield f'<th scope="col">{head}</th>'
    yield "</tr></thead><tbody>"
    for row in data.rows:
        yield _render_row(row, data.at)
    yield "</tbody></table></div>"


def _render_row(row: RuleSummary, now: Instant) -> str:
    cells = (_render_last(row), _render_backfill(row.backfill, now), _render_problems(row))
    return (
        f'<tr><th scope="row">{escape(row.namespace)}/{escape(row.name)}'
        f"<small>{escape(row.database)}.{escape(row.table)}, every {escape(row.interval)}</small>"
        f"</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    )


def _render_last(row: RuleSummary) -> str:
    ago = "" if row.lag is None else f"{format_duration(row.lag)} ago, "
    behind = f"{row.overdue_windows} due, " if row.overdue_windows else ""
    sent = f"; sent until {row.cursor}" if row.cursor not in {None, row.last} else ""
    return f"{row.last or 'none yet'}<small>{ago}{behind}{row.in_flight} in flight{sent}</small>"


def _render_backfill(past: BackfillSummary | None, now: Instant) -> str:
    if past is None:
        return "none"
    kind = {"Completed": "good", "Failed": "bad", "Running": "busy"}.get(past.phase, "")
    percent = past.percent
    bar = f'<progress max="100" value="{percent}" aria-label="progress">{percent}%</progress>'
    left = ""
    if past.phase == "Running" and past.eta is not None and past.eta > now:
        left = f", about {format_duration((past.eta.ticks - now.ticks) // TICKS_PER_SECOND)} left"
    there = f" ({past.already_there} already there)" if past.already_there else ""
    error = f"<small>last error: {_shorten(past.error)}</small>" if past.error else ""
    return (
        f'<span class="{kind}">{escape(past.phase)}</span> {bar} {past.done}/{past.total}{there}'
        f"<small>[{past.start or '?'}, {past.end or '?'}), {past.in_flight} in flight{left}</small>"
        f"{error}"
    )


def _render_problems(row: RuleSummary) -> str:
    suspended = ["<small>interval runs are suspended</small>"] if row.suspended else []
    if row.ahead is not None:
        suspended.append(f"<small>waits in the queue, rules ahead: {row.ahead}</small>")
    problems = (
        f'<span class="bad">{_shorten(each.message or each.reason)}</span>' for each in row.problems
    )
    return "<br>".join([*problems, *suspended])


def _render_pagination(data: PageData) -> str:
    query, links = data.query, []
    if query.page > 1:
        links.append(f'<a rel="prev" href="{_link(query, page=query.page - 1)}">previous</a>')
    links.append(f"page {query.page} of {data.pages}, {data.matched} rules")
    if query.page < data.pages:
        links.append(f'<a rel="next" href="{_link(query, page=query.page + 1)}">next</a>')
    return f'<nav aria-label="pages">{" ".join(links)}</nav>'


def _render_footer(data: PageData) -> Iterator[str]:
    query = data.query
    yield f"<footer>As of {data.at.to_seconds()}. "
    if query.refresh:
        link = _link(query, page=query.page, refresh="off")
        yield f'Loads anew every {_REFRESH} seconds (<a href="{link}">stop</a>). '
    else:
        yield f'<a href="{_link(query, page=query.page, refresh="on")}">Load anew by itself</a>. '
    yield f'The same <a href="status.json{_link(query, page=query.page)}">as JSON</a>.</footer>'


def _link(query: PageQuery, *, page: int, refresh: str | None = None) -> str:
    """The query of this page with another page number; attribute-safe."""
    kept = refresh or ("on" if query.refresh else "off")
    fields = {"search": query.search, "show": query.show, "page": page, "refresh": kept}
    return escape("?" + urlencode(fields))


def _shorten(message: str) -> str:
    """A message of bounded length, escaped."""
    short = message[:_LONGEST_MESSAGE]
    return escape(short if short == message else f"{short}…")
