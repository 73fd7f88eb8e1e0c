"""One schedule, drawn from one seed and run to its end: rules, people, faults, crashes, calm.

For the length of the storm everything may fail at any call. Then faults stop, and within bounded
virtual time every rule must have come to rest, with the data that `final_checks` asks for.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.planner.types import PlannerSettings
from tests.worker.simulation.cluster import Cluster
from tests.worker.simulation.faults import Faults
from tests.worker.simulation.final_checks import judge, unsettled
from tests.worker.simulation.invariants import InvariantChecker, marker
from tests.worker.simulation.journal import listening
from tests.worker.simulation.kube import MemoryEvents, MemoryLeases, MemoryRules
from tests.worker.simulation.kusto import MemoryKusto, Outcome, World
from tests.worker.simulation.processes import ProcessLoop
from tests.worker.simulation.user_actions import DATABASE, Admission, User
from tests.worker.simulation.virtual import VirtualClock
from tests.worker.simulation.workers import Environment, Parts, Worker
from worker.metrics import Metrics

_SETTLING: Final = 3 * 3600.0
_QUIET: Final = 600.0
_PATIENCE: Final = 300.0
_SETTINGS: Final = PlannerSettings(endpoints={DATABASE: "http://127.0.0.1:8080"})


@dataclass(slots=True)
class Report:
    """What came of one seed."""

    seed: int
    violations: list[str]
    counts: dict[str, int]
    told: list[str] = field(default_factory=list)


def run(seed: int, parts: Parts | None = None, *, tell: bool = False) -> Report:
    """Run the schedule of `seed`; the same seed gives the same report."""
    story = _Scenario(seed, parts or Parts(), tell=tell)
    with asyncio.Runner(loop_factory=ProcessLoop) as runner, listening(story.defect):
        return runner.run(story.play())


class _Scenario:
    def __init__(self, seed: int, parts: Parts, *, tell: bool) -> None:
        self._seed, self._parts = seed, parts
        self._dice = Random(f"story {seed}")
        self._clock = VirtualClock()
        self._invariants = InvariantChecker(self._clock, _SETTINGS)
        self._invariants.told = [] if tell else None
        self._storm = self._dice.uniform(200, 900)
        self._weather = self._dice.choice([0.0, 0.3, 1.0, 1.0, 2.0])
        self._admission = Admission(self._clock)
        self._cluster = Cluster(self._admission, lambda: Instant(self._clock.now()).to_seconds())
        self._cluster.watch(self._invariants.observe)
        self._world = World(
            self._clock,
            outcome=self._outcome,
            rows=lambda _command: int(self._dice.random() > 0.05),
            log_lag=self._dice.choice([0.0, 60.0, 110.0]),
            repeat=self._dice.choice(["Completed", "Skipped"]),
            dice=Random(f"ids {seed}"),
        )
        self._poison = self._dice.choice([0.0, 0.0, 0.1])
        self._pace = self._dice.choice([2.0, 20.0, 60.0])
        self._calm = False
        self._workers: list[Worker] = []
        self._born = 0

    def defect(self, line: str) -> None:
        """A worker logged an error, which it does for its own mistakes only."""
        self._invariants.accuse(f"a worker's defect: {line}")

    async def play(self) -> Report:
        self._world.missing_until = self._source_comes_at(Random(f"source {self._seed}"))
        environment = self._environment()
        people = self._people()
        for person in people:
            self._tell_act(person.act("apply", webhook_is_down=self._chance(0.05)))
        slots = [
            asyncio.create_task(self._keep(environment, slot))
            for slot in range(self._dice.choice([1, 2, 2]))
        ]
        tasks = [
            *slots,
            asyncio.create_task(self._live(people)),
            asyncio.create_task(self._age()),
            asyncio.create_task(self._merge()),
        ]
        await asyncio.sleep(self._storm)
        self._calm_down()
        await self._settle(people)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for worker in self._workers:
            await worker.close()
        self._invariants.violations += judge(self._invariants, self._world)
        self._invariants.violations += self._world.gaps
        self._invariants.violations += self._invariants.written_into()
        return Report(
            self._seed,
            self._invariants.violations,
            dict(self._invariants.counts),
            self._invariants.told or [],
        )

    # The world

    def _environment(self) -> Environment:
        slow = self._dice.choice([0.0, 0.5, 3.0])
        lag = self._dice.choice([0.0, 1.0, 20.0])
        kusto = MemoryKusto(self._world, self._faults("kusto", slow))
        return Environment(
            self._cluster,
            MemoryLeases(self._faults("leases", slow)),
            MemoryRules(self._cluster, self._faults("rules", slow)),
            kusto,
            kusto,
            _SETTINGS,
            self._invariants,
            Metrics(),
            lambda: self._dice.uniform(0, lag),
            MemoryEvents(),
        )

    def _faults(self, of: str, slow: float) -> Faults:
        weather = self._weather
        return Faults(
            Random(f"{of} {self._seed}"),
            refused_before=0.03 * weather,
            lost_reply=0.05 * weather,
            throttled=0.03 * weather if of == "kusto" else 0.0,
            conflict=0.03 * weather if of == "rules" else 0.0,
            hang=0.01 * weather,
            slowest=slow,
            until=self._storm,
        )

    def _source_comes_at(self, dice: Random) -> int:
        """When the table that all queries read is there: in most stories from the start."""
        late = dice.uniform(0, self._storm) if dice.random() < 0.3 else 0.0
        return self._clock.now() + round(late * TICKS_PER_SECOND)

    def _outcome(self, command: str) -> Outcome:
        """How an operation ends: some windows never go well, and anything may fail in a storm."""
        dice, mark = self._dice, marker(command)
        seconds = dice.uniform(0.1, self._pace) * dice.choice([1, 1, 1, 5])
        if mark is not None and Random(f"{self._seed} {mark[2]}").random() < self._poison:
            return Outcome(seconds, "Failed", "no such column", should_retry=False)
        if self._calm or dice.random() > 0.12 * self._weather:
            return Outcome(seconds)
        state, retry = dice.choice(
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
        return Outcome(seconds, state, "it is the storm", should_retry=retry)

    async def _age(self) -> None:
        """Now and then Kusto loses the record of an operation, or only its log has it."""
        while not self._calm and self._weather:
            await asyncio.sleep(self._dice.uniform(20, 200) / self._weather)
            known = list(self._world.records)
            if known and not self._calm:
                lose = self._dice.choice([self._world.forget, self._world.expire])
                lose(self._dice.choice(known[-5:]))

    async def _merge(self) -> None:
        """Now and then Kusto merges all extents that it may merge."""
        while True:
            await asyncio.sleep(self._dice.expovariate(1 / 60))
            self._world.merge()

    # The people

    def _people(self) -> list[User]:
        return [
            User(number, self._cluster, self._admission, self._clock, self._dice)
            for number in range(self._dice.choice([1, 1, 2, 3]))
        ]

    async def _live(self, people: list[User]) -> None:
        busy = self._dice.choice([15.0, 40.0, 120.0])
        while not self._calm:
            await asyncio.sleep(self._dice.expovariate(1 / busy))
            if not self._calm:
                person = self._dice.choice(people)
                down = self._chance(0.15)
                self._tell_act(person.act(person.draw(), webhook_is_down=down))

    def _tell_act(self, line: str) -> None:
        self._invariants.tell(line)

    def _chance(self, of: float) -> bool:
        return self._dice.random() < of

    # The workers

    async def _keep(self, environment: Environment, slot: int) -> None:
        """A Deployment's Pod: a worker, and another whenever it is gone."""
        while True:
            worker = self._hire(environment, slot)
            await self._employ(worker)
            await worker.close()
            self._workers.remove(worker)
            await asyncio.sleep(self._dice.uniform(0, 30))

    def _hire(self, environment: Environment, slot: int) -> Worker:
        self._born += 1
        worker = Worker(
            f"worker-{slot}-{self._born}",
            environment,
            self._parts,
            Random(f"worker {self._seed} {self._born}"),
            crash=0.004 * self._weather * (not self._calm),
            skew=self._dice.choice([0.0, 0.0, self._dice.uniform(-60, 60)]),
        )
        self._workers.append(worker)
        worker.start()
        return worker

    async def _employ(self, worker: Worker) -> None:
        """Until it is dead, whether by a crash, a kill or SIGTERM; now and then it is stopped."""
        while not worker.process.is_dead:
            ended, _ = await asyncio.wait({worker.task}, timeout=self._dice.uniform(5, 60))
            if ended:
                self._judge_end(worker)
                return
            if self._calm or worker.process.is_dead:
                worker.wire.crash = 0.0
                continue
            await self._trouble(worker)

    def _judge_end(self, worker: Worker) -> None:
        """A worker ends by a signal only."""
        if not worker.task.cancelled() and worker.task.exception() is not None:
            self._invariants.accuse(f"{worker.name} ended with {_root(worker.task.exception())!r}")

    async def _trouble(self, worker: Worker) -> None:
        draw = self._dice.random() / max(self._weather, 0.01)
        if draw < 0.02:
            self._invariants.tell(f"{worker.name} is killed")
            worker.process.kill()
        elif draw < 0.04:
            self._invariants.tell(f"{worker.name} gets SIGTERM")
            await worker.end()
        elif draw < 0.14:
            self._invariants.tell(f"{worker.name} is stopped")
            worker.process.stop()
            await asyncio.sleep(self._dice.choice([10, 70, 130, 130, 250]))
            self._invariants.tell(f"{worker.name} goes on")
            worker.process.proceed()

    # The calm

    def _calm_down(self) -> None:
        self._calm = True
        self._invariants.tell("the storm is over")
        for worker in self._workers:
            worker.wire.crash = 0.0

    async def _settle(self, people: list[User]) -> None:
        await asyncio.sleep(60)
        for person in people:
            if self._chance(0.5):
                self._tell_act(person.act("retry", webhook_is_down=False))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _SETTLING
        while not self._invariants.violations and (left := list(self._left())):
            if loop.time() > deadline:
                self._invariants.violations += [f"does not settle: {what}" for what in left]
                return
            await asyncio.sleep(60)
        await self._stay_quiet()

    def _left(self) -> Iterator[str]:
        return unsettled(self._invariants, _SETTINGS, self._clock.now(), _PATIENCE)

    async def _stay_quiet(self) -> None:
        """Settled means that only new windows cause work, and news of what is gone: a few looks."""
        before = dict(self._invariants.counts)
        await asyncio.sleep(_QUIET)
        done = {name: n - before.get(name, 0) for name, n in self._invariants.counts.items()}
        windows = done.get("submits", 0) + 4 * len(self._invariants.names)
        if done.get("writes", 0) > 5 * windows:
            self._invariants.accuse(f"{done['writes']} writes for {done.get('submits', 0)} windows")
        if done.get("looks", 0) > 60 * windows:
            self._invariants.accuse(f"{done['looks']} looks for {done.get('submits', 0)} windows")


def _root(error: BaseException | None) -> BaseException | None:
    """The first error inside groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
