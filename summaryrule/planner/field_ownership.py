"""Who the API server credits with the range of a running backfill: nobody (design, section 7).

``spec.backfill.start`` and ``end`` are written by three hands: the person, admission (which
aligns them) and the worker (which advances start). Under server-side apply the manager that is
credited with a value other than the manifest's makes the next apply fail with a conflict. So while
a backfill runs the worker keeps both fields free of any manager that only updates: itself,
``kubectl-client-side-apply``, helm 3. Managers that apply keep theirs, since their own re-apply
never conflicts with itself.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from summaryrule.api.constants import FIELD_MANAGER

_RANGE: Final = ("f:start", "f:end")

Entry = dict[str, Any]


def without_range_ownership(entries: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """``metadata.managedFields`` without the worker, and without updaters of the range.

    NB: an empty list would leave managedFields as they are; a list of one empty entry clears them
    (Kubernetes docs, server-side apply, "Clearing managedFields").
    """
    kept = [_without_range(entry) for entry in entries if not _is_worker(entry)]
    return kept or [{}]


def should_release(entries: Iterable[Mapping[str, Any]]) -> bool:
    """Whether somebody who only updates is credited with the range, or the worker with spec."""
    return any(
        "f:spec" in entry.get("fieldsV1", {})
        if _is_worker(entry)
        else _without_range(entry) != entry
        for entry in entries
    )


def _is_worker(entry: Mapping[str, Any]) -> bool:
    return entry.get("manager") == FIELD_MANAGER and not entry.get("subresource")


def _without_range(entry: Mapping[str, Any]) -> Entry:
    fields = entry.get("fieldsV1", {})
    backfill = fields.get("f:spec", {}).get("f:backfill")
    if entry.get("operation") == "Apply" or not backfill:
        return dict(entry)
    free = {name: value for name, value in backfill.items() if name not in _RANGE}
    spec = {**fields["f:spec"], "f:backfill": free}
    return {**entry, "fieldsV1": {**fields, "f:spec": spec}}
