"""`make prove-crashes`: kill -9 right after each side effect of a backfill, in turn.

A first run, undisturbed, shows which side effects there are: each write to the API server, each
call to Kusto. Then each of them in turn kills the worker, and so does each that only a disturbed
run has: once before the worker has heard of it, once just after. Each time the worker is started
again, as a kubelet does, the backfill runs to its end, and the rows are compared.
"""

import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from devstack.stack import Stack
from summaryrule.api.windows import windows_between
from tests.e2e.candidates import Candidate, candidates
from tests.e2e.faults import Faults, fault
from tests.e2e.fixtures import HOUR, Sandbox, SandboxMaker, backfill, hours_ago
from tests.e2e.gateway import LEASE, Effect, Moment
from tests.e2e.proofs.say import say

WINDOWS = 6
SLOW = 2.5
"""Seconds of the operation that is slow: one is shown in spec once it has run for two."""

POLL = "Kusto: poll"
MOST_TURNS = 3
"""Polls in a row and renewals differ in number from run to run; so many of each are points."""

QUIET = 0.6
"""Seconds without a side effect after which a run counts as over."""

pytestmark = [pytest.mark.e2e, pytest.mark.proof, pytest.mark.timeout(1800)]

START, END = hours_ago(WINDOWS + 2), hours_ago(2)
MOMENTS = {Moment.CARRIED_OUT: "before its reply", Moment.PASSED_ON: "after its reply"}


@dataclass(frozen=True)
class Point:
    """The `turn`-th side effect of a run that reads `what`."""

    what: str
    turn: int


@dataclass
class Crash:
    """A hook that kills the worker at a point; with none, never. `passed` has those before it."""

    candidate: Candidate
    when: Moment
    point: Point | None = None
    happened: threading.Event = field(default_factory=threading.Event)
    passed: list[Point] = field(default_factory=list)
    _names: dict[Effect, Point] = field(default_factory=dict)
    _last: str = ""

    async def __call__(self, effect: Effect, moment: Moment) -> None:
        if self.happened.is_set():
            return
        if moment is Moment.ARRIVED:
            self._names[effect] = self._name(effect)
        elif self.point and moment is self.when and self._names.get(effect) == self.point:
            self.candidate.send(signal.SIGKILL)
            self.happened.set()

    def _name(self, effect: Effect) -> Point:
        """Polls are named by what they come after, since their number differs from run to run."""
        what = effect.what
        if what == POLL:
            what = f"{POLL} after {self._last}"
        elif what != LEASE:
            self._last = what
        point = Point(what, 1 + sum(each.what == what for each in self.passed))
        self.passed.append(point)
        return point


@pytest.fixture(scope="module")
def candidate(bare: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Candidate]:
    with candidates(bare, tmp_path_factory.mktemp("worker"), "worker-0") as (only,):
        only.start()
        yield only


@pytest.fixture(autouse=True)
def _one_window_is_slow(bare_faults: Faults) -> None:
    """Slow enough to be shown in spec; the others are not."""
    third = START.plus(2 * HOUR.ticks)
    match = f"let _startTime=datetime({third})"
    bare_faults.set(fault("operation-latency", seconds=SLOW, match=match))


def run(sandbox: Sandbox, crash: Crash, mode: str) -> list[Point]:
    """Run a backfill with one crash in it, to its end; the points that it passed before."""
    candidate = crash.candidate
    if mode == "Replace":
        write_earlier_run(sandbox)
    candidate.gateway.watch(crash)
    sandbox.admit(sandbox.rule(writeMode=mode, backfill=backfill(START, END)))
    last = time.monotonic() + 60
    while not (crash.happened.wait(0.02) or is_over(candidate)):
        assert time.monotonic() < last, f"the run does not end: {candidate.gateway.effects}"
    candidate.gateway.watch()  # a late point must not kill the worker after the run
    if crash.happened.is_set():
        candidate.start()
    status = sandbox.until_cleared()["status"]["backfill"]
    assert (status["phase"], status["windowsDone"]) == ("Completed", WINDOWS)
    return crash.passed


def write_earlier_run(sandbox: Sandbox) -> None:
    """Rows with the tag of an earlier run of each window, which must go."""
    for window in windows_between(START, END, HOUR):
        tag = f"drop-by:summaryrule/default/{sandbox.name}/{window.start}/earlier"
        sandbox.kusto.execute_mgmt(
            sandbox.database,
            f""".set-or-append {sandbox.table} with (tags='["{tag}"]') <| """
            f"print Timestamp = datetime({window.start}), Samples = 0, Total = 0",
        )


def is_over(candidate: Candidate) -> bool:
    effects = [effect for effect in candidate.gateway.effects if effect.what != LEASE]
    is_removed = any(effect.what == "rule: backfill removed" for effect in effects)
    return is_removed and time.monotonic() - effects[-1].at > QUIET


@pytest.mark.parametrize("mode", ["Append", "Replace"])
@pytest.mark.parametrize("when", MOMENTS, ids=lambda when: MOMENTS[when].replace(" ", "-"))
def test_a_kill_after_any_side_effect_loses_and_doubles_nothing(
    when: Moment, mode: str, candidate: Candidate, bare_sandbox: SandboxMaker
) -> None:
    say(f"\nmode {mode}, kill -9 {MOMENTS[when]}\n     {'side effect':58} turn missing doubled")
    ahead = deque(run(bare_sandbox("undisturbed"), Crash(candidate, when), mode))
    tried, wrong = dict[Point, bool](), []
    while ahead:
        point = ahead.popleft()
        if point in tried or point.turn > MOST_TURNS:
            continue
        sandbox, crash = bare_sandbox("crash"), Crash(candidate, when, point)
        ahead.extend(run(sandbox, crash, mode))
        tried[point] = crash.happened.is_set()
        off = sandbox.count_differences(START, END)
        wrong += [point] if any(off) else []
        note = "" if tried[point] else "(this run passed no such point)"
        say(f"{len(tried):4} {point.what:58} {point.turn:4} {off[0]:7} {off[1]:7} {note}")
    say(f"{sum(tried.values())} kills at {len(tried)} points, {len(wrong)} wrong")
    assert any(point.what.startswith("rule: start") for point in tried), "nothing was shown in spec"
    assert sum(tried.values()) > 5 * WINDOWS, "too few side effects to be all of them"
    assert not wrong
