"""The demo's steps, in order. Each checks what it shows; see the package's docstring."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

from devstack.demo import rules, telemetry
from devstack.demo.cluster import Cluster
from devstack.demo.comparison import compare
from devstack.demo.screen import Bar, Screen
from devstack.folder import Folder
from devstack.stack import Stack
from summaryrule.api.instant import Instant
from summaryrule.api.windows import Window, WindowSequence, floor, windows_between

_DEADLINE: Final = 180.0
_BEAT: Final = 0.2
_CONFLICT: Final = "Apply failed with"
_SYNCS: Final = 3


class DemoError(Exception):
    """Something is not as it must be; the message says what."""


def run(folder: Folder) -> int:
    """Tell the story on a stack of its own beside `folder`; the exit code."""
    screen = Screen()
    root = Path(f"{folder.root}-demo")
    screen.step(
        "Start etcd, kube-apiserver, a local Kusto endpoint, and the chart's webhook and worker"
    )
    with Stack.start(root, report=screen.say) as stack:
        environment = stack.env()
        kusto = KustoClient(
            KustoConnectionStringBuilder.with_no_authentication(environment["KUSTO_ENDPOINT"])
        )
        with kusto:
            cluster = Cluster(stack.kubectl, environment, screen)
            story = _Story(stack, cluster, kusto, environment["KUSTO_DATABASE"], screen, _now())
            try:
                verdict = story.tell()
            except DemoError as error:
                screen.say(f"demo: {error}")
                return 1
    # Last, after the stack is gone, so that it is the last line.
    print(f"demo: {verdict}")  # noqa: T201 - the demo's result
    return 0


def _now() -> Instant:
    return Instant.from_unix_ns(time.time_ns())


@dataclass(slots=True)
class _Story:
    stack: Stack
    cluster: Cluster
    kusto: KustoClient
    database: str
    screen: Screen
    began: Instant
    seen: list[Instant] = field(default_factory=list)

    def tell(self) -> str:
        self._load()
        self._refusals()
        rule = rules.good(self.began)
        self._admit(rule)
        windows = rules.windows(rule)
        self._run_backfill(rule, windows)
        return self._check(windows)

    def _load(self) -> None:
        self.screen.step("Load three days of telemetry")
        series = telemetry.scraped(self.cluster.metrics())
        start, end = _hour(self.began, -76), _hour(self.began, 1)
        rows = telemetry.samples(series, start, end)
        count = telemetry.load(self.kusto, self.database, rows)
        self.screen.say(
            f"{len(series)} series of {telemetry.METRIC}, scraped from this API server and extended"
            f" back to {start} by a generator (seed {telemetry.SEED}): {count} rows"
        )

    def _refusals(self) -> None:
        self.screen.step("Apply three rules that must be refused")
        for bad, path in (
            (rules.backwards, "spec.backfill.start"),
            (rules.too_old, "spec.backfill.start"),
            (rules.days, "spec.interval"),
        ):
            rule = bad(self.began)
            answer = self.cluster.apply(rule)
            wanted = f'The SummaryRule "{rule["metadata"]["name"]}" is invalid:'
            if answer.code == 0 or wanted not in answer.output or path not in answer.output:
                raise DemoError(f"{rule['metadata']['name']} was not refused for {path}")

    def _admit(self, rule: dict[str, Any]) -> None:
        self.screen.step(
            "Apply a good rule: hourly, with a 72-hour backfill that is not on the hour"
        )
        answer = self.cluster.apply(rule)
        if answer.code != 0:
            raise DemoError("the good rule was refused")
        if "Warning: spec.backfill.start: aligned" not in answer.output:
            raise DemoError("admission did not say that it aligned the range")

    def _run_backfill(self, rule: dict[str, Any], windows: WindowSequence) -> None:
        total = len(windows)
        self.screen.step(
            "Watch its windows complete; re-apply the manifest and kill the worker on the way"
        )
        acts = [
            (total // 4, lambda: self._reapply(rule)),
            (total // 2, lambda: self._reapply(rule, "--server-side")),
            (total * 5 // 8, self._kill_worker),
        ]
        with self.screen.bar("backfill", total) as bar:
            self._until_done(acts, bar)
        self.screen.say("spec.backfill has removed itself")

    def _until_done(self, acts: list[tuple[int, Callable[[], None]]], bar: Bar) -> None:
        last, backfill = time.monotonic() + _DEADLINE, dict[str, Any]()
        while time.monotonic() < last:
            rule = self.cluster.rule()
            backfill = rule.get("status", {}).get("backfill", {})
            done = backfill.get("windowsDone", 0)
            bar.to(done)
            self._note_cursor(rule)
            if "backfill" not in rule["spec"]:
                self._no_act_left(acts)
                return
            if acts and done >= acts[0][0]:
                acts.pop(0)[1]()
            time.sleep(_BEAT)
        raise DemoError(f"the backfill was not done in {_DEADLINE:.0f} s: {backfill}")

    def _no_act_left(self, acts: list[tuple[int, Callable[[], None]]]) -> None:
        if acts:
            raise DemoError("the backfill was done before the worker could be killed")

    def _note_cursor(self, rule: dict[str, Any]) -> None:
        start = rule["spec"].get("backfill", {}).get("start")
        if start is None:
            return
        cursor = Instant.parse(start)
        if self.seen and cursor < self.seen[-1]:
            raise DemoError(f"spec.backfill.start went back from {self.seen[-1]} to {cursor}")
        self.seen.append(cursor)

    def _reapply(self, rule: dict[str, Any], *flags: str) -> None:
        answer = self.cluster.apply(rule, *flags)
        for _ in range(_SYNCS):
            if answer.code == 0 or _CONFLICT not in answer.output:
                break
            self.screen.say("between two writes of the worker; a sync just tries again")
            answer = self.cluster.apply(rule, *flags)
        if answer.code != 0:
            raise DemoError("re-applying the manifest of the running backfill failed")
        self._note_cursor(self.cluster.rule())

    def _kill_worker(self) -> None:
        pid = self.stack.kill("worker")
        self.screen.say(f"kill -9 {pid} (the worker); its pod starts it again")

    def _check(self, windows: WindowSequence) -> str:
        self.screen.step("Compare the summary with a direct query over the raw table, row by row")
        scheduled = self._scheduled()
        result = compare(self.kusto, self.database, [*windows, *scheduled])
        self.screen.say(
            f"{len(windows)} windows of the backfill and {len(scheduled)} of the schedule"
        )
        self.cluster.show("get", "summaryrules")
        if not result.is_exact:
            raise DemoError(f"the summary differs: {result}")
        return str(result)

    def _scheduled(self) -> list[Window]:
        """The windows that the schedule ran beside the backfill, once it has caught up."""
        last = time.monotonic() + _DEADLINE
        while time.monotonic() < last:
            schedule = self.cluster.rule().get("status", {}).get("schedule", {})
            if "lastDone" in schedule and "inFlight" not in schedule:
                first = _hour(self.began, -1)
                return list(windows_between(first, Instant.parse(schedule["lastDone"]), rules.HOUR))
            time.sleep(_BEAT)
        raise DemoError(f"the schedule did not run its window in {_DEADLINE:.0f} s")


def _hour(now: Instant, hours: int) -> Instant:
    return floor(now, rules.HOUR).plus(hours * rules.HOUR.ticks)
