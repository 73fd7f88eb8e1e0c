"""A stack with one worker, and what is read off it: rules, metrics, the audit log, operations.

Used by every measurement of ``bench.worker``. All reads are spaced so that the bench itself costs
the two cores as little as can be.
"""

import asyncio
import contextlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import Request, urlopen

from azure.kusto.data import KustoClient, KustoConnectionStringBuilder
from prometheus_client.parser import text_string_to_metric_families

from devstack.stack import Stack
from runtime.kube.client import SUMMARY_RULES, KubeClient
from runtime.kube.config import connect
from summaryrule.api.instant import Instant

NAMESPACE = "default"
_WORKER = "system:serviceaccount:summaryrule-system:summaryrule-operator-worker"
Rule = dict[str, Any]
T = TypeVar("T")


class Rig:
    """A running stack."""

    def __init__(self, stack: Stack, api: KubeClient, kusto: KustoClient) -> None:
        self.stack, self.api, self.kusto = stack, api, kusto
        self.database = stack.env()["KUSTO_DATABASE"]

    async def create(self, rule: Rule) -> Rule:
        """Make a rule; as stored."""
        return await self.api.request("POST", SUMMARY_RULES.collection(NAMESPACE), body=rule)

    async def get(self, name: str) -> Rule:
        """The rule as it is now."""
        return await self.api.request("GET", SUMMARY_RULES.item(NAMESPACE, name))

    async def cleared(self, name: str, within: float) -> Rule:
        """The rule, once its backfill has removed itself."""

        async def ended() -> Rule | None:
            rule = await self.get(name)
            return None if "backfill" in rule["spec"] else rule

        return await until(ended, within, beat=0.1)

    def slow_operations(self, seconds: float) -> None:
        """From now on every operation waits so long before it runs."""
        faults = [{"fault": "operation-latency", "seconds": seconds}] if seconds else []
        url = f"{self.stack.env()['KUSTO_ENDPOINT']}/faults"
        body = json.dumps({"faults": faults}).encode()
        with urlopen(Request(url, data=body, method="PUT"), timeout=10):  # noqa: S310 - loopback
            pass

    def load(self) -> None:
        """The table that every rule reads."""
        self.kusto.execute_mgmt(self.database, ".create table Raw (Timestamp:datetime, Value:long)")

    def operation_seconds(self, since: Instant) -> list[float]:
        """How long each append begun ``since`` then took, as Kusto's log has it."""
        text = f".show operations | where State == 'Completed' and StartedOn >= datetime({since})"
        rows = self.kusto.execute_mgmt(self.database, text).primary_results[0]
        return [row["Duration"].total_seconds() for row in rows]

    def metrics(self) -> dict[str, float]:
        """The worker's series: name and label values, joined by spaces."""
        with urlopen(f"{self.stack.process('worker').address}/metrics", timeout=10) as answer:  # noqa: S310
            text = answer.read().decode()
        return {
            " ".join((sample.name, *sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def writes(self, name: str) -> Counter[str]:
        """The worker's writes to a rule, by what they wrote; Events apart."""
        found: Counter[str] = Counter()
        with self.stack.audit.open(encoding="utf-8") as lines:
            for line in lines:
                if name in line and (what := _write(json.loads(line), name)):
                    found[what] += 1
        return found


def _write(event: dict[str, Any], name: str) -> str | None:
    what = event.get("objectRef") or {}
    ours = event["user"]["username"] == _WORKER and event["verb"] in ("patch", "update")
    if not ours or (what.get("resource"), what.get("name")) != ("summaryrules", name):
        return None
    if what.get("subresource"):
        return "status"
    body = event.get("requestObject") or {}
    if "spec" in body:
        return "spec"
    return "finalizer" if "finalizers" in body.get("metadata", {}) else "ownership"


async def until(ask: Callable[[], Awaitable[T | None]], within: float, beat: float = 0.25) -> T:
    """What ``ask`` gives, once that is not None."""
    last = time.monotonic() + within
    while (answer := await ask()) is None:
        if time.monotonic() > last:
            raise TimeoutError(f"waited {within:.0f} s")
        await asyncio.sleep(beat)
    return answer


@contextlib.asynccontextmanager
async def rig() -> AsyncIterator[Rig]:
    """A stack in a folder of its own, taken down at the end."""
    with tempfile.TemporaryDirectory(prefix="bench-worker-") as folder:
        stack = await asyncio.to_thread(Stack.start, Path(folder))
        with stack:
            client = await connect({"KUBECONFIG": str(stack.kubeconfig)}, user_agent="bench")
            try:
                with _kusto(stack) as kusto:
                    found = Rig(stack, KubeClient(client), kusto)
                    found.load()
                    yield found
            finally:
                await client.close()  # type: ignore[no-untyped-call]


def _kusto(stack: Stack) -> KustoClient:
    endpoint = stack.env()["KUSTO_ENDPOINT"]
    return KustoClient(KustoConnectionStringBuilder.with_no_authentication(endpoint))
