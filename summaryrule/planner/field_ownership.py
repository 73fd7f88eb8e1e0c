"""The field managers of a running backfill's range (``metadata.managedFields``).

``spec.backfill.start`` and ``end`` have three writers: the user, admission, which aligns them, and
the worker, which advances start. A server-side apply conflicts if another manager owns a field and
its value differs from the manifest's. So while a backfill runs, the worker removes both fields from
each manager that updates: itself, ``kubectl-client-side-apply``, Helm 3. Managers that apply keep
them, because an apply does not conflict with its own manager.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from summaryrule.api.constants import FIELD_MANAGER

_RANGE: Final = ("f:start", "f:end")

Entry = dict[str, Any]


def without_range_ownership(entries: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """``metadata.managedFields`` without the worker, and without the range of those that update.

    NB: an empty list would change nothing; a list with one empty entry clears managedFields
    (Kubernetes docs, "Server-Side Apply", "Clearing managedFields").
    """
    kept = [_without_range(entry) for entry in entries if not _is_worker(entry)]
    return kept or [{}]


def should_release(entries: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a manager that updates owns a part of the range, or the worker owns spec."""
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
    kept = {name: value for name, value in backfill.items() if name not in _RANGE}
    spec = {**fields["f:spec"], "f:backfill": kept}
    return {**entry, "fieldsV1": {**fields, "f:spec": spec}}
