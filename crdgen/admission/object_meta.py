"""Object metadata: of the object itself, and of the objects embedded in it."""

import re
from collections.abc import Iterator
from typing import Any, Final

from crdgen.admission.children import children
from crdgen.admission.scalars import json_type
from crdgen.cel import gotime
from crdgen.dns_names import label_errors, subdomain_errors
from crdgen.field_errors import FieldError, forbidden, invalid, required, unsupported
from crdgen.schema_keywords import Schema

_EMBEDDED: Final = "x-kubernetes-embedded-resource"
_STRINGS: Final = (
    "name", "generateName", "namespace", "uid", "resourceVersion", "selfLink",
    "creationTimestamp", "deletionTimestamp",
)  # fmt: skip
_OWNER: Final = ("apiVersion", "kind", "name", "uid")
_OWNER_FLAGS: Final = ("controller", "blockOwnerDeletion")
_KNOWN: Final = frozenset({
    *_STRINGS, "labels", "annotations", "finalizers", "ownerReferences", "managedFields",
    "generation", "deletionGracePeriodSeconds",
})  # fmt: skip
_QUALIFIED: Final = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_NAMESPACE: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LONGEST_NAME: Final = 63
_LONGEST_MANAGER: Final = 128
_LARGEST_ANNOTATIONS: Final = 256 * 1024


def problems(value: Any, schema: Schema, path: str = "", *, root: bool) -> Iterator[FieldError]:  # noqa: ANN401
    """What is wrong with the type and metadata of embedded objects in `value`."""
    if isinstance(value, dict) and (root or schema.get(_EMBEDDED)):
        yield from _embedded(value, path)
    for _, child, inner, here in children(value, schema, path):
        yield from problems(child, inner, here, root=False)


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
        masked = f"{prefix[:-2]}a" if len(prefix) > 1 and prefix.endswith("-") else prefix
        for error in subdomain_errors(masked):
            yield invalid("metadata.generateName", prefix, error)
    if not name and not prefix and create:
        yield required("metadata.name", "name or generateName is required")
    elif name:
        for error in subdomain_errors(name):
            yield invalid("metadata.name", name, error)
    if not namespaced and metadata.get("namespace"):
        yield forbidden("metadata.namespace", "not allowed on this type")
    owners = metadata.get("ownerReferences") or []
    distinct = [owner for at, owner in enumerate(owners) if owner not in owners[:at]]
    yield from _general({**metadata, "ownerReferences": distinct}, "metadata")


def drop_unknown(value: Any, schema: Schema, path: str = "", *, root: bool) -> list[str]:  # noqa: ANN401
    """Remove from metadata what ObjectMeta does not have, and nulls; returns the paths."""
    found: list[str] = []
    if isinstance(value, dict):
        prefix = f"{path}." if path else ""
        if root or schema.get(_EMBEDDED):
            found += _drop_unknown(value.get("metadata"), f"{prefix}metadata")
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties")
        for name, child in value.items():
            inner = properties.get(name, extra)
            if isinstance(inner, dict):
                found += drop_unknown(child, inner, f"{prefix}{name}", root=False)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            found += drop_unknown(item, schema["items"], f"{path}[{index}]", root=False)
    return found


def _drop_unknown(metadata: Any, path: str) -> list[str]:  # noqa: ANN401 - JSON
    if not isinstance(metadata, dict):
        return []
    unknown = [name for name in metadata if name not in _KNOWN]
    for name in [name for name, value in metadata.items() if value is None or name in unknown]:
        del metadata[name]
    owners = metadata.get("ownerReferences")
    inner = [
        f"ownerReferences[{index}].{name}"
        for index, owner in enumerate(owners if isinstance(owners, list) else ())
        for name in (owner if isinstance(owner, dict) else ())
        if name not in (*_OWNER, *_OWNER_FLAGS)
    ]
    return [f"{path}.{name}" for name in (*unknown, *inner)]


def shape_error(metadata: Any) -> str | None:  # noqa: ANN401 - JSON
    """Why `metadata` does not decode as ObjectMeta, or None."""
    if not isinstance(metadata, dict):
        return "expected an object"
    for field, value, kind in _typed_parts(metadata):
        wanted = {"string": str, "int64": int, "bool": bool}[kind]
        if value is not None and not isinstance(value, wanted):
            found = _GO_KINDS.get(json_type(value), json_type(value))
            return f"json: cannot unmarshal {found} into Go struct field {field} of type {kind}"
    for name in ("creationTimestamp", "deletionTimestamp"):
        if metadata.get(name) and gotime.moment(metadata[name]) is None:
            text = metadata[name]
            words = f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00"'
            return words + ("" if text[:4].isdigit() else f': cannot parse "{text}" as "2006"')
    return None


_GO_KINDS: Final = {"boolean": "bool", "integer": "number"}


def _typed_parts(metadata: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """The Go field, the value and the type of each part of ObjectMeta that has a simple type."""
    yield from ((f"ObjectMeta.{name}", metadata.get(name), "string") for name in _STRINGS)
    for name in ("generation", "deletionGracePeriodSeconds"):
        yield f"ObjectMeta.{name}", metadata.get(name), "int64"
    for name in ("labels", "annotations"):
        pairs = metadata.get(name)
        values = pairs.values() if isinstance(pairs, dict) else [pairs]
        yield from ((f"ObjectMeta.{name}", value, "string") for value in values)
    finalizers = metadata.get("finalizers")
    for value in finalizers if isinstance(finalizers, list) else [finalizers]:
        yield "ObjectMeta.finalizers", value, "string"
    for owner in metadata.get("ownerReferences") or ():
        for kind, names in (("string", _OWNER), ("bool", _OWNER_FLAGS)):
            for name in names:
                yield f"OwnerReference.ownerReferences.{name}", owner.get(name), kind


def _general(metadata: dict[str, Any], path: str) -> Iterator[FieldError]:
    """What is wrong with labels, annotations, finalizers and owners; the same words once."""
    yield from {str(each): each for each in _parts_of_all(metadata, path)}.values()


def _parts_of_all(metadata: dict[str, Any], path: str) -> Iterator[FieldError]:
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    for key, value in labels.items():
        yield from _key_errors(key, key, f"{path}.labels")
        yield from _label_value_errors(value or "", f"{path}.labels")
    for key in annotations:
        yield from _key_errors(key.lower(), key, f"{path}.annotations")
    pairs = (f"{key}{value or ''}" for key, value in annotations.items())
    size = sum(len(pair.encode()) for pair in pairs)
    if size > _LARGEST_ANNOTATIONS:
        words = f"may not be more than {_LARGEST_ANNOTATIONS} bytes"
        yield FieldError(f"{path}.annotations", "TooLong", words)
    finalizers = metadata.get("finalizers") or []
    for name in finalizers:
        yield from _key_errors(name, name, f"{path}.finalizers")
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        words = "finalizer orphan and foregroundDeletion cannot be both set"
        yield invalid(f"{path}.finalizers", finalizers, words)
    yield from _owner_errors(metadata.get("ownerReferences") or [], f"{path}.ownerReferences")


def _owner_errors(owners: list[dict[str, Any]], path: str) -> Iterator[FieldError]:
    controller = ""
    for index, owner in enumerate(owners):
        here = f"{path}[{index}]"
        version = owner.get("apiVersion") or ""
        if version.count("/") > 1:
            words = "must be <group>/<version> or <version>"
            yield invalid(f"{here}.apiVersion", version, words)
        for key in _OWNER:
            if not owner.get(key):
                yield required(f"{here}.{key}", "must not be empty")
        if (version, owner.get("kind")) == ("v1", "Event"):
            yield invalid(here, owner, "/v1, Kind=Event is disallowed from being an owner")
        name = f"{owner.get('kind') or ''}/{owner.get('name') or ''}"
        if owner.get("controller") and controller:
            words = 'Only one reference can have Controller set to true. Found "true" in references'
            yield invalid(path, owners, f"{words} for {controller} and {name}")
        controller = name if owner.get("controller") else controller


def _label_value_errors(value: str, path: str) -> Iterator[FieldError]:
    if len(value) > _LONGEST_NAME:
        yield invalid(path, value, f"must be no more than {_LONGEST_NAME} bytes")
    if not re.fullmatch(rf"({_QUALIFIED})?", value):
        yield invalid(
            path,
            value,
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_'"
            " or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or"
            f" 'my_value',  or '12345', regex used for validation is '({_QUALIFIED})?')",
        )


def _key_errors(key: str, shown: str, path: str) -> Iterator[FieldError]:
    """Why `key` is not a qualified name (prefix/name) of Kubernetes."""
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        yield invalid(path, shown, "prefix part must be non-empty")
    elif slash:
        yield from (invalid(path, shown, f"prefix part {e}") for e in subdomain_errors(prefix))
    if not name:
        yield invalid(path, shown, "name part must be non-empty")
    elif len(name) > _LONGEST_NAME:
        yield invalid(path, shown, f"name part must be no more than {_LONGEST_NAME} bytes")
    if not re.fullmatch(_QUALIFIED, name):
        yield invalid(
            path,
            shown,
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and"
            " end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc',"
            f" regex used for validation is '{_QUALIFIED}')",
        )


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
    if namespace and not re.fullmatch(_NAMESPACE, namespace):
        yield invalid(
            f"{path}.namespace",
            namespace,
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-',"
            " and must start and end with an alphanumeric character (e.g. 'my-name',  or"
            f" '123-abc', regex used for validation is '{_NAMESPACE}')",
        )
    for index, entry in enumerate(metadata.get("managedFields") or ()):
        here, operation = f"{path}.managedFields[{index}]", entry.get("operation") or ""
        if not operation:
            yield required(f"{here}.operation", "must not be empty")
        elif operation not in {"Apply", "Update"}:
            yield unsupported(f"{here}.operation", operation, ("Apply", "Update"))
        if len(entry.get("manager") or "") > _LONGEST_MANAGER:
            words = f"may not be more than {_LONGEST_MANAGER} bytes"
            yield FieldError(f"{here}.manager", "TooLong", words)
    yield from _general(metadata, path)
    if (metadata.get("generation") or 0) < 0:
        words = "must be greater than or equal to 0"
        yield invalid(f"{path}.generation", metadata["generation"], words)
