"""Writes to the API server: what an action of the plan looks like as a patch.

Every write carries the resourceVersion that the plan was made from; a ``Conflict`` is the
caller's to answer by reading again.
"""

from typing import Any

from summaryrule.api.constants import FINALIZER
from summaryrule.api.v1 import dump
from summaryrule.planner.field_ownership import without_range_ownership
from summaryrule.planner.types import (
    RecordStatus,
    ReleaseFieldOwnership,
    RemoveAnnotations,
    RemoveBackfill,
    SetFinalizer,
    UpdateSpecCursor,
)
from worker.ports import Rule, Rules

Write = (
    RecordStatus
    | UpdateSpecCursor
    | ReleaseFieldOwnership
    | RemoveBackfill
    | SetFinalizer
    | RemoveAnnotations
)


async def record(rules: Rules, rule: Rule, action: Write) -> Rule:
    """Carry out one write and return the object as stored."""
    if isinstance(action, RecordStatus):
        return await rules.patch_status(rule, dump(action.status))
    return await rules.patch(rule, patch(rule, action))


def patch(rule: Rule, action: Write) -> dict[str, Any]:
    """The merge patch of a write to the main resource (RFC 7386: null removes)."""
    match action:
        case UpdateSpecCursor():
            cursor = {"start": str(action.start), "operationId": action.operation_id}
            return {"spec": {"backfill": cursor}}
        case RemoveBackfill():
            return {"spec": {"backfill": None}, **_finalizers(rule, present=False)}
        case SetFinalizer():
            return _finalizers(rule, present=action.present)
        case RemoveAnnotations():
            return {"metadata": {"annotations": dict.fromkeys(action.names)}}
        case ReleaseFieldOwnership():
            return {
                "metadata": {
                    "managedFields": without_range_ownership(
                        rule["metadata"].get("managedFields", [])
                    )
                }
            }
    raise TypeError(f"no patch for {type(action).__name__}")


def _finalizers(rule: Rule, *, present: bool) -> dict[str, Any]:
    others = [each for each in rule["metadata"].get("finalizers", []) if each != FINALIZER]
    wanted = [*others, FINALIZER] if present else others
    return {"metadata": {"finalizers": wanted or None}}
