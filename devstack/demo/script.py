"""The steps of the demo, in order."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

from devstack.demo import rules, telemetry
from devstack.demo.cluster import Cluster
from devstack.demo.comparison import compare
from devstack.demo.terminal import ProgressBar, Terminal
from devstack.stack import Stack
from devstack.state_dir import StateDir
from summaryrule.api.instant import Instant
from summaryrule.api.windows import Window, WindowSequence, floor, windows_between

_TIMEOUT: Final = 180.0
_POLL_INTERVAL: Final = 0.2
_CONFLICT_MESSAGE: Final = "Apply failed with"
_MAX_RETRIES: Final = 3


class DemoError(Exception):
    """A result is wrong; the message says which."""


def run(state_dir: StateDir) -> int:
    """Run the demo on a stack of its own, beside `state_dir`; return the exit code."""
    terminal = Terminal()
    root = Path(f"{state_dir.root}-demo")
    terminal.step(
        "Start etcd, kube-apiserver, a local Kusto endpoint, and the chart's webhook and worker"
    )
    with Stack.start(root, report=terminal.line) as stack:
        environment = stack.env()
        kusto = KustoClient(
            KustoConnectionStringBuilder.with_no_authentication(environment["KUSTO_ENDPOINT"])
        )
        with kusto:
            cluster = Cluster(stack.kubectl, environment, terminal)
            demo = Demo(stack, cluster, kusto, environment["KUSTO_DATABASE"], terminal, _now())
            try:
                result = demo.run()
            except DemoError as error:
                terminal.line(f"demo: {error}")
                return 1
    # After the stack has stopped, so that it is the last line.
    print(f"demo: {result}")  # noqa: T201 - the demo's result
    return 0


def _now() -> Instant:
    return Instant.from_unix_ns(time.time_ns())


@dataclass(slots=True)
class Demo:
    """One run of the demo; `cursors` are the values of spec.backfill.start, in order."""

    stack: Stack
    cluster: Cluster
    kusto: KustoClient
    database: str
    terminal: Terminal
    started: Instant
    cursors: list[Instant] = field(default_factory=list)

    def run(self) -> str:
        """Run every step; return the result as one sentence."""
        self._load_telemetry()
        self._apply_invalid_rules()
        rule = rules.valid(self.started)
        self._apply_valid_rule(rule)
        windows = rules.windows(rule)
        self._run_backfill(rule, windows)
        self._compare(windows, rules.WRONG_AGGREGATION)
        fixed = rules.corrected(rule, self.started)
        self._recompute(fixed)
        windows = rules.windows(fixed)
        result = self._compare(windows, rules.AGGREGATION)
        self._verify(windows)
        return result

    def _load_telemetry(self) -> None:
        self.terminal.step("Load three days of telemetry")
        series = telemetry.parse_series(self.cluster.metrics())
        start, end = _hour(self.started, -76), _hour(self.started, 1)
        rows = telemetry.generate_samples(series, start, end)
        count = telemetry.load(self.kusto, self.database, rows)
        self.terminal.line(
            f"{len(series)} series of {telemetry.METRIC}, scraped from this API server and extended"
            f" back to {start} by a generator (seed {telemetry.SEED}): {count} rows"
        )

    def _apply_invalid_rules(self) -> None:
        self.terminal.step("Apply three rules that must be refused")
        for make_rule, path in (
            (rules.backwards, "spec.backfill.start"),
            (rules.too_old, "spec.backfill.start"),
            (rules.interval_in_days, "spec.interval"),
        ):
            rule = make_rule(self.started)
            answer = self.cluster.apply(rule)
            expected = f'The SummaryRule "{rule["metadata"]["name"]}" is invalid:'
            if answer.code == 0 or expected not in answer.output or path not in answer.output:
                raise DemoError(f"{rule['metadata']['name']} was not refused for {path}")

    def _apply_valid_rule(self, rule: dict[str, Any]) -> None:
        self.terminal.step(
            "Apply a valid rule: hourly, with a 72-hour backfill that is not on the hour"
        )
        answer = self.cluster.apply(rule)
        if answer.code != 0:
            raise DemoError("the valid rule was refused")
        if "Warning: spec.backfill.start: aligned" not in answer.output:
            raise DemoError("admission did not warn that it aligned the range")

    def _run_backfill(self, rule: dict[str, Any], windows: WindowSequence) -> None:
        total = len(windows)
        self.terminal.step(
            "Watch its windows complete; re-apply the manifest and kill the worker meanwhile"
        )
        actions = [
            (total // 4, lambda: self._reapply(rule)),
            (total // 2, lambda: self._reapply(rule, "--server-side")),
            (total * 5 // 8, self._kill_worker),
        ]
        with self.terminal.progress("backfill", total) as progress:
            self._wait_until_done(actions, progress)
        self.terminal.line("the worker has removed spec.backfill")

    def _wait_until_done(
        self, actions: list[tuple[int, Callable[[], None]]], progress: ProgressBar
    ) -> None:
        deadline, backfill = time.monotonic() + _TIMEOUT, dict[str, Any]()
        while time.monotonic() < deadline:
            rule = self.cluster.rule()
            backfill = rule.get("status", {}).get("backfill", {})
            done = backfill.get("windowsDone", 0)
            progress.update(done)
            self._note_cursor(rule)
            if "backfill" not in rule["spec"]:
                self._require_no_action_left(actions)
                return
            if actions and done >= actions[0][0]:
                actions.pop(0)[1]()
            time.sleep(_POLL_INTERVAL)
        raise DemoError(f"the backfill was not complete after {_TIMEOUT:.0f} s: {backfill}")

    def _require_no_action_left(self, actions: list[tuple[int, Callable[[], None]]]) -> None:
        if actions:
            raise DemoError("the backfill was complete before the worker could be killed")

    def _note_cursor(self, rule: dict[str, Any]) -> None:
        start = rule["spec"].get("backfill", {}).get("start")
        if start is None:
            return
        cursor = Instant.parse(start)
        if self.cursors and cursor < self.cursors[-1]:
            raise DemoError(f"spec.backfill.start went back from {self.cursors[-1]} to {cursor}")
        self.cursors.append(cursor)

    def _reapply(self, rule: dict[str, Any], *flags: str) -> None:
        answer = self.cluster.apply(rule, *flags)
        for _ in range(_MAX_RETRIES):
            if answer.code == 0 or _CONFLICT_MESSAGE not in answer.output:
                break
            self.terminal.line("conflict between two writes of the worker: apply it again")
            answer = self.cluster.apply(rule, *flags)
        if answer.code != 0:
            raise DemoError("re-applying the manifest of the running backfill failed")
        self._note_cursor(self.cluster.rule())

    def _kill_worker(self) -> None:
        pid = self.stack.kill("worker")
        self.terminal.line(f"kill -9 {pid} (the worker); its Pod restarts it")

    def _recompute(self, rule: dict[str, Any]) -> None:
        self.terminal.step(
            "Correct a mistake in the query, and request all windows again, with those of the"
            " schedule: writeMode Replace replaces their rows"
        )
        answer = self.cluster.apply(rule)
        if answer.code != 0:
            raise DemoError("the corrected rule was refused")
        self.cursors.clear()
        total = len(rules.windows(rule))
        with self.terminal.progress("backfill", total) as progress:
            self._wait_until_done([(total // 2, self._kill_worker)], progress)

    def _verify(self, windows: WindowSequence) -> None:
        self.terminal.step("Ask Kusto which windows are there, by the tags of the table's extents")
        bounds = ("--from", str(windows.start), "--to", str(windows.end))
        answer = self.cluster.verify(*bounds)
        if answer.code != 0 or f"{len(windows)} windows: {len(windows)} once" not in answer.output:
            raise DemoError("worker verify did not find each window once")

    def _compare(self, windows: WindowSequence, aggregation: str) -> str:
        self.terminal.step("Compare the summary with a direct query over the raw table, row by row")
        scheduled = self._scheduled_windows()
        result = compare(
            self.kusto, self.database, dict.fromkeys([*windows, *scheduled]), aggregation
        )
        self.terminal.line(
            f"{len(windows)} windows of the backfill and {len(scheduled)} of the schedule"
        )
        self.cluster.show("get", "summaryrules")
        if not result.is_exact:
            raise DemoError(f"the summary differs: {result}")
        return str(result)

    def _scheduled_windows(self) -> list[Window]:
        """Return the windows that the schedule ran meanwhile, once it has caught up."""
        deadline = time.monotonic() + _TIMEOUT
        while time.monotonic() < deadline:
            schedule = self.cluster.rule().get("status", {}).get("schedule", {})
            if "lastDone" in schedule and "inFlight" not in schedule:
                first = _hour(self.started, -1)
                return list(windows_between(first, Instant.parse(schedule["lastDone"]), rules.HOUR))
            time.sleep(_POLL_INTERVAL)
        raise DemoError(f"the schedule did not run its window within {_TIMEOUT:.0f} s")


def _hour(now: Instant, hours: int) -> Instant:
    return floor(now, rules.HOUR).plus(hours * rules.HOUR.ticks)
