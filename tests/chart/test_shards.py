"""What `worker.shards` makes of the worker's command line and of its right to write Leases."""

import pytest

from tests.chart.helm import CHART, RELEASE, Helm, Object, only, pod_specs

WORKER = f"{RELEASE}-worker"


def lease_rules(objects: list[Object]) -> list[Object]:
    rules: list[Object] = only(objects, "Role", WORKER)["rules"]
    return [rule for rule in rules if rule["resources"] == ["leases"]]


def test_one_shard_is_the_one_lease(chart: list[Object]) -> None:
    named, unnamed = lease_rules(chart)
    assert named["resourceNames"] == [WORKER]
    assert unnamed["verbs"] == ["create"]


def test_each_shard_has_a_lease_that_the_worker_may_write_by_name(helm: Helm) -> None:
    objects = helm.render(worker={"shards": 4, "replicas": 3})
    (container,) = pod_specs(objects)[WORKER]["containers"]
    assert "--shards=4" in container["args"]
    named, unnamed = lease_rules(objects)
    assert named["resourceNames"] == [WORKER, *(f"{WORKER}-{shard}" for shard in range(4))]
    assert (named["verbs"], unnamed["verbs"]) == (["get", "update"], ["create", "list"])


@pytest.mark.parametrize("shards", [0, 65, "four"])
def test_shards_are_a_number_from_1_to_64(helm: Helm, shards: object) -> None:
    done = helm.try_to("template", RELEASE, str(CHART), values={"worker": {"shards": shards}})
    assert done.returncode != 0
    assert "at '/worker/shards'" in done.stderr
