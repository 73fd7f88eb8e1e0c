"""Ten thousand rules: how long a worker takes to have planned all, and what it costs then."""

import asyncio
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.worker.manifests import now, up_to_date
from bench.worker.rig import Rig, until
from bench.worker.store import Store
from summaryrule.api.schema_validation import parse_rule
from summaryrule.api.v1 import dump
from summaryrule.planner.plan import decide
from summaryrule.planner.types import Observations, PlannerSettings, RecordStatus

_TOGETHER = 100
_HOUR = 3600
_FEW = 10


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one worker with so many rules."""

    rules: int
    first_plan: float
    checked: float
    check_cpu: float
    cpu: float
    memory: float
    windows: float
    polls: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.rules} rules: listed and planned once {self.first_plan:.1f} s after the"
            f" process began; all queries checked after {self.checked:.0f} s with"
            f" {self.check_cpu:.3f} of a core;"
            f" then over {self.seconds:.0f} s {self.cpu:.3f} of a core,"
            f" {self.memory:.0f} MiB, {self.windows:.0f} windows done, {self.polls:.0f} polls"
        )


def fill(rig: Rig, count: int) -> float:
    """Make so many rules whose windows fall due evenly over the hour; the seconds it took.

    They are put into etcd, a hundred at a time: creating them one by one took six minutes.
    """
    began, store = time.monotonic(), Store(rig.stack)
    for first in range(0, count, _TOGETHER):
        numbers = range(first, min(first + _TOGETHER, count))
        store.put([_stored(number, count) for number in numbers])
    return time.monotonic() - began


def _stored(number: int, count: int) -> dict[str, Any]:
    made = up_to_date(f"many-{number:05}", number * _HOUR / count)
    made["metadata"] |= {
        "uid": str(uuid.UUID(int=number + 1)),
        "generation": 1,
        "creationTimestamp": now().to_seconds(),
    }
    return {**made, "status": _as_planned(made)}


def _as_planned(made: dict[str, Any]) -> dict[str, Any]:
    """The status with the conditions that the worker itself would write."""
    settings = PlannerSettings(endpoints={"Telemetry": "http://127.0.0.1"})
    planned = decide(parse_rule(made), Observations(), now(), settings, _always)
    written = (each.status for each in planned.writes if isinstance(each, RecordStatus))
    status = next(written, None)
    return made["status"] if status is None else dump(status)


def _always(_expression: str, _labels: Mapping[str, str]) -> bool:
    return True


async def measure(rig: Rig, count: int, seconds: float) -> Figures:
    """Start a worker on rules that are there, and watch it for so many seconds."""
    rig.slow_operations(0)
    rig.stack.kill("worker")
    rig.stack.wait_until_healthy("worker", 60)

    async def planned() -> dict[str, float] | None:
        found = rig.metrics()
        looks = found.get("summaryrule_worker_reconciles_total ok", 0)
        is_done = looks >= count and found["summaryrule_worker_queue_depth"] < _FEW
        return found if is_done else None

    first = await until(planned, 180, beat=0.5)
    took = time.time() - first["process_start_time_seconds"]

    last = await _until_checked(rig, first)
    until_checked = time.time() - last["process_start_time_seconds"]
    cpu = "process_cpu_seconds_total"
    check_cpu = (last[cpu] - first[cpu]) / (until_checked - took)
    await asyncio.sleep(10)
    before, began = rig.metrics(), time.monotonic()
    await asyncio.sleep(seconds)
    after, passed = rig.metrics(), time.monotonic() - began

    def grown(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    return Figures(
        count,
        took,
        until_checked,
        check_cpu,
        grown(cpu) / passed,
        after["process_resident_memory_bytes"] / 2**20,
        grown("summaryrule_worker_windows_total interval completed"),
        grown("summaryrule_worker_kusto_requests_total poll ok"),
        passed,
    )


async def _until_checked(rig: Rig, before: dict[str, float]) -> dict[str, float]:
    """The metrics once no query was checked for some seconds; seldom read, for each read costs."""
    name = "summaryrule_worker_kusto_requests_total query ok"
    while True:
        await asyncio.sleep(5)
        found = rig.metrics()
        if found.get(name) == before.get(name):
            return found
        before = found
