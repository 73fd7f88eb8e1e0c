"""Everything outside the schemas: names, group, scope, conversion, versions and subresources."""

from collections.abc import Iterator
from typing import Any, Final

from crdgen.compatibility import schema
from crdgen.compatibility.change import READERS, SCRIPTS, Change, breaking, safe
from crdgen.definition import Definition
from crdgen.schema_keywords import Schema


def version_changes(old: Definition, new: Definition) -> Iterator[Change]:
    """What changed in the versions and their schemas."""
    for before in old.versions:
        name = before["name"]
        after = new.version(name)
        if after is None:
            yield _removed(before)
        else:
            yield from _version(before, after, f"versions[{name}]")
            yield from schema.changes(_schema(before), _schema(after), name)
    for after in new.versions:
        if old.version(after["name"]) is None:
            what = f"version {after['name']} added"
            yield safe("version-added", f"versions[{after['name']}]", what, "it is new")


def _schema(version: Schema) -> Schema:
    found: Schema = version.get("schema", {}).get("openAPIV3Schema", {})
    return found


def _removed(version: Schema) -> Change:
    name = version["name"]
    path, what = f"versions[{name}]", f"version {name} removed"
    if version.get("storage"):
        why = "objects are stored in it; the API server refuses while status.storedVersions has it"
        return breaking("stored-version-removed", path, what, why)
    if version.get("served"):
        return breaking("served-version-removed", path, what, "its URLs are gone", SCRIPTS)
    return safe("version-removed", path, what, "it was not served")


def _version(before: Schema, after: Schema, path: str) -> Iterator[Change]:
    if before.get("served") and not after.get("served"):
        yield breaking("version-unserved", path, "no longer served", "its URLs are gone", SCRIPTS)
    elif after.get("served") and not before.get("served"):
        yield safe("version-served", path, "served now", "it is new")
    if before.get("storage") != after.get("storage"):
        verb = "stored now" if after.get("storage") else "no longer stored"
        why = "objects move to it when they are next written; run a storage migration"
        yield safe("storage-version-changed", path, verb, why)
    if after.get("deprecated") and not before.get("deprecated"):
        yield safe("version-deprecated", path, "deprecated", "users are warned", SCRIPTS)
    yield from _status(before, after, path)
    yield from _scale(before, after, path)
    yield from _columns(before, after, path)
    yield from _selectable(before, after, path)


def _status(before: Schema, after: Schema, path: str) -> Iterator[Change]:
    was = before.get("subresources", {}).get("status") is not None
    now = after.get("subresources", {}).get("status") is not None
    here = f"{path}.subresources.status"
    if was and not now:
        why = "requests to /status fail, and plain writes may now change the status"
        yield breaking("status-removed", here, "status subresource removed", why, READERS)
    elif now and not was:
        why = "plain writes drop the status silently; only /status keeps it"
        hits = "controllers that write the status with the object"
        yield breaking("status-added", here, "status subresource added", why, hits)


def _scale(before: Schema, after: Schema, path: str) -> Iterator[Change]:
    was, now = (each.get("subresources", {}).get("scale") for each in (before, after))
    here = f"{path}.subresources.scale"
    hits = "autoscalers and kubectl scale"
    if was is not None and now is None:
        what, why = "scale subresource removed", "requests to /scale fail"
        yield breaking("scale-removed", here, what, why, hits)
    elif was is None and now is not None:
        yield safe("scale-added", here, "scale subresource added", "it is new")
    elif was != now:
        what, why = "scale paths changed", "/scale reads and writes other fields"
        yield breaking("scale-changed", here, what, why, hits)


def _columns(before: Schema, after: Schema, path: str) -> Iterator[Change]:
    was = {each["name"]: each for each in before.get("additionalPrinterColumns", ())}
    now = {each["name"]: each for each in after.get("additionalPrinterColumns", ())}
    here = f"{path}.additionalPrinterColumns"
    hits = "people who read kubectl get; scripts should use -o json"
    for name in was.keys() | now.keys():
        if was.get(name) != now.get(name):
            verb = "added" if name not in was else "removed" if name not in now else "changed"
            why = "what kubectl get prints is no API"
            yield safe(f"column-{verb}", here, f"column {name} {verb}", why, hits)


def _selectable(before: Schema, after: Schema, path: str) -> Iterator[Change]:
    was, now = _paths(before), _paths(after)
    here = f"{path}.selectableFields"
    for field in sorted(was - now):
        what, why = (
            f"{field} no longer selectable",
            "lists and watches that select by it are refused",
        )
        yield breaking("selectable-field-removed", here, what, why, "clients with field selectors")
    for field in sorted(now - was):
        yield safe("selectable-field-added", here, f"{field} selectable", "it is new")


def _paths(version: Schema) -> set[Any]:
    return {each.get("jsonPath") for each in version.get("selectableFields", ())}


_IDENTITY: Final = {
    "kind": "manifests say it, and the API server never lets it change once established",
    "plural": "every URL, RBAC rule and the definition's own name hold it",
    "singular": "kubectl get takes it",
    "listKind": "clients decode lists by it",
}


def name_changes(old: Definition, new: Definition) -> Iterator[Change]:
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
