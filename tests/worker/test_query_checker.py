"""When and how often the endpoint is asked about queries, in virtual time."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from runtime.errors import InvalidQuery, Throttled, Unreachable
from summaryrule.planner.types import Column, QueryAnswer, QueryCheck
from tests.worker.simulation.virtual import VirtualClock, run_virtually
from worker.kube.store import Key
from worker.observations import ObservationStore
from worker.query_checker import QueryChecker

KEY = ("n", "r")
COLUMNS = (Column("Value", "long"),)
WRONG = InvalidQuery("SEM0100: no column [line:position=4:7]", "SEM0100")


def check(number: int = 0, body: str = "T | x", **more: Any) -> QueryCheck:
    query = f"let _startTime=1;\nlet _endTime=2;\n{body.strip()}"
    return QueryCheck(f"key-{number}", "Up", "T", query, body, 3, **more)


class Endpoint:
    """Answers with `answer`, after `seconds`; counts questions, and how many were open at once."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.asked: list[float] = []
        self.most_at_once = 0
        self.answer: Callable[[], tuple[Column, ...] | None] = lambda: COLUMNS
        self._seconds = seconds
        self._open = 0

    def endpoint(self, database: str) -> str | None:
        return f"https://{database}"

    async def query_columns(self, database: str, query: str) -> tuple[Column, ...] | None:
        assert query.startswith("let _startTime")
        self.asked.append(asyncio.get_running_loop().time())
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            await asyncio.sleep(1e9 if database == "Down" else self._seconds)
        finally:
            self._open -= 1
        return self.answer()

    async def table_columns(self, database: str, table: str) -> tuple[Column, ...] | None:
        assert (database, table) == ("Up", "T")
        await asyncio.sleep(0)
        return None


class Bench:
    """A checker of one endpoint, and what it told."""

    def __init__(self, endpoint: Endpoint, limit: int = 4) -> None:
        self.endpoint, self.observations = endpoint, ObservationStore()
        self.told: list[Key] = []
        self.checker = QueryChecker(
            endpoint, self.observations, VirtualClock(), self.told.append, limit=limit
        )

    async def run(self, seconds: float) -> None:
        task = asyncio.create_task(self.checker.run())
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def answer(self, key: Key = KEY) -> QueryAnswer | None:
        return self.observations.observations(key).query_answer


def after(seconds: float, endpoint: Endpoint, *checks: QueryCheck) -> Bench:
    """What came of these checks of one rule, set one after the other at the beginning."""

    async def scenario() -> Bench:
        bench = Bench(endpoint)
        for each in checks:
            bench.checker.track(KEY, each)
        await bench.run(seconds)
        return bench

    return run_virtually(scenario())


def test_a_valid_query_is_asked_about_once() -> None:
    bench = after(3600, Endpoint(), check())
    assert len(bench.endpoint.asked) == 1
    answer = bench.answer()
    assert answer is not None
    assert (answer.key, answer.status, answer.reason) == ("key-0", "True", "Valid")
    assert bench.told == [KEY]


def test_an_invalid_query_is_asked_about_again_with_back_off_and_told_once() -> None:
    endpoint = Endpoint()
    endpoint.answer = _raising(WRONG)
    bench = after(3600, endpoint, check())
    gaps = [later - earlier for earlier, later in pairwise(endpoint.asked)]
    assert gaps[0] <= 2.0
    assert 150.0 <= gaps[-1] <= 300.0
    assert len(endpoint.asked) <= 30
    assert bench.told == [KEY]


def test_a_query_that_becomes_valid_is_noticed() -> None:
    async def scenario() -> Bench:
        endpoint = Endpoint()
        endpoint.answer = _raising(WRONG)
        bench = Bench(endpoint)
        bench.checker.track(KEY, check())
        task = asyncio.create_task(bench.checker.run())
        await asyncio.sleep(1)
        assert bench.answer() is not None
        endpoint.answer = lambda: COLUMNS
        await asyncio.sleep(5)
        task.cancel()
        return bench

    bench = run_virtually(scenario())
    answer = bench.answer()
    assert answer is not None
    assert answer.status == "True"
    assert bench.told == [KEY, KEY]


def test_a_restarted_worker_asks_again_later_about_a_query_with_an_answer() -> None:
    assert after(0.9, Endpoint(), check(is_repeat=True)).endpoint.asked == []
    assert len(after(3, Endpoint(), check(is_repeat=True)).endpoint.asked) == 1


def test_only_the_newest_query_of_a_rule_counts() -> None:
    bench = after(10, Endpoint(1.0), check(1), check(2))
    answer = bench.answer()
    assert answer is not None
    assert answer.key == "key-2"


def test_a_rule_that_is_gone_is_not_asked_about() -> None:
    async def scenario() -> Bench:
        bench = Bench(Endpoint())
        bench.checker.track(KEY, check())
        bench.checker.track(KEY, None)
        await bench.run(10)
        return bench

    bench = run_virtually(scenario())
    assert bench.endpoint.asked == []
    assert bench.told == []


def test_a_thousand_queries_are_asked_about_a_few_at_a_time() -> None:
    async def scenario() -> Bench:
        bench = Bench(Endpoint(0.1), limit=4)
        for number in range(1000):
            bench.checker.track(("n", str(number)), check(number))
        await bench.run(26)
        return bench

    bench = run_virtually(scenario())
    assert bench.endpoint.most_at_once == 4
    assert len(bench.told) == 1000


def test_with_the_limit_0_nothing_is_asked() -> None:
    async def scenario() -> Bench:
        bench = Bench(Endpoint(), limit=0)
        bench.checker.track(KEY, check())
        await bench.run(60)
        return bench

    assert run_virtually(scenario()).endpoint.asked == []


def test_an_endpoint_that_hangs_delays_no_query_of_another() -> None:
    async def scenario() -> Bench:
        bench = Bench(Endpoint(), limit=2)
        for number in range(10):
            down = QueryCheck(f"down-{number}", "Down", "T", "let _startTime=1;", "T", 2)
            bench.checker.track(("n", f"down-{number}"), down)
        bench.checker.track(KEY, check())
        await bench.run(1)
        return bench

    assert run_virtually(scenario()).told == [KEY]


@pytest.mark.parametrize("error", [Unreachable("no answer"), Throttled("fewer calls", 20.0)])
def test_a_query_without_an_answer_is_not_checked(error: Exception) -> None:
    endpoint = Endpoint()
    endpoint.answer = _raising(error)
    answer = after(1, endpoint, check()).answer()
    assert answer is not None
    assert (answer.status, answer.reason, answer.message) == ("Unknown", "NotChecked", str(error))


def test_a_throttled_endpoint_gets_fewer_questions() -> None:
    async def scenario() -> Endpoint:
        endpoint = Endpoint()
        endpoint.answer = _raising(Throttled("fewer calls", 20.0))
        bench = Bench(endpoint, limit=4)
        for number in range(100):
            bench.checker.track(("n", str(number)), check(number))
        await bench.run(19)
        return endpoint

    assert len(run_virtually(scenario()).asked) == 4


@pytest.mark.parametrize(
    ("body", "position", "expected"),
    [
        ("T\n| x", "[line:position=4:2]", "[line 2, position 2 of spec.body]"),
        ("\n\n  T\n| x", "[line:position=3:1]", "[line 3, position 3 of spec.body]"),
        ("\n\n  T\n| x", "[line:position=4:1]", "[line 4, position 1 of spec.body]"),
        ("T", "Line: 3, Position: 5", "line 1, position 5 of spec.body"),
        ("T", "parsed at 'x' on line [3,5]", "parsed at 'x' on line 1, position 5 of spec.body"),
        ("T", "(line 3, position 5)", "(line 1, position 5 of spec.body)"),
        ("T", "[line:position=1:5]", "[line 1, position 5 of the query]"),
    ],
)
def test_positions_are_those_in_the_body_as_it_was_written(
    body: str, position: str, expected: str
) -> None:
    endpoint = Endpoint()
    endpoint.answer = _raising(InvalidQuery(f"SEM0100: no column {position}", "SEM0100"))
    answer = after(1, endpoint, check(body=body)).answer()
    assert answer is not None
    assert (answer.status, answer.message) == ("False", f"SEM0100: no column {expected}")


def _raising(error: Exception) -> Callable[[], tuple[Column, ...] | None]:
    def fail() -> tuple[Column, ...] | None:
        raise error

    return fail
