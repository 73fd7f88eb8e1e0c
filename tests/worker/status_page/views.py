"""A status page of given rules, and its data."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from yarl import URL

from summaryrule.planner.types import PlannerSettings
from tests.plugin.rules import NOW, rule, running
from worker.health_server import HealthServer
from worker.installation import Part
from worker.kube.store import Key
from worker.kusto.health import EndpointHealth
from worker.metrics import Metrics
from worker.status_page.pages import UPDATE_SECONDS, StatusPage, WorkerView, handlers, streams
from worker.status_page.rule_list import RuleList

OWNER = "summaryrule.adx-mon.azure.com"


class Clock:
    def now(self) -> int:
        return NOW.ticks

    def monotonic(self) -> float:
        return 0.0


def status_page(
    rules: Iterable[Any],
    endpoints: Mapping[str, EndpointHealth] | None = None,
    ahead: Mapping[Key, int] | None = None,
    lease: Mapping[str, Any] | None = None,
    *,
    leads: bool = True,
    installed: Mapping[str, Part] | None = None,
) -> StatusPage:
    known = endpoints or {"http://127.0.0.1:8080": EndpointHealth("answering", NOW)}
    slots = {"http://127.0.0.1:8080": {"taken": 1, "limit": 4, "waiting": 0}}
    worker = WorkerView(
        "worker-0",
        lambda: leads,
        lambda: known,
        lambda: ahead or {},
        lambda: lease or {},
        lambda: slots,
        lambda: {name: part.as_json() for name, part in (installed or {}).items()},
    )
    settings = PlannerSettings(
        endpoints={"Telemetry": "https://c.example"}, labels={"region": "eastus"}
    )
    return StatusPage(RuleList(rules), Clock(), settings, worker)


def data(page: StatusPage, query: str = "", path: str = "/status.json") -> dict[str, Any]:
    reply = handlers(page)[path](URL(f"?{query}", encoded=True).query)
    found: dict[str, Any] = json.loads(reply.text or "")
    return found


def many(count: int) -> list[dict[str, Any]]:
    return [rule(f"rule-{number:05}", backfill=running()) for number in range(count)]


def health_server(page: StatusPage, *, every: float = UPDATE_SECONDS) -> HealthServer:
    """A server of the page on a free port; `every` is the seconds between updates of a stream."""
    return HealthServer(
        "127.0.0.1",
        0,
        live=lambda: None,
        ready=lambda: None,
        metrics=Metrics().exposition,
        pages=handlers(page),
        streams=streams(page, every=every),
    )
