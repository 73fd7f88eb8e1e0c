"""Runs one schedule. All its random numbers come from one seed.

In the first period, calls fail, workers crash, and users change rules. Then the faults end. After
that, every rule must settle within limited virtual time, with the data that `final_checks`
expects.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.planner.types import PlannerSettings
from tests.worker.simulation.cluster import Cluster
from tests.worker.simulation.error_log import capture_errors
from tests.worker.simulation.faults import Faults
from tests.worker.simulation.final_checks import check_final_state, unsettled
from tests.worker.simulation.invariants import InvariantChecker, marker
from tests.worker.simulation.kube import MemoryEvents, MemoryLeases, MemoryRules
from tests.worker.simulation.kusto import KustoState, MemoryKusto, Outcome
from tests.worker.simulation.processes import ProcessLoop
from tests.worker.simulation.user_actions import DATABASE, Admission, User
from tests.worker.simulation.virtual import VirtualClock
from tests.worker.simulation.workers import Environment, Parts, Worker
from worker.metrics import Metrics

_SETTLING: Final = 3 * 3600.0
_QUIET_PERIOD: Final = 600.0
_GRACE: Final = 300.0
_SETTINGS: Final = PlannerSettings(endpoints={DATABASE: "http://127.0.0.1:8080"})


@dataclass(slots=True)
class Report:
    """The result of one seed."""

    seed: int
    violations: list[str]
    counts: dict[str, int]
    trace: list[str] = field(default_factory=list)


def run(seed: int, parts: Parts | None = None, *, record: bool = False) -> Report:
    """Run the schedule of `seed`; the same seed gives the same report."""
    scenario = _Scenario(seed, parts or Parts(), record=record)
    with asyncio.Runner(loop_factory=ProcessLoop) as runner, capture_errors(scenario.defect):
        return runner.run(scenario.run())


class _Scenario:
    def __init__(self, seed: int, parts: Parts, *, record: bool) -> None:
        self._seed, self._parts = seed, parts
        # Do not change the texts of seeds: the same number would give another schedule.
        self._random = Random(f"story {seed}")
        self._clock = VirtualClock()
        self._invariants = InvariantChecker(self._clock, _SETTINGS)
        self._invariants.trace = [] if record else None
        self._fault_period = self._random.uniform(200, 900)
        self._fault_rate = self._random.choice([0.0, 0.3, 1.0, 1.0, 2.0])
        self._admission = Admission(self._clock)
        self._cluster = Cluster(self._admission, lambda: Instant(self._clock.now()).to_seconds())
        self._cluster.watch(self._invariants.observe)
        self._kusto = KustoState(
            self._clock,
            outcome=self._outcome,
            rows=lambda _command: int(self._random.random() > 0.05),
            log_lag=self._random.choice([0.0, 60.0, 110.0]),
            repeat=self._random.choice(["Completed", "Skipped"]),
            random=Random(f"ids {seed}"),
            question_seconds=Random(f"questions {seed}").choice([0.0, 0.0, 20.0]),
        )
        self._permanent_failure_rate = self._random.choice([0.0, 0.0, 0.1])
        self._max_operation_time = self._random.choice([2.0, 20.0, 60.0])
        self._faults_ended = False
        self._workers: list[Worker] = []
        self._workers_started = 0

    def defect(self, line: str) -> None:
        """A worker logged a record of level error, which is reserved for defects of the worker."""
        self._invariants.add_violation(f"defect of a worker: {line}")

    async def run(self) -> Report:
        self._kusto.missing_until = self._source_created_at(Random(f"source {self._seed}"))
        environment = self._environment()
        users = self._make_users()
        for user in users:
            self._record_action(user.perform("apply", webhook_is_down=self._happens(0.05)))
        slots = [
            asyncio.create_task(self._run_replica(environment, slot))
            for slot in range(self._random.choice([1, 2, 2]))
        ]
        tasks = [
            *slots,
            asyncio.create_task(self._run_users(users)),
            asyncio.create_task(self._lose_records()),
            asyncio.create_task(self._merge_extents()),
        ]
        await asyncio.sleep(self._fault_period)
        self._end_faults()
        await self._settle(users)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for worker in self._workers:
            await worker.close()
        self._invariants.violations += check_final_state(self._invariants, self._kusto)
        self._invariants.violations += self._kusto.gaps
        self._invariants.violations += self._invariants.mutated_objects()
        return Report(
            self._seed,
            self._invariants.violations,
            dict(self._invariants.counts),
            self._invariants.trace or [],
        )

    # The servers

    def _environment(self) -> Environment:
        slow = self._random.choice([0.0, 0.5, 3.0])
        lag = self._random.choice([0.0, 1.0, 20.0])
        kusto = MemoryKusto(self._kusto, self._faults("kusto", slow))
        return Environment(
            self._cluster,
            MemoryLeases(self._faults("leases", slow)),
            MemoryRules(self._cluster, self._faults("rules", slow)),
            kusto,
            kusto,
            _SETTINGS,
            self._invariants,
            Metrics(),
            lambda: self._random.uniform(0, lag),
            MemoryEvents(),
        )

    def _faults(self, of: str, slow: float) -> Faults:
        fault_rate = self._fault_rate
        return Faults(
            Random(f"{of} {self._seed}"),
            refused_before=0.03 * fault_rate,
            lost_reply=0.05 * fault_rate,
            throttled=0.03 * fault_rate if of == "kusto" else 0.0,
            conflict=0.03 * fault_rate if of == "rules" else 0.0,
            hang=0.01 * fault_rate,
            max_latency=slow,
            until=self._fault_period,
        )

    def _source_created_at(self, random: Random) -> int:
        """When the table that all queries read is created; in most scenarios at the start."""
        late = random.uniform(0, self._fault_period) if random.random() < 0.3 else 0.0
        return self._clock.now() + round(late * TICKS_PER_SECOND)

    def _outcome(self, command: str) -> Outcome:
        """How an operation ends. Some windows always fail; until the faults end, any may fail."""
        random, mark = self._random, marker(command)
        seconds = random.uniform(0.1, self._max_operation_time) * random.choice([1, 1, 1, 5])
        if (
            mark is not None
            and Random(f"{self._seed} {mark[2]}").random() < self._permanent_failure_rate
        ):
            return Outcome(seconds, "Failed", "no such column", should_retry=False)
        if self._faults_ended or random.random() > 0.12 * self._fault_rate:
            return Outcome(seconds)
        state, retry = random.choice(
            [
                ("Failed", True),
                ("Failed", True),
                ("Failed", False),
                ("Throttled", True),
                ("Canceled", False),
                ("Abandoned", True),
                ("PartiallySucceeded", True),
            ]
        )
        return Outcome(seconds, state, "injected fault", should_retry=retry)

    async def _lose_records(self) -> None:
        """From time to time, lose the record of an operation, or keep it in the log only."""
        while not self._faults_ended and self._fault_rate:
            await asyncio.sleep(self._random.uniform(20, 200) / self._fault_rate)
            known = list(self._kusto.records)
            if known and not self._faults_ended:
                lose = self._random.choice([self._kusto.lose_record, self._kusto.expire_record])
                lose(self._random.choice(known[-5:]))

    async def _merge_extents(self) -> None:
        """From time to time, merge all extents that may be merged."""
        while True:
            await asyncio.sleep(self._random.expovariate(1 / 60))
            self._kusto.merge()

    # The users

    def _make_users(self) -> list[User]:
        return [
            User(number, self._cluster, self._admission, self._clock, self._random)
            for number in range(self._random.choice([1, 1, 2, 3]))
        ]

    async def _run_users(self, users: list[User]) -> None:
        mean_pause = self._random.choice([15.0, 40.0, 120.0])
        while not self._faults_ended:
            await asyncio.sleep(self._random.expovariate(1 / mean_pause))
            if not self._faults_ended:
                user = self._random.choice(users)
                down = self._happens(0.15)
                self._record_action(user.perform(user.choose_action(), webhook_is_down=down))

    def _record_action(self, line: str) -> None:
        self._invariants.record(line)

    def _happens(self, probability: float) -> bool:
        return self._random.random() < probability

    # The workers

    async def _run_replica(self, environment: Environment, slot: int) -> None:
        """Run one replica: when its worker has ended, start another."""
        while True:
            worker = self._start_worker(environment, slot)
            await self._supervise(worker)
            await worker.close()
            self._workers.remove(worker)
            await asyncio.sleep(self._random.uniform(0, 30))

    def _start_worker(self, environment: Environment, slot: int) -> Worker:
        self._workers_started += 1
        worker = Worker(
            f"worker-{slot}-{self._workers_started}",
            environment,
            self._parts,
            Random(f"worker {self._seed} {self._workers_started}"),
            crash=0.004 * self._fault_rate * (not self._faults_ended),
            skew=self._random.choice([0.0, 0.0, self._random.uniform(-60, 60)]),
        )
        self._workers.append(worker)
        worker.start()
        return worker

    async def _supervise(self, worker: Worker) -> None:
        """Wait until the worker is dead (crash, kill or SIGTERM); inject faults in the meantime."""
        while not worker.process.is_dead:
            ended, _ = await asyncio.wait({worker.task}, timeout=self._random.uniform(5, 60))
            if ended:
                self._check_exit(worker)
                return
            if self._faults_ended or worker.process.is_dead:
                worker.connection.crash = 0.0
                continue
            await self._inject_process_fault(worker)

    def _check_exit(self, worker: Worker) -> None:
        """Report a worker that ended without a signal."""
        if not worker.task.cancelled() and worker.task.exception() is not None:
            self._invariants.add_violation(
                f"{worker.name} ended with {_root(worker.task.exception())!r}"
            )

    async def _inject_process_fault(self, worker: Worker) -> None:
        draw = self._random.random() / max(self._fault_rate, 0.01)
        if draw < 0.02:
            self._invariants.record(f"{worker.name} is killed")
            worker.process.kill()
        elif draw < 0.04:
            self._invariants.record(f"{worker.name} gets SIGTERM")
            await worker.terminate()
        elif draw < 0.14:
            self._invariants.record(f"{worker.name} is stopped")
            worker.process.stop()
            await asyncio.sleep(self._random.choice([10, 70, 130, 130, 250]))
            self._invariants.record(f"{worker.name} continues")
            worker.process.resume()

    # After the faults

    def _end_faults(self) -> None:
        self._faults_ended = True
        self._invariants.record("the faults end")
        for worker in self._workers:
            worker.connection.crash = 0.0

    async def _settle(self, users: list[User]) -> None:
        await asyncio.sleep(60)
        for user in users:
            if self._happens(0.5):
                self._record_action(user.perform("retry", webhook_is_down=False))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _SETTLING
        while not self._invariants.violations and (left := list(self._unsettled())):
            if loop.time() > deadline:
                self._invariants.violations += [f"does not settle: {what}" for what in left]
                return
            await asyncio.sleep(60)
        await self._check_quiet_period()

    def _unsettled(self) -> Iterator[str]:
        return unsettled(self._invariants, _SETTINGS, self._clock.now(), _GRACE)

    async def _check_quiet_period(self) -> None:
        """Check that after settling only new windows cause work (and a few reconciles)."""
        before = dict(self._invariants.counts)
        await asyncio.sleep(_QUIET_PERIOD)
        done = {name: n - before.get(name, 0) for name, n in self._invariants.counts.items()}
        windows = done.get("submits", 0) + 4 * len(self._invariants.names)
        if done.get("writes", 0) > 5 * windows:
            self._invariants.add_violation(
                f"{done['writes']} writes for {done.get('submits', 0)} windows"
            )
        if done.get("reconciles", 0) > 60 * windows:
            self._invariants.add_violation(
                f"{done['reconciles']} reconciles for {done.get('submits', 0)} windows"
            )


def _root(error: BaseException | None) -> BaseException | None:
    """The first error in nested exception groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
