"""A CRD of the contract tests' own, so that they need no chart."""

from typing import Any

from runtime.errors import Conflict, NotFound, Temporary
from runtime.kube.client import KubeClient
from tests.worker.contract.rules_world import CONTRACT_RULES
from tests.worker.eventually import eventually

_OPEN = {"type": "object", "additionalProperties": {"type": "string"}}
_WINDOWS = {"type": "array", "items": _OPEN}
_SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "database": {"type": "string"},
                "interval": {"type": "string"},
                "backfill": {
                    "type": "object",
                    "properties": {
                        key: {"type": "string"} for key in ("start", "end", "operationId")
                    },
                    "required": ["start", "end"],
                },
            },
            "required": ["database"],
        },
        "status": {
            "type": "object",
            "properties": {
                "phase": {"type": "string"},
                "windowsDone": {"type": "integer"},
                "inFlight": _WINDOWS,
                "schedule": {"type": "object", "properties": {"cursor": {"type": "string"}}},
            },
        },
    },
}


def _crd() -> dict[str, Any]:
    group, plural = CONTRACT_RULES.group, CONTRACT_RULES.plural
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": "rule", "kind": CONTRACT_RULES.kind},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _SCHEMA},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


async def install(api: KubeClient) -> None:
    """Create it and wait until its objects can be listed."""
    try:
        await api.request(
            "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body=_crd()
        )
    except Conflict:
        return

    async def served() -> bool:
        try:
            await api.request("GET", CONTRACT_RULES.collection())
        except (NotFound, Temporary):
            return False
        return True

    await eventually(served)
