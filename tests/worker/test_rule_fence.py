"""What was decided on a rule stands only while nothing newer is known of it, in virtual time."""

from collections.abc import Callable
from typing import Any

import pytest

from runtime.errors import Conflict
from summaryrule.api.v1 import WindowStatus
from summaryrule.planner.types import Observations, Submit
from tests.manifests import NOW
from tests.worker.simulation.cluster import Cluster
from tests.worker.simulation.kube import MemoryEvents, MemoryRules
from tests.worker.simulation.kusto import KustoState, MemoryKusto
from tests.worker.simulation.virtual import VirtualClock, run_virtually
from tests.worker.test_a_hung_endpoint import Yes, rule
from worker.executor import Executor, RuleFence
from worker.kube.store import Store, key_of
from worker.observations import ObservationStore

KEY = ("n", "up-01")


class Place:
    """A cluster with one rule, and a store that mirrors it."""

    def __init__(self) -> None:
        self.cluster, self.store = Cluster(), Store(lambda _key: None)
        made = rule(1, "Up")
        made["metadata"]["finalizers"] = ["someone/else"]
        self.planned_on = self.cluster.create(made)
        self.store.put(self.planned_on)

    def refuses(self) -> bool:
        self.store.replace({key_of(item): item for item in self.cluster})
        try:
            RuleFence(Yes(), self.store, self.planned_on).check()
        except Conflict:
            return True
        return False


def test_an_edit_of_spec_a_deletion_and_a_namesake_end_what_was_decided() -> None:
    async def scenario() -> list[bool]:
        place = Place()
        refused = [place.refuses()]
        place.cluster.patch(KEY, {"status": {"conditions": []}}, manager="m", status=True)
        refused.append(place.refuses())
        place.cluster.patch(KEY, {"spec": {"suspend": True}}, manager="m")
        refused.append(place.refuses())
        place.planned_on = place.cluster.get(*KEY)
        refused.append(place.refuses())
        place.cluster.delete(*KEY)
        refused.append(place.refuses())
        place.cluster.patch(KEY, {"metadata": {"finalizers": None}}, manager="m")
        refused.append(place.refuses())
        place.cluster.create(rule(1, "Up"))
        refused.append(place.refuses())
        return refused

    assert run_virtually(scenario()) == [False, False, True, False, True, True, True]


def test_a_submit_that_waited_while_its_rule_was_deleted_never_leaves() -> None:
    """At the adapter, too, whose call may wait for a connection."""

    class Waits(MemoryKusto):
        async def submit(
            self, database: str, command: str, *, before_send: Callable[[], None]
        ) -> str:
            place.cluster.delete(*KEY)
            place.store.put(place.cluster.get(*KEY))
            return await super().submit(database, command, before_send=before_send)

    place = Place()
    world = KustoState(VirtualClock(), databases=frozenset({"Up"}))
    window = WindowStatus(start=NOW, end=NOW)
    submit: Any = Submit(window, "Up", ".set-or-append async T <| T")

    observations, rules = ObservationStore(), MemoryRules(place.cluster)
    executor = Executor(rules, place.store, Waits(world), MemoryEvents(), observations, Yes())

    async def scenario() -> None:
        for _ in range(5):
            place.store.replace({KEY: place.planned_on})
            with pytest.raises(Conflict, match="edited or deleted"):
                await executor.execute(place.planned_on, [submit], Observations())

    run_virtually(scenario())
    assert world.submitted == []
    assert observations.observations(KEY).endpoint_error == ""
