"""The paths of the status page: its files, its data as JSON, and the same data as a live stream."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web

from runtime.version import installed_version
from summaryrule.api.instant import MIN, TICKS_PER_SECOND, Instant, InvalidInstantError
from summaryrule.api.unstructured import as_instant, as_int, as_str
from summaryrule.planner.types import PlannerSettings
from worker.health_server import Page, Parameters, Stream
from worker.kube.store import Key
from worker.kusto.health import EndpointHealth
from worker.ports import Clock
from worker.status_page.rule_detail import rule_as_json, window_as_json
from worker.status_page.rule_list import RuleList
from worker.status_page.rule_query import RuleQuery

UPDATE_SECONDS: Final = 2.5
"""How often a stream compares its data with what it sent last."""
KEEP_ALIVE_SECONDS: Final = 15.0
"""A stream without news sends a comment this often, so that a closed connection is noticed."""

_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

Json = dict[str, Any]
View = Callable[[Parameters], Json]


@dataclass(frozen=True, slots=True)
class WorkerView:
    """What the page shows of this process; each function is called at each update.

    ``ahead`` gives the rules that wait in the queue, each with the number of rules before it.
    ``lease`` gives the spec of the Lease as last read, and ``slots`` the use of each endpoint.
    ``installed`` gives the parts that the chart installed, by name.
    """

    identity: str
    leads: Callable[[], bool]
    endpoints: Callable[[], Mapping[str, EndpointHealth]]
    ahead: Callable[[], Mapping[Key, int]] = dict
    lease: Callable[[], Mapping[str, Any]] = dict
    slots: Callable[[], Mapping[str, Mapping[str, int]]] = dict
    installed: Callable[[], Mapping[str, Json]] = dict

    def leader(self, now: Instant) -> Json | None:
        """Who leads and since when; None if no worker has renewed the Lease in time."""
        spec = self.lease()
        holder, since = as_str(spec.get("holderIdentity")), as_instant(spec.get("acquireTime"))
        renewed, seconds = (
            as_instant(spec.get("renewTime")),
            as_int(spec.get("leaseDurationSeconds")),
        )
        until = MIN if renewed is None else renewed.plus(seconds * TICKS_PER_SECOND)
        if not self.leads() and (not holder or now >= until):
            return None
        started = None if since is None else since.to_seconds()
        return {"identity": self.identity if self.leads() else holder, "since": started}


@dataclass(frozen=True, slots=True)
class StatusPage:
    """The sources of the page. It reads them and asks neither Kusto nor the API server."""

    rules: RuleList
    clock: Clock
    settings: PlannerSettings
    worker: WorkerView

    def status(self, given: Parameters) -> Json:
        """``/status.json``: all rules; see ``RuleQuery`` for the parameters."""
        now = self._now()
        view = self.rules.as_json(RuleQuery.parse(given), now, self.worker.ahead())
        return {**self._common(now), **view}

    def rule(self, given: Parameters) -> Json:
        """``/rule.json?namespace=N&name=M``: one rule; ``found`` says whether there is one."""
        now = self._now()
        rule = self.rules.find(given.get("namespace", ""), given.get("name", ""), now)
        if rule is None:
            return {**self._common(now), "found": False}
        return {
            **self._common(now),
            "found": True,
            **rule_as_json(rule, now, self.settings),
        }

    def window(self, given: Parameters) -> Json:
        """``/window.json?namespace=N&name=M&lane=L&at=T``: the window that contains ``at``."""
        now = self._now()
        rule = self.rules.find(given.get("namespace", ""), given.get("name", ""), now)
        try:
            at, lane = Instant.parse(given.get("at", "")), int(given.get("lane", "0"))
        except (InvalidInstantError, ValueError):
            return {"found": False, "error": "write at=TIME as RFC 3339, and lane=NUMBER"}
        found = None if rule is None else window_as_json(rule, at, lane, self.settings, now)
        return {"found": found is not None, **(found or {})}

    def process(self, _: Parameters) -> Json:
        """``/worker.json``: this process, its queue and its endpoints."""
        ownership = self.settings.ownership
        return {
            **self._common(self._now()),
            "lastAnswers": {
                url: str(health.last_answer)
                for url, health in sorted(self.worker.endpoints().items())
                if health.last_answer is not None
            },
            "version": installed_version(),
            "installed": dict(self.worker.installed()),
            "queue": len(self.worker.ahead()),
            "windowsInFlight": self.rules.in_flight(self._now()),
            "slots": {url: dict(used) for url, used in sorted(self.worker.slots().items())},
            "adopts": [
                *(["rules without an owner"] if ownership.adopt_unowned else []),
                *(f"the rules of {owner}" for owner in sorted(ownership.adopt_owners)),
            ],
            "clusterLabels": dict(self.settings.labels),
            "databases": dict(self.settings.endpoints),
            "limits": {
                "intervalInFlight": self.settings.interval_in_flight,
                "failedWindows": self.settings.failed_limit,
            },
        }

    def _now(self) -> Instant:
        return Instant(self.clock.now())

    def _common(self, now: Instant) -> Json:
        return {
            "at": str(now),
            "identity": self.worker.identity,
            "leads": self.worker.leads(),
            "leader": self.worker.leader(now),
            "endpoints": [
                {"url": url, **health.as_json()}
                for url, health in sorted(self.worker.endpoints().items())
            ],
        }


def handlers(page: StatusPage) -> Mapping[str, Page]:
    """The handlers of files and JSON by path; the three views are one document."""
    views: Mapping[str, View] = {
        "/status.json": page.status,
        "/rule.json": page.rule,
        "/window.json": page.window,
        "/worker.json": page.process,
    }
    files = {f"/static/{each.name}": _file(each) for each in sorted(_FOLDER.iterdir())}
    document = _file(_FOLDER / "index.html")
    shown = dict.fromkeys(("/", "/rule", "/worker"), document)
    icon = {"/favicon.ico": files["/static/icon.svg"]}
    return {**shown, **icon, **files, **{path: _as_json(view) for path, view in views.items()}}


def streams(page: StatusPage, *, every: float = UPDATE_SECONDS) -> Mapping[str, Stream]:
    """The live streams by path: the JSON of a view, again at each change, as server-sent events."""
    views: Mapping[str, View] = {"/": page.status, "/rule": page.rule, "/worker": page.process}
    return {f"/events{path.rstrip('/')}": _stream(view, every) for path, view in views.items()}


def _file(path: Path) -> Page:
    content, headers = path.read_bytes(), {"Content-Type": _TYPES[path.suffix]}
    return lambda _: web.Response(body=content, headers=headers)


def _as_json(view: View) -> Page:
    return lambda given: web.json_response(body=msgspec.json.encode(view(given)))


def _without_lag(data: Json) -> Json:
    """The data of a view without what changes each second: a viewer has the time it is since."""
    items = [_without(item, "lag") for item in data.get("items", ())]
    summary = {"summary": _without(data["summary"], "lag")} if "summary" in data else {}
    return {**data, **({"items": items} if "items" in data else {}), **summary}


def _without(item: Mapping[str, Any], name: str) -> Json:
    return {key: value for key, value in item.items() if key != name}


def _stream(view: View, every: float) -> Stream:
    async def events(given: Parameters) -> AsyncIterator[bytes]:
        sent, silent = b"", 0.0
        while True:
            data = _without_lag(view(given))
            at = data.pop("at")
            now = msgspec.json.encode(data)
            if now != sent:
                yield b"data: " + msgspec.json.encode({"at": at, **data}) + b"\n\n"
                sent, silent = now, 0.0
            elif silent >= KEEP_ALIVE_SECONDS:
                yield b": nothing new\n\n"
                silent = 0.0
            # All streams wake at the same time, so that they share the work for all rules.
            await asyncio.sleep(every - asyncio.get_running_loop().time() % every)
            silent += every

    return events
