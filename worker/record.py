"""Writes to the API server: what an action of the plan looks like as a patch.

Every write carries the resourceVersion that the plan was made from; a ``Conflict`` is the
caller's to answer by reading again.
"""

from typing import Any

from summaryrule.actions import (
    AdvanceSpec,
    DropActs,
    RecordStatus,
    RemoveBackfill,
    SetFinalizer,
    YieldOwnership,
)
from summaryrule.v1 import FINALIZER, dump
from worker.ports import FIELD_MANAGER, Rule, Rules

Write = RecordStatus | AdvanceSpec | YieldOwnership | RemoveBackfill | SetFinalizer | DropActs


async def record(rules: Rules, rule: Rule, action: Write) -> Rule:
    """Carry out one write and return the object as stored."""
    if isinstance(action, RecordStatus):
        return await rules.patch_status(rule, dump(action.status))
    return await rules.patch(rule, patch(rule, action))


def patch(rule: Rule, action: Write) -> dict[str, Any]:
    """The merge patch of a write to the main resource (RFC 7386: null removes)."""
    match action:
        case AdvanceSpec():
            cursor = {"start": str(action.start), "operationId": action.operation_id}
            return {"spec": {"backfill": cursor}}
        case RemoveBackfill():
            return {"spec": {"backfill": None}, **_finalizers(rule, present=False)}
        case SetFinalizer():
            return _finalizers(rule, present=action.present)
        case DropActs():
            return {"metadata": {"annotations": dict.fromkeys(action.names)}}
        case YieldOwnership():
            return {"metadata": {"managedFields": _without_worker(rule)}}
    raise TypeError(f"no patch for {type(action).__name__}")


def _finalizers(rule: Rule, *, present: bool) -> dict[str, Any]:
    others = [each for each in rule["metadata"].get("finalizers", []) if each != FINALIZER]
    wanted = [*others, FINALIZER] if present else others
    return {"metadata": {"finalizers": wanted or None}}


def _without_worker(rule: Rule) -> list[dict[str, Any]]:
    """The owners but the worker itself.

    NB: an empty list leaves managedFields as they are; a list of one empty entry clears them
    (Kubernetes docs, server-side apply, "Clearing managedFields").
    """
    entries = rule["metadata"].get("managedFields", [])
    kept = [
        entry
        for entry in entries
        if entry.get("manager") != FIELD_MANAGER or entry.get("subresource")
    ]
    return kept or [{}]
