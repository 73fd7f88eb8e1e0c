"""What the worker learns of the installation, from the real API server and from refusals."""

import json
from typing import Any

import pytest
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from runtime.kube.client import MERGE_PATCH, KubeClient
from summaryrule.api.constants import RESOURCE
from tests.worker.misbehaving import Misbehaving, reply
from worker.installation import Installation, Part, parse_deployments

VERSION = "app.kubernetes.io/version"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
NAMES = {"worker": "a-worker", "webhook": "a-webhook"}


def deployment(name: str, version: str, replicas: int) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": "main", "image": "none"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {VERSION: version}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


async def test_versions_and_pods_are_those_of_the_objects_of_the_api_server(
    api: KubeClient,
) -> None:
    await api.request("POST", DEPLOYMENTS, body=deployment(NAMES["worker"], "1.2.3", 3))
    status = {"status": {"replicas": 3, "readyReplicas": 2}}
    path = f"{DEPLOYMENTS}/{NAMES['worker']}/status"
    await api.request("PATCH", path, body=status, content_type=MERGE_PATCH)
    installation = Installation(api, "default", NAMES)
    assert installation.as_json() == {}
    await installation.read()
    found = installation.parts
    assert found["worker"] == Part("1.2.3", 2, 3)
    assert found["webhook"].unknown == f"the cluster has no deployments/{NAMES['webhook']}"


async def test_what_the_worker_may_not_read_is_said_with_its_name() -> None:
    refused = json.dumps({"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no"})
    async with Misbehaving(reply(403, refused.encode())) as server:
        client = ApiClient(Configuration(host=server.url))
        installation = Installation(KubeClient(client), "default", NAMES)
        await installation.read()
        await client.close()  # type: ignore[no-untyped-call]
    assert {name: part.unknown for name, part in installation.parts.items()} == {
        "CRD": f"this worker may not get customresourcedefinitions/{RESOURCE}",
        "worker": "this worker may not get deployments/a-worker",
        "webhook": "this worker may not get deployments/a-webhook",
    }


@pytest.mark.parametrize("pair", ["a-worker", "worker=", "plugin=a"])
def test_another_form_of_the_option_is_refused_with_what_to_write(pair: str) -> None:
    assert parse_deployments(["worker=a", "webhook=b"]) == {"worker": "a", "webhook": "b"}
    with pytest.raises(ValueError, match="must read worker=NAME or webhook=NAME"):
        parse_deployments([pair])
