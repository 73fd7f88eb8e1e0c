"""What the in-memory adapters add to the contract: late watches, and faults."""

import asyncio
from random import Random

import pytest

from runtime.errors import Ambiguous, OperatorError
from summaryrule.api.instant import TICKS_PER_SECOND
from tests.worker.contract.kusto_world import DATABASE, append
from tests.worker.contract.rules_world import NAMESPACE, rule
from tests.worker.fences import allow
from tests.worker.simulation.cluster import Cluster
from tests.worker.simulation.faults import Faults
from tests.worker.simulation.kube import MemoryRules, MemoryWatch
from tests.worker.simulation.kusto import KustoState, MemoryKusto, Outcome
from tests.worker.simulation.virtual import VirtualClock, run_virtually
from worker.kube.store import Key, Store


def test_a_watch_brings_changes_late_and_in_order() -> None:
    async def scenario() -> None:
        cluster, changes = Cluster(), list[Key]()
        store, delays = Store(changes.append), iter([10.0, 1.0, 3.0])
        watch = MemoryWatch(cluster, store, lambda: next(delays))
        cluster.create(rule("a"))
        cluster.patch((NAMESPACE, "a"), {"spec": {"interval": "2h"}}, manager="kubectl")
        await asyncio.sleep(9)
        assert changes == []
        await asyncio.sleep(2)
        assert changes == [(NAMESPACE, "a")] * 2
        cluster.delete(NAMESPACE, "a")
        await asyncio.sleep(4)
        assert store.get((NAMESPACE, "a")) is None
        watch.stop()

    run_virtually(scenario())


def test_a_write_whose_reply_was_lost_is_stored() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        item = cluster.create(rule("a"))
        rules = MemoryRules(cluster, Faults(lost_reply=1.0))
        with pytest.raises(Ambiguous):
            await rules.patch_status(item, {"phase": "Running"})
        assert cluster.get(NAMESPACE, "a")["status"] == {"phase": "Running"}

    run_virtually(scenario())


def test_faults_end_at_their_time() -> None:
    async def scenario() -> None:
        rules = MemoryRules(Cluster(), Faults(refused_before=1.0, until=100.0))
        with pytest.raises(OperatorError, match="503"):
            await rules.get(NAMESPACE, "a")
        await asyncio.sleep(100)
        with pytest.raises(OperatorError, match="there is no SummaryRule"):
            await rules.get(NAMESPACE, "a")

    run_virtually(scenario())


def test_the_same_seed_gives_the_same_results() -> None:
    async def scenario() -> list[tuple[str, float]]:
        state = KustoState(VirtualClock(), random=Random(3), outcome=lambda _: Outcome(2.0))
        kusto = MemoryKusto(state, Faults(Random(7), lost_reply=0.3, throttled=0.3, max_latency=5))
        results = []
        for number in range(50):
            try:
                results.append(
                    (await kusto.submit(DATABASE, append("T", str(number)), before_send=allow), 0.0)
                )
            except OperatorError as error:
                results.append((str(error), asyncio.get_running_loop().time()))
        return results

    assert run_virtually(scenario()) == run_virtually(scenario())


def test_an_append_commits_when_its_operation_ends_and_not_before() -> None:
    async def scenario() -> None:
        state = KustoState(VirtualClock(), outcome=lambda _: Outcome(60.0))
        kusto = MemoryKusto(state)
        await kusto.submit(DATABASE, append("T", "x"), before_send=allow)
        await asyncio.sleep(59)
        assert not await kusto.has_tag(DATABASE, "T", "ingest-by:x")
        await asyncio.sleep(1)
        assert await kusto.has_tag(DATABASE, "T", "ingest-by:x")
        [one] = state.appended
        assert one.started <= state.clock.now() - 60 * TICKS_PER_SECOND

    run_virtually(scenario())


def test_a_record_is_known_for_six_hours_and_logged_for_two_weeks() -> None:
    async def scenario() -> None:
        kusto = MemoryKusto(KustoState(VirtualClock()))
        one = await kusto.submit(DATABASE, append("T", "x"), before_send=allow)
        await asyncio.sleep(6 * 3600)
        assert one in await kusto.operations(DATABASE, [one])
        await asyncio.sleep(2)
        assert await kusto.operations(DATABASE, [one]) == {}
        assert one in await kusto.operations_log(DATABASE, [one])
        await asyncio.sleep(14 * 86400)
        assert await kusto.operations_log(DATABASE, [one]) == {}

    run_virtually(scenario())
