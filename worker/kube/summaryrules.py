"""Reads and writes of SummaryRules on a real API server (``worker.ports.Rules``)."""

from typing import Any, Final

from summaryrule.api.constants import FIELD_MANAGER
from worker.kube.client import MERGE_PATCH, KubeClient
from worker.kube.merge_patch import create_merge_patch
from worker.kube.resources import SUMMARY_RULES, Resource
from worker.ports import RawRule

# Strict: a field that the installed CRD does not know must fail the write. It would be dropped in
# silence otherwise, and an intent that was dropped cannot protect its window.
_QUERY: Final = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}


class SummaryRuleClient:
    """Merge patches with the resourceVersion inside, which gives the 409 of a lost race."""

    def __init__(self, api: KubeClient, resource: Resource = SUMMARY_RULES) -> None:
        self._api = api
        self._resource = resource

    async def get(self, namespace: str, name: str) -> RawRule:
        """The object as etcd has it (a GET without resourceVersion is a quorum read)."""
        return await self._api.request("GET", self._resource.item(namespace, name))

    async def patch_status(self, rule: RawRule, status: dict[str, Any]) -> RawRule:
        """Make the status read ``status``; no call when it does already."""
        change = create_merge_patch(rule.get("status") or {}, status)
        if not change:
            return rule
        return await self._patch(rule, {"status": change}, "/status")

    async def patch(self, rule: RawRule, body: dict[str, Any]) -> RawRule:
        """Merge ``body`` into the main resource."""
        return await self._patch(rule, body, "")

    async def _patch(self, rule: RawRule, body: dict[str, Any], subresource: str) -> RawRule:
        metadata = rule["metadata"]
        version = {"resourceVersion": metadata["resourceVersion"]}
        return await self._api.request(
            "PATCH",
            self._resource.item(metadata["namespace"], metadata["name"]) + subresource,
            query=_QUERY,
            body={**body, "metadata": {**body.get("metadata", {}), **version}},
            content_type=MERGE_PATCH,
        )
