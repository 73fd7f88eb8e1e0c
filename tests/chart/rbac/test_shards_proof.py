"""The verbs that only `worker.shards` grants are needed too: the rest of `test_proof.py`."""

import re
import sys
from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from devstack.stack import Stack
from tests.chart.helm import CHART, RELEASE, Helm, Object, laptop
from tests.chart.rbac.bench import Bench
from tests.chart.rbac.checks import LEASE
from tests.chart.rbac.grants import Grant, granted, roles
from tests.chart.rbac.proof import fails_without

SHARDS = 2
NEEDED = [
    Grant("worker", "leases", "list"),
    *(
        Grant("worker", "leases", verb, f"{LEASE}-{shard}")
        for shard in range(SHARDS)
        for verb in ("get", "update")
    ),
]


@pytest.fixture(scope="module")
def sharded(helm: Helm) -> list[Object]:
    return helm.render(worker={"shards": SHARDS})


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Stack.start(tmp_path_factory.mktemp("shards")) as stack:
        helm = Helm(stack.helm, tmp_path_factory.mktemp("helm"), stack.kubeconfig)
        values = laptop(stack, worker={"shards": SHARDS})
        helm.run("upgrade", RELEASE, str(CHART), "--wait", values=values)
        yield Bench(stack)


def a_worker_takes_every_shard_that_nobody_holds_and_keeps_it(bench: Bench) -> None:
    bench.crash("worker")
    names = [LEASE, *(f"{LEASE}-{shard}" for shard in range(SHARDS))]
    bench.kubectl("delete", "lease", *names, "--ignore-not-found")
    bench.until_ready("worker")
    bench.until(lambda: held(bench) == SHARDS, "every shard to be held")
    first = renewals(bench)
    bench.until(lambda: renewals(bench).isdisjoint(first), "the renewal of every Lease")


def held(bench: Bench) -> int:
    address = bench.stack.process("worker").address
    try:
        with urlopen(f"{address}/metrics", timeout=10) as answer:  # noqa: S310 - on loopback
            return len(re.findall(r"worker_shard_leader\{[^}]*\} 1", answer.read().decode()))
    except OSError:  # it starts just now
        return 0


def renewals(bench: Bench) -> set[tuple[str, str]]:
    leases = bench.get("leases").get("items", [])
    return {(each["metadata"]["name"], each["spec"].get("renewTime", "")) for each in leases}


def test_the_table_has_every_verb_that_shards_add(
    chart: list[Object], sharded: list[Object]
) -> None:
    one, several = (
        {each for role in roles(objects, LEASE) for each in granted(role, "worker")}
        for objects in (chart, sharded)
    )
    assert several - one == set(NEEDED)


@pytest.mark.proof
@pytest.mark.parametrize("grant", [None, *NEEDED], ids=str)
def test_shards_are_held_with_every_verb_and_not_without_one(
    bench: Bench,
    sharded: list[Object],
    grant: Grant | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    check = a_worker_takes_every_shard_that_nobody_holds_and_keeps_it
    if grant is None:
        check(bench)
        return
    line = fails_without(bench, sharded, check, grant)
    with capsys.disabled():
        sys.stdout.write(line)
