"""Ten thousand rules: how long a worker takes to have planned all, and what it costs then."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.worker.manifests import now, up_to_date
from bench.worker.rig import NAMESPACE, Rig, until
from summaryrule.actions import RecordStatus
from summaryrule.observed import Observed
from summaryrule.plan import plan, read
from summaryrule.settings import Settings
from summaryrule.v1 import dump
from worker.kube.api import MERGE_PATCH
from worker.kube.resource import SUMMARY_RULES

_AT_ONCE = 16
_HOUR = 3600
_FEW = 10


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one worker with so many rules."""

    rules: int
    first_plan: float
    cpu: float
    memory: float
    windows: float
    polls: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.rules} rules: listed and planned once {self.first_plan:.1f} s after the"
            f" process began; then over {self.seconds:.0f} s {self.cpu:.3f} of a core,"
            f" {self.memory:.0f} MiB, {self.windows:.0f} windows done, {self.polls:.0f} polls"
        )


async def fill(rig: Rig, count: int) -> float:
    """Make so many rules whose windows fall due evenly over the hour; the seconds it took."""
    began = time.monotonic()
    numbers = iter(range(count))

    async def maker() -> None:
        for number in numbers:
            await _make(rig, up_to_date(f"many-{number:05}", number * _HOUR / count))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_AT_ONCE):
            tasks.create_task(maker())
    return time.monotonic() - began


async def _make(rig: Rig, wanted: dict[str, Any]) -> None:
    made = await rig.create({key: part for key, part in wanted.items() if key != "status"})
    path = SUMMARY_RULES.item(NAMESPACE, made["metadata"]["name"]) + "/status"
    status = _as_planned({**made, "status": wanted["status"]})
    await rig.api.request("PATCH", path, body={"status": status}, content_type=MERGE_PATCH)


def _as_planned(made: dict[str, Any]) -> dict[str, Any]:
    """The status with the conditions that the worker itself would write."""
    settings = Settings(endpoints={"Telemetry": "http://127.0.0.1"})
    planned = plan(read(made), Observed(), now(), settings, _always)
    written = (each.status for each in planned.actions if isinstance(each, RecordStatus))
    status = next(written, None)
    return made["status"] if status is None else dump(status)


def _always(_expression: str, _labels: Mapping[str, str]) -> bool:
    return True


async def measure(rig: Rig, count: int, seconds: float) -> Figures:
    """Start a worker on rules that are there, and watch it for so many seconds."""
    rig.slow_operations(0)
    rig.stack.kill("worker")
    rig.stack.until_healthy("worker", 60)

    async def planned() -> dict[str, float] | None:
        found = rig.metrics()
        looks = found.get("summaryrule_worker_reconciles_total ok", 0)
        is_done = looks >= count and found["summaryrule_worker_queue_depth"] < _FEW
        return found if is_done else None

    first = await until(planned, 180, beat=0.5)
    took = time.time() - first["process_start_time_seconds"]
    await asyncio.sleep(10)
    before, began = rig.metrics(), time.monotonic()
    await asyncio.sleep(seconds)
    after, passed = rig.metrics(), time.monotonic() - began

    def grown(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    return Figures(
        count,
        took,
        grown("process_cpu_seconds_total") / passed,
        after["process_resident_memory_bytes"] / 2**20,
        grown("summaryrule_worker_windows_total interval completed"),
        grown("summaryrule_worker_kusto_requests_total poll ok"),
        passed,
    )
