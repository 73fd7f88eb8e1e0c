"""Group, names, scope and conversion: what clients and storage hang on."""

from collections.abc import Iterator
from typing import Final

from crdgen.compare.change import SCRIPTS, Change, breaking, safe
from crdgen.definition import Definition

_IDENTITY: Final = {
    "kind": "manifests say it, and the API server never lets it change once established",
    "plural": "every URL, RBAC rule and the definition's own name hold it",
    "singular": "kubectl get takes it",
    "listKind": "clients decode lists by it",
}


def changes(old: Definition, new: Definition) -> Iterator[Change]:
    """What changed around the versions."""
    before, after = old.spec, new.spec
    if before.get("group") != after.get("group"):
        what = f"group {before.get('group')} → {after.get('group')}"
        why = "it is another API; stored objects stay under the old one"
        yield breaking("group-changed", "spec.group", what, why, SCRIPTS)
    if before.get("scope") != after.get("scope"):
        what = f"scope {before.get('scope')} → {after.get('scope')}"
        why = "every URL changes, and the API server refuses the update"
        yield breaking("scope-changed", "spec.scope", what, why, SCRIPTS)
    yield from _names(before.get("names", {}), after.get("names", {}))
    if before.get("conversion") != after.get("conversion"):
        why = "objects are converted otherwise; check the webhook before it is needed"
        yield safe("conversion-changed", "spec.conversion", "conversion changed", why)


def _names(before: dict[str, object], after: dict[str, object]) -> Iterator[Change]:
    for key, why in _IDENTITY.items():
        if before.get(key) != after.get(key):
            what = f"{key} {before.get(key)} → {after.get(key)}"
            yield breaking(f"{key.lower()}-changed", f"spec.names.{key}", what, why, SCRIPTS)
    for key, one in (("shortNames", "short name"), ("categories", "category")):
        path, was, now = f"spec.names.{key}", _listed(before, key), _listed(after, key)
        rule = one.replace(" ", "-")
        for name in sorted(was - now):
            why = f"kubectl get {name} stops working"
            yield breaking(f"{rule}-removed", path, f"{one} {name} removed", why, SCRIPTS)
        for name in sorted(now - was):
            yield safe(f"{rule}-added", path, f"{one} {name} added", "it is new")


def _listed(names: dict[str, object], key: str) -> set[str]:
    value = names.get(key)
    return {str(each) for each in value} if isinstance(value, list) else set()
