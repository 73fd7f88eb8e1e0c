"""Reads and writes SummaryRules on the API server, by JSON merge patches (RFC 7386)."""

from typing import Any, Final

from runtime.kube.client import MERGE_PATCH, SUMMARY_RULES, KubeClient, Resource
from summaryrule.api.constants import FIELD_MANAGER
from worker.ports import RawRule

# Strict: a field that the installed CRD does not know must fail the write. The server would drop it
# silently otherwise, and an intent that was dropped cannot protect its window.
_QUERY: Final = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}


class SummaryRuleClient:
    """Patches carry the resourceVersion, so that a lost race is a 409."""

    def __init__(self, api: KubeClient, resource: Resource = SUMMARY_RULES) -> None:
        self._api = api
        self._resource = resource

    async def get(self, namespace: str, name: str) -> RawRule:
        """The object as etcd has it (a GET without resourceVersion is a quorum read)."""
        return await self._api.request("GET", self._resource.item(namespace, name))

    async def patch_status(self, rule: RawRule, status: dict[str, Any]) -> RawRule:
        """Replace the status by ``status``; no call if it is the same."""
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


def create_merge_patch(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The smallest patch that turns ``old`` into ``new``; empty if they are equal.

    A None in ``new`` means absent, as a patch cannot store a null in an object. Lists are
    replaced whole.
    """
    patch: dict[str, Any] = {
        key: None for key, value in old.items() if value is not None and new.get(key) is None
    }
    for key, value in new.items():
        if value is None or (key in old and old[key] == value):
            continue
        patch[key] = _change(old.get(key), value)
    return patch


def _change(old: Any, new: Any) -> Any:  # noqa: ANN401 - any JSON
    if not isinstance(new, dict):
        return new
    return create_merge_patch(old if isinstance(old, dict) else {}, new)
