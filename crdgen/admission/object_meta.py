"""Object metadata: of the object itself, and of the objects embedded in it."""

import re
from collections.abc import Iterator
from typing import Any, Final

from crdgen.cel import gotime
from crdgen.checks.dns_names import label_errors, subdomain_errors
from crdgen.field_errors import FieldError, forbidden, invalid, required
from crdgen.schema_keywords import Schema

_EMBEDDED: Final = "x-kubernetes-embedded-resource"
_STRINGS: Final = (
    "name", "generateName", "namespace", "uid", "resourceVersion", "selfLink",
    "creationTimestamp", "deletionTimestamp",
)  # fmt: skip
_KNOWN: Final = frozenset({
    *_STRINGS, "labels", "annotations", "finalizers", "ownerReferences", "managedFields",
    "generation", "deletionGracePeriodSeconds",
})  # fmt: skip
_QUALIFIED: Final = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"


def problems(value: Any, schema: Schema, path: str = "", *, root: bool) -> Iterator[FieldError]:  # noqa: ANN401
    """What is wrong with the type and metadata of embedded objects in `value`."""
    if isinstance(value, dict):
        if root or schema.get(_EMBEDDED):
            yield from _embedded(value, path)
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties")
        for name, child in value.items():
            if name in properties:
                here = f"{path}.{name}" if path else name
                yield from problems(child, properties[name], here, root=False)
            elif isinstance(extra, dict):
                yield from problems(child, extra, f"{path}[{name}]", root=False)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            yield from problems(item, schema["items"], f"{path}[{index}]", root=False)


def own_metadata_problems(metadata: Any, *, namespaced: bool, create: bool) -> Iterator[FieldError]:  # noqa: ANN401
    """What is wrong with the metadata of the object itself."""
    if metadata is None:
        metadata = {}
    shape = shape_error(metadata)
    if shape is not None:
        yield invalid("metadata", metadata, shape)
        return
    name, prefix = metadata.get("name", ""), metadata.get("generateName", "")
    if prefix:
        for error in subdomain_errors(prefix.rstrip("-") or "-"):
            yield invalid("metadata.generateName", prefix, error)
    if not name and not prefix and create:
        yield required("metadata.name", "name or generateName is required")
    elif name:
        for error in subdomain_errors(name):
            yield invalid("metadata.name", name, error)
    if not namespaced and metadata.get("namespace"):
        yield forbidden("metadata.namespace", "not allowed on this type")
    yield from _pairs(metadata, "metadata")


def drop_unknown(value: Any, schema: Schema, path: str = "", *, root: bool) -> list[str]:  # noqa: ANN401
    """Remove from metadata what ObjectMeta does not have, and nulls; returns the paths."""
    found: list[str] = []
    if isinstance(value, dict):
        prefix = f"{path}." if path else ""
        if root or schema.get(_EMBEDDED):
            found += _dropped(value.get("metadata"), f"{prefix}metadata")
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties")
        for name, child in value.items():
            inner = properties.get(name, extra)
            if isinstance(inner, dict):
                found += drop_unknown(child, inner, f"{prefix}{name}", root=False)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            found += drop_unknown(item, schema["items"], f"{path}[{index}]", root=False)
    return found


def _dropped(metadata: Any, path: str) -> list[str]:  # noqa: ANN401 - JSON
    if not isinstance(metadata, dict):
        return []
    unknown = [name for name in metadata if name not in _KNOWN]
    for name in [name for name, value in metadata.items() if value is None or name in unknown]:
        del metadata[name]
    return [f"{path}.{name}" for name in unknown]


def shape_error(metadata: Any) -> str | None:  # noqa: ANN401 - JSON
    """Why `metadata` does not decode as ObjectMeta, or None."""
    if not isinstance(metadata, dict):
        return "expected an object"
    for name in _STRINGS:
        if not isinstance(metadata.get(name, ""), (str, type(None))):
            return f"json: cannot unmarshal into Go struct field ObjectMeta.{name} of type string"
    for name in ("creationTimestamp", "deletionTimestamp"):
        if metadata.get(name) and gotime.moment(metadata[name]) is None:
            return f'parsing time "{metadata[name]}" as "2006-01-02T15:04:05Z07:00"'
    for name in ("labels", "annotations"):
        pairs = metadata.get(name) or {}
        if not isinstance(pairs, dict) or not all(
            isinstance(value, (str, type(None))) for value in pairs.values()
        ):
            return f"json: cannot unmarshal into Go struct field ObjectMeta.{name} of type string"
    if not isinstance(metadata.get("generation") or 0, int):
        return "json: cannot unmarshal into Go struct field ObjectMeta.generation of type int64"
    return None


def _pairs(metadata: dict[str, Any], path: str) -> Iterator[FieldError]:
    for key, value in (metadata.get("labels") or {}).items():
        if error := _key_error(key):
            yield invalid(f"{path}.labels", key, error)
        if not re.fullmatch(rf"({_QUALIFIED})?", value or "") or len(value or "") > 63:  # noqa: PLR2004
            words = "a valid label must be an empty string or consist of alphanumeric characters"
            yield invalid(f"{path}.labels", value, words)
    for key in metadata.get("annotations") or {}:
        if error := _key_error(key.lower()):
            yield invalid(f"{path}.annotations", key, error)


def _key_error(key: str) -> str | None:
    prefix, slash, name = key.rpartition("/")
    if slash and subdomain_errors(prefix):
        return "prefix part " + subdomain_errors(prefix)[0]
    if not name:
        return "name part must be non-empty"
    if len(name) > 63 or not re.fullmatch(_QUALIFIED, name):  # noqa: PLR2004 - Kubernetes' names
        return "name part must consist of alphanumeric characters, '-', '_' or '.'"
    return None


def _embedded(value: dict[str, Any], path: str) -> Iterator[FieldError]:
    prefix = f"{path}." if path else ""
    for name in ("apiVersion", "kind"):
        if name not in value:
            yield required(f"{prefix}{name}")
        elif not isinstance(value[name], str):
            yield invalid(f"{prefix}{name}", value[name], "must be a string")
        elif not value[name]:
            yield invalid(f"{prefix}{name}", "", "must not be empty")
    kind, version = value.get("kind"), value.get("apiVersion")
    if isinstance(kind, str) and kind and (errors := label_errors(kind.lower())):
        words = "may have mixed case, but should otherwise match: " + ",".join(errors)
        yield invalid(f"{prefix}kind", kind, words)
    if isinstance(version, str) and version.count("/") > 1:
        words = f"unexpected GroupVersion string: {version}"
        yield invalid(f"{prefix}apiVersion", version, words)
    if value.get("metadata") is not None:
        error = shape_error(value["metadata"])
        if error is not None:
            yield invalid(f"{prefix}metadata", value["metadata"], error)
        else:
            yield from _parts(value["metadata"], f"{prefix}metadata")


def _parts(metadata: dict[str, Any], path: str) -> Iterator[FieldError]:
    name, namespace = metadata.get("name", ""), metadata.get("namespace", "")
    for part in ("/", "%"):
        if part in name:
            yield invalid(f"{path}.name", name, f"may not contain '{part}'")
    if namespace and not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", namespace):
        words = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters"
        yield invalid(f"{path}.namespace", namespace, words)
    for index, owner in enumerate(metadata.get("ownerReferences") or ()):
        for key in ("apiVersion", "kind", "name", "uid"):
            if isinstance(owner, dict) and not owner.get(key):
                yield required(f"{path}.ownerReferences[{index}].{key}", "must not be empty")
    yield from _pairs(metadata, path)
