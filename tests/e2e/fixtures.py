"""The sandbox of a test: a table of raw samples, a rule on it, and its summary table.

The names of a sandbox's tables and rule are unique, so all tests share one stack. Every action uses
the real kubectl and the official Kusto client.
"""

import contextlib
import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from azure.kusto.data import KustoClient

from devstack.stack import Stack
from summaryrule.api.duration import Duration
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.windows import floor, windows_between
from tests.e2e.api import RULES, Api

HOUR = Duration.parse("1h")
SAMPLES_PER_HOUR = 4


def now() -> Instant:
    return Instant.from_unix_ns(time.time_ns())


def hours_ago(hours: int) -> Instant:
    return floor(now(), HOUR).plus(-hours * HOUR.ticks)


@dataclass
class Sandbox:
    stack: Stack
    kusto: KustoClient
    name: str
    database: str = "Telemetry"
    source: str = ""

    @property
    def raw(self) -> str:
        """The table of samples: its own, or `source`, which other sandboxes share."""
        return self.source or "Raw_" + self.name.replace("-", "_")

    @property
    def table(self) -> str:
        return "Summary_" + self.name.replace("-", "_")

    def load(self, start: Instant, end: Instant) -> None:
        """Ingest samples in [start, end): four per hour, numbered from 0."""
        self.kusto.execute_mgmt(
            self.database, f".create table {self.raw} (Timestamp:datetime, Value:long)"
        )
        step = 3600 // SAMPLES_PER_HOUR * TICKS_PER_SECOND
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

    def kubectl(
        self, *arguments: str, stdin: str | None = None, seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.stack.kubectl, *arguments],
            env=self.stack.env(),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def apply(self, rule: Mapping[str, Any], *flags: str) -> subprocess.CompletedProcess[str]:
        return self.kubectl("apply", *flags, "-f", "-", stdin=json.dumps(rule))

    def admit(self, rule: Mapping[str, Any], *flags: str) -> str:
        done = self.apply(rule, *flags)
        assert done.returncode == 0, done.stderr
        return done.stderr

    @cached_property
    def api(self) -> Api:
        """The API server without kubectl, for polling."""
        return Api(self.stack)

    def get(self) -> dict[str, Any]:
        return self.api.get(f"{RULES}/{self.name}")

    def until(
        self, condition: Callable[[dict[str, Any]], bool], what: str, deadline: float = 60.0
    ) -> dict[str, Any]:
        """Return the rule once `condition` holds; a KeyError of `condition` counts as False."""
        give_up_at = time.monotonic() + deadline
        while True:
            rule = self.get()
            with contextlib.suppress(KeyError):
                if condition(rule):
                    return rule
            assert time.monotonic() < give_up_at, f"waited {deadline:.0f} s for {what}: {rule}"
            time.sleep(0.05)

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

    def count_differences(self, start: Instant, end: Instant) -> tuple[int, int]:
        """Return the number of missing rows and of surplus rows of the summary table."""
        stored, expected = self.summary(), self.direct(start, end)
        assert len(expected) == len(windows_between(start, end, HOUR))
        return (expected - stored).total(), (stored - expected).total()

    def assert_exactly_once(self, start: Instant, end: Instant) -> None:
        missing, doubled = self.count_differences(start, end)
        assert missing == 0, "windows are missing"
        assert doubled == 0, "windows are doubled"


SandboxMaker = Callable[[str], Sandbox]
"""Makes a sandbox for one more rule of a kind."""


def backfill(start: Instant, end: Instant, **more: Any) -> dict[str, Any]:
    return {"start": str(start), "end": str(end), **more}
