"""The two worlds that the contract of `worker.ports.Rules` is checked in.

A world is a users' side: it creates, edits and deletes rules as people do, with kubectl's own
field managers, while the adapter under test acts as the worker.
"""

import copy
from typing import Any, Protocol

from runtime.kube.client import MERGE_PATCH, KubeClient, Resource
from tests.worker.simulation.cluster import Cluster
from worker.ports import RawRule, RuleClient

CONTRACT_RULES = Resource("contract.test", "v1", "rules", "Rule")
NAMESPACE = "default"


def rule(name: str, **spec: Any) -> RawRule:
    return {
        "apiVersion": CONTRACT_RULES.api_version,
        "kind": CONTRACT_RULES.kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"database": "Telemetry", "interval": "1h"} | spec,
    }


class World(Protocol):
    rules: RuleClient

    async def create(self, item: RawRule) -> RawRule: ...
    async def edit(self, name: str, body: dict[str, Any]) -> RawRule: ...
    async def apply(self, item: RawRule, *, force: bool = False) -> RawRule: ...
    async def delete(self, name: str) -> None: ...


class MemoryWorld:
    def __init__(self, rules: RuleClient, cluster: Cluster) -> None:
        self.rules = rules
        self._cluster = cluster

    async def create(self, item: RawRule) -> RawRule:
        return self._cluster.create(item)

    async def edit(self, name: str, body: dict[str, Any]) -> RawRule:
        return self._cluster.patch((NAMESPACE, name), body, manager="kubectl-edit")

    async def apply(self, item: RawRule, *, force: bool = False) -> RawRule:
        return self._cluster.apply(copy.deepcopy(item), manager="kubectl", force=force)

    async def delete(self, name: str) -> None:
        self._cluster.delete(NAMESPACE, name)


class ServerWorld:
    def __init__(self, rules: RuleClient, api: KubeClient) -> None:
        self.rules = rules
        self._api = api

    async def create(self, item: RawRule) -> RawRule:
        path = CONTRACT_RULES.collection(NAMESPACE)
        query = {"fieldManager": "kubectl-create"}
        return await self._api.request("POST", path, query=query, body=item)

    async def edit(self, name: str, body: dict[str, Any]) -> RawRule:
        query = {"fieldManager": "kubectl-edit"}
        return await self._patch(name, query, body, MERGE_PATCH)

    async def apply(self, item: RawRule, *, force: bool = False) -> RawRule:
        query = {"fieldManager": "kubectl", "force": str(force).lower()}
        return await self._patch(
            item["metadata"]["name"], query, item, "application/apply-patch+yaml"
        )

    async def delete(self, name: str) -> None:
        await self._api.request("DELETE", CONTRACT_RULES.item(NAMESPACE, name))

    async def _patch(
        self, name: str, query: dict[str, str], body: dict[str, Any], content_type: str
    ) -> RawRule:
        path = CONTRACT_RULES.item(NAMESPACE, name)
        return await self._api.request(
            "PATCH", path, query=query, body=body, content_type=content_type
        )
