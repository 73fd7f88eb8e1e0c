"""A table of raw samples, rules on it, and what the stack makes of them.

Each test takes a lab of its own: its tables and rules have names that no other test uses, so all
share one stack. Everything goes through the real kubectl and the official Kusto client.
"""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from azure.kusto.data import KustoClient

from devstack.stack import Stack
from summaryrule.duration import Duration
from summaryrule.instant import TICKS_PER_SECOND, Instant
from summaryrule.windows import Window, floor, tile

HOUR = Duration.parse("1h")
SAMPLES_AN_HOUR = 4


def now() -> Instant:
    return Instant.from_unix_ns(time.time_ns())


def hours_ago(hours: int) -> Instant:
    return floor(now(), HOUR).plus(-hours * HOUR.ticks)


@dataclass
class Lab:
    stack: Stack
    kusto: KustoClient
    name: str
    database: str = "Telemetry"
    loaded: list[Window] = field(default_factory=list)

    @property
    def raw(self) -> str:
        return "Raw_" + self.name.replace("-", "_")

    @property
    def table(self) -> str:
        return "Summary_" + self.name.replace("-", "_")

    def load(self, start: Instant, end: Instant) -> None:
        """Samples in [start, end): four an hour, each worth its distance from the first."""
        self.kusto.execute_mgmt(
            self.database, f".create table {self.raw} (Timestamp:datetime, Value:long)"
        )
        step = 3600 // SAMPLES_AN_HOUR * TICKS_PER_SECOND
        rows = [
            f"{Instant(ticks)},{number}"
            for number, ticks in enumerate(range(start.ticks, end.ticks, step))
        ]
        self.kusto.execute_mgmt(
            self.database, f".ingest inline into table {self.raw} <|\n" + "\n".join(rows)
        )

    def rule(self, **spec: Any) -> dict[str, Any]:
        body = (
            f"{self.raw} | where Timestamp between (_startTime .. _endTime)"
            " | summarize Samples = count(), Total = sum(Value) by Timestamp = bin(Timestamp, 1h)"
        )
        return {
            "apiVersion": "adx-mon.azure.com/v1",
            "kind": "SummaryRule",
            "metadata": {"name": self.name, "namespace": "default"},
            "spec": {
                "database": self.database,
                "table": self.table,
                "interval": "1h",
                "suspend": True,
                "body": body,
                **spec,
            },
        }

    def kubectl(self, *arguments: str, feed: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.stack.kubectl, *arguments],
            env=self.stack.env(),
            input=feed,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def apply(self, rule: Mapping[str, Any], *flags: str) -> subprocess.CompletedProcess[str]:
        return self.kubectl("apply", *flags, "-f", "-", feed=json.dumps(rule))

    def admit(self, rule: Mapping[str, Any], *flags: str) -> str:
        done = self.apply(rule, *flags)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def get(self) -> dict[str, Any]:
        done = self.kubectl("get", "summaryrule", self.name, "-o", "json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def until(
        self, holds: Callable[[dict[str, Any]], bool], what: str, deadline: float = 60.0
    ) -> dict[str, Any]:
        last = time.monotonic() + deadline
        while True:
            rule = self.get()
            if holds(rule):
                return rule
            assert time.monotonic() < last, f"waited {deadline:.0f} s for {what}: {rule}"
            time.sleep(0.1)

    def until_cleared(self, deadline: float = 90.0) -> dict[str, Any]:
        return self.until(
            lambda rule: "backfill" not in rule["spec"], "spec.backfill to go", deadline
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        table = self.kusto.execute_query(self.database, query).primary_results[0]
        return [tuple(row) for row in table.raw_rows]

    def summary(self) -> Counter[tuple[Any, ...]]:
        return Counter(self.rows(f"{self.table} | project Timestamp, Samples, Total"))

    def direct(self, start: Instant, end: Instant) -> Counter[tuple[Any, ...]]:
        bounds = f"between (datetime({start}) .. datetime({end.plus(-1)}))"
        return Counter(
            self.rows(
                f"{self.raw} | where Timestamp {bounds} | summarize Samples = count(),"
                " Total = sum(Value) by Timestamp = bin(Timestamp, 1h)"
                " | project Timestamp, Samples, Total"
            )
        )

    def assert_exactly_once(self, start: Instant, end: Instant) -> None:
        stored, expected = self.summary(), self.direct(start, end)
        assert len(expected) == len(tile(start, end, HOUR))
        assert expected - stored == Counter(), "windows are missing"
        assert stored - expected == Counter(), "windows are doubled"


def backfill(start: Instant, end: Instant, **more: Any) -> dict[str, Any]:
    return {"start": str(start), "end": str(end), **more}
