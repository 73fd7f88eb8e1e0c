"""Runs the tests of a module in parallel on one stack, each with a rule and faults of its own.

Most of the time of a failure test is waiting: for a backoff, or for an operation that is slow on
purpose. So each test of such a module is one scenario:

    scenarios = ParallelScenarios()

    @scenarios.scenario(fault("throttle", count=2, retryAfter=1))
    def test_…(sandbox: Sandbox) -> None: …

All selected scenarios start together with the first; pytest then asks for each result in turn. The
faults of a scenario apply only to commands that name its own table, unless they have a `match`. In
a `match`, `{table}` stands for this table.
"""

import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from azure.kusto.data import KustoClient

from devstack.stack import Stack
from tests.e2e.faults import Fault, Faults
from tests.e2e.fixtures import Sandbox, hours_ago

HOURS = 12
MAX_PARALLEL = 12

Test = Callable[[Sandbox], None]


@dataclass(frozen=True)
class Scenario:
    """One test and the faults of its table."""

    test: Test
    faults: tuple[Fault, ...]


class ParallelScenarios:
    """The scenarios of one module. A fixture of the module calls `begin` and `end`."""

    def __init__(self) -> None:
        self._scenarios: dict[str, Scenario] = {}
        self._results: dict[str, Future[None]] = {}
        self._sandboxes: dict[str, Sandbox] = {}

    def scenario(self, *faults: Fault) -> Callable[[Test], Callable[..., None]]:
        """Make a function that takes a sandbox a scenario of this module."""

        def register(function: Test) -> Callable[..., None]:
            name = function.__name__
            self._scenarios[name] = Scenario(function, faults)

            def test(running: ParallelScenarios) -> None:
                running._results[name].result()

            test.__name__, test.__qualname__, test.__module__ = name, name, function.__module__
            return test

        return register

    def begin(self, stack: Stack, kusto: KustoClient, faults: Faults, chosen: set[str]) -> None:
        """Set all faults and start all chosen scenarios."""
        scenarios = {name: each for name, each in self._scenarios.items() if name in chosen}
        suffix, all_faults = uuid.uuid4().hex[:6], list[Fault]()
        for number, name in enumerate(scenarios):
            sandbox = Sandbox(stack, kusto, f"part-{number:02}-{suffix}", source=f"Raw_{suffix}")
            self._sandboxes[name] = sandbox
            for each in scenarios[name].faults:
                match = each.get("match", "{table}").replace("{table}", sandbox.table)
                all_faults.append({**each, "match": match})
        if self._sandboxes:
            next(iter(self._sandboxes.values())).load(hours_ago(HOURS), hours_ago(0))
        faults.set(*all_faults)
        pool = ThreadPoolExecutor(MAX_PARALLEL, thread_name_prefix="scenario")
        self._results = {
            name: pool.submit(each.test, self._sandboxes[name]) for name, each in scenarios.items()
        }
        pool.shutdown(wait=False)

    def end(self) -> None:
        """Wait for every scenario and remove its rule."""
        for result in self._results.values():
            result.exception()
        if self._sandboxes:
            sandbox, *_ = self._sandboxes.values()
            names = [each.name for each in self._sandboxes.values()]
            sandbox.kubectl("delete", "summaryrule", *names, "--ignore-not-found", "--wait=false")
