"""A complete stack, as the chart declares it."""

import json
import os
import subprocess
from urllib.request import urlopen

import pytest

from devstack.stack import Stack
from tests.devstack.terminal import eventually

EVERYTHING = ["etcd", "kube-apiserver", "kusto", "webhook", "worker"]
ACCOUNTS = "system:serviceaccount:summaryrule-system:summaryrule-operator"
RULE = {
    "apiVersion": "adx-mon.azure.com/v1",
    "kind": "SummaryRule",
    "metadata": {"name": "requests-hourly", "namespace": "default"},
    "spec": {
        "database": "Telemetry",
        "table": "RequestsHourly",
        "interval": "1h",
        "body": "Requests | where Timestamp between (_startTime .. _endTime) | count",
    },
}


def is_admitted(stack: Stack) -> bool:
    """Whether the API server accepts a rule; it calls the webhook through its Service."""
    done = subprocess.run(
        [stack.kubectl, "create", "--dry-run=server", "-f", "-"],
        input=json.dumps(RULE),
        env=stack.env(),
        text=True,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def test_every_process_is_listed_and_healthy(stack: Stack) -> None:
    listed = {process.name: process for process in stack.processes()}
    assert sorted(listed) == EVERYTHING
    assert all(process.healthy and process.pid for process in listed.values())


def test_the_environment_points_to_this_stack(stack: Stack) -> None:
    env = stack.env()
    assert env["KUBECONFIG"] == str(stack.kubeconfig)
    assert env["KUSTO_DATABASE"] == "Telemetry"
    with urlopen(env["KUSTO_ENDPOINT"] + "/v1/rest/auth/metadata") as answer:  # noqa: S310 - http
        assert answer.status == 200
    assert env["PATH"].split(os.pathsep)[0] == str(stack.state_dir.bin)


@pytest.mark.parametrize("name", ["webhook", "worker"])
def test_a_killed_container_is_started_again_and_counted(stack: Stack, name: str) -> None:
    restarts = stack.process(name).restarts
    killed = stack.kill(name)
    back = stack.wait_until_healthy(name)
    assert back.pid != killed
    assert back.restarts == restarts + 1
    eventually(lambda: is_admitted(stack), "a webhook that admits again")


def test_webhook_and_worker_are_their_own_accounts(stack: Stack) -> None:
    users = {json.loads(line)["user"]["username"] for line in stack.audit.read_text().splitlines()}
    assert {f"{ACCOUNTS}-webhook", f"{ACCOUNTS}-worker"} <= users
