"""How the kubelet reads what the chart declares: containers, volumes, rolling updates, probes."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from devstack.errors import DevstackError
from devstack.kubelet import container, mounts, pod_status, rollout
from devstack.kubelet.api import ApiClient, Object
from devstack.kubelet.jobs import final_status
from devstack.kubelet.probing import Probe

MAPPING = container.LocalMapping(
    {"/run/summaryrule": "/state/scratch", "/etc/x": "/state/x"}, {9443: 41000}
)
POD: Object = {
    "metadata": {
        "name": "webhook-abc",
        "namespace": "system",
        "uid": "u1",
        "creationTimestamp": "2026-11-24T00:00:00Z",
    },
    "spec": {"containers": [{"name": "webhook", "image": "summaryrule-operator:1"}]},
}


@pytest.mark.parametrize(
    ("written", "local"),
    [
        ("--port=9443", "--port=41000"),
        ("9443", "41000"),
        ("--bind=0.0.0.0:9443", "--bind=127.0.0.1:41000"),
        ("--host=::", "--host=127.0.0.1"),
        ("--cert-dir=/etc/x", "--cert-dir=/state/x"),
        ("/etc/x/tls.crt", "/state/x/tls.crt"),
        ("/etc/xylophone", "/etc/xylophone"),
        ("--timeout=19443", "--timeout=19443"),
        ("--kusto-endpoint=Db=http://127.0.0.1:8080", "--kusto-endpoint=Db=http://127.0.0.1:8080"),
        (
            "--kusto-endpoint=Db=https://a.b.net:9443/x",
            "--kusto-endpoint=Db=https://a.b.net:9443/x",
        ),
    ],
)
def test_ports_folders_and_listening_addresses_become_local_and_nothing_else(
    written: str, local: str
) -> None:
    assert MAPPING.localize(written) == local


def test_a_variable_of_the_container_is_put_into_its_arguments() -> None:
    declared = {
        "name": "worker",
        "command": ["python", "-m", "worker"],
        "args": ["--identity=$(POD_NAME)", "--price=$$(POD_NAME)", "--other=$(UNKNOWN)"],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    }
    env = container.env_variables(declared, POD)
    assert container.command(declared, env, MAPPING)[3:] == [
        "--identity=webhook-abc",
        "--price=$(POD_NAME)",
        "--other=$(UNKNOWN)",
    ]


def test_a_container_without_a_command_is_refused_because_no_image_says_what_to_run() -> None:
    with pytest.raises(DevstackError, match="has no command: write it in the chart"):
        container.command({"name": "x", "args": ["serve"]}, {}, MAPPING)


def test_a_variable_from_an_unsupported_source_is_refused_by_name() -> None:
    source = {"secretKeyRef": {"name": "s", "key": "k"}}
    with pytest.raises(DevstackError, match="env PASSWORD has a source"):
        container.env_variables({"env": [{"name": "PASSWORD", "valueFrom": source}]}, POD)


class Secrets(ApiClient):
    """An API server that has one Secret."""

    def __init__(self) -> None: ...

    async def get(self, path: str) -> Object | None:
        return (
            {"data": {"k": "dmFsdWU="}} if path.endswith("/namespaces/system/secrets/s") else None
        )


async def test_a_variable_from_a_secret_has_its_value_once_the_secret_is_there() -> None:
    def asking(secret: str) -> Object:
        source = {"secretKeyRef": {"name": secret, "key": "k"}}
        return {"env": [{"name": "A", "value": "b"}, {"name": "PASSWORD", "valueFrom": source}]}

    known = await mounts.with_secret_values(Secrets(), asking("s"), "system")
    assert container.env_variables(known, POD) == {"A": "b", "PASSWORD": "value"}
    with pytest.raises(DevstackError, match="env PASSWORD waits for key k of secret t"):
        await mounts.with_secret_values(Secrets(), asking("t"), "system")


def test_nothing_of_this_shells_environment_reaches_a_container(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KUSTO_ENDPOINT", "http://elsewhere")
    env = container.environment({}, MAPPING, container.image_environment("/venv/bin/python", "/h"))
    assert env.keys() - {name for name in env if name.startswith("COVERAGE_")} == {
        "PATH",
        "HOME",
        "LANG",
        "PYTHONUNBUFFERED",
    }
    assert env["PATH"].startswith("/venv/bin:")


def test_a_new_version_of_a_secret_shows_at_once_and_drops_what_it_lost(tmp_path: Path) -> None:
    mounts.publish(tmp_path, "1", {"tls.crt": b"old", "tls.key": b"old", "ca.crt": b"ca"})
    mounts.publish(tmp_path, "2", {"tls.crt": b"new", "tls.key": b"new"})
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith("..")} == {
        "tls.crt",
        "tls.key",
    }
    assert (tmp_path / "tls.crt").read_bytes() == (tmp_path / "tls.key").read_bytes() == b"new"
    assert not (tmp_path / "..1").exists()


def pods(*ready: bool) -> list[Object]:
    return [
        {
            "metadata": {"name": f"p{number}"},
            "status": {"conditions": [{"type": "Ready", "status": str(each)}]},
        }
        for number, each in enumerate(ready)
    ]


@pytest.mark.parametrize(
    ("wanted", "new", "old", "create", "delete"),
    [
        pytest.param(2, [], [], 2, 0, id="a first rollout starts all at once"),
        pytest.param(2, [], [True, True], 1, 0, id="an update starts one more than wanted"),
        pytest.param(2, [False], [True, True], 0, 0, id="and waits until it is ready"),
        pytest.param(2, [True], [True, True], 0, 1, id="then ends one of the old"),
        pytest.param(2, [True], [True], 1, 0, id="and starts the next"),
        pytest.param(2, [True, True], [True], 0, 1, id="until none of the old is left"),
        pytest.param(
            1, [False], [False], 0, 1, id="an old one that is not ready is deleted at once"
        ),
        pytest.param(1, [True, True], [], 0, 1, id="scaling down ends what is too many"),
        pytest.param(0, [True], [True], 0, 2, id="scaling to none ends all"),
    ],
)
def test_a_rolling_update_keeps_as_many_ready_as_wanted(
    wanted: int, new: list[bool], old: list[bool], create: int, delete: int
) -> None:
    step = rollout.next_step(wanted, pods(*new), pods(*old))
    assert (step.create, len(step.delete)) == (create, delete)


def test_the_same_template_has_the_same_replica_set_and_another_template_another() -> None:
    def named(image: str, replicas: int) -> Any:
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"image": image}]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}, "template": template}
        metadata = {"name": "webhook", "namespace": "system", "uid": "u"}
        return rollout.replica_set({"metadata": metadata, "spec": spec})["metadata"]["name"]

    assert named("x:1", 1) == named("x:1", 2)
    assert named("x:1", 1) != named("x:2", 1)


def test_a_status_is_written_only_when_it_differs() -> None:
    wanted = {"replicas": 1, "unavailableReplicas": 0, "conditions": [{"type": "A", "status": "T"}]}
    stored = {"replicas": 1, "conditions": [{"type": "A", "status": "T", "lastUpdateTime": "x"}]}
    assert not rollout.status_differs(wanted, stored)
    assert rollout.status_differs({**wanted, "replicas": 2}, stored)


async def test_a_probe_changes_after_the_outcomes_that_it_declares() -> None:
    outcomes = iter([True, True, False, False])

    async def check() -> bool:
        return next(outcomes)

    probe = Probe({"periodSeconds": 0.1, "failureThreshold": 1, "successThreshold": 2}, check)
    results = []
    for pause in (0.0, 0.0, 0.11, 0.11):
        await asyncio.sleep(pause)
        await probe.tick()
        results.append((probe.passing, probe.failed))
    assert results == [(False, False), (True, False), (False, True), (False, True)]


def test_a_finished_pod_has_its_exit_code_and_output() -> None:
    status = pod_status.terminated(POD, 1, 3, "x" * 9000 + "the end")
    (shown,) = status["containerStatuses"]
    assert status["phase"] == "Failed"
    assert shown["state"]["terminated"]["exitCode"] == 3
    assert len(shown["state"]["terminated"]["message"]) == pod_status.MAX_MESSAGE_BYTES
    assert shown["state"]["terminated"]["message"].endswith("the end")


def test_a_job_is_complete_when_one_of_its_pods_succeeded() -> None:
    status = final_status(["Failed", "Succeeded"], "t0", "t1")
    assert [each["type"] for each in status["conditions"]] == ["SuccessCriteriaMet", "Complete"]
    assert (status["succeeded"], status["failed"]) == (1, 1)
