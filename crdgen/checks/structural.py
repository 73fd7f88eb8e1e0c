"""Structural schemas: types everywhere, and nothing but value constraints inside combinators.

The rules of the Kubernetes documentation ("Specifying a structural schema") as kube-apiserver
1.37 applies them.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

from crdgen.field_errors import FieldError, forbidden, invalid, invalid_unshown, required
from crdgen.regex import re2_error
from crdgen.schema_keywords import Schema

Level = Literal["root", "item", "field"]
_COMBINATORS: Final = ("anyOf", "allOf", "oneOf")
_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]
_EMPTY_LEVEL: Final = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}
_NESTED: Final = (
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
)
_PRESENT: Final = frozenset({
    "additionalProperties", "default", "x-kubernetes-list-type", "x-kubernetes-map-type",
})  # fmt: skip


def problems(schema: Schema, path: str) -> Iterator[FieldError]:
    """Why the schema of a version, at `path`, is not structural."""
    yield from _node(schema, path, "root")
    yield from _complete(schema, schema, path, path)


def _node(node: Schema, path: str, level: Level) -> Iterator[FieldError]:
    if node.get("type") == "array" and not isinstance(node.get("items"), dict):
        yield required(f"{path}.items", "must be specified")
    yield from _children(node, path, level)
    yield from _flags(node, path)
    skip = node.get("anyOf") == _INT_OR_STRING
    first = [each.get("anyOf") == _INT_OR_STRING for each in node.get("allOf", ())][:1] == [True]
    yield from _values(node, path, skip_any=skip, skip_first=first)
    yield from _type(node, path, level)
    checked = level == "root" or bool(node.get("x-kubernetes-embedded-resource"))
    yield from _meta(node, path, level, checked=checked)


def _children(node: Schema, path: str, level: Level) -> Iterator[FieldError]:
    if isinstance(node.get("items"), dict):
        yield from _node(node["items"], f"{path}.items", "item")
    for name, child in node.get("properties", {}).items():
        yield from _node(child, f"{path}.properties[{name}]", "field")
    extra = node.get("additionalProperties")
    if extra is not None and level == "root":
        yield forbidden(f"{path}.additionalProperties", "must not be used at the root")
    if isinstance(extra, dict):
        yield from _node(extra, f"{path}.additionalProperties", "field")


def _flags(node: Schema, path: str) -> Iterator[FieldError]:
    if not node.get("x-kubernetes-int-or-string"):
        return
    for flag in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"):
        if node.get(flag):
            words = "must be false if x-kubernetes-int-or-string is true"
            yield invalid(f"{path}.{flag}", True, words)  # noqa: FBT003 - the value shown


def _type(node: Schema, path: str, level: Level) -> Iterator[FieldError]:
    kind = node.get("type", "")
    free = node.get("x-kubernetes-int-or-string") or node.get(
        "x-kubernetes-preserve-unknown-fields"
    )
    if node.get("x-kubernetes-embedded-resource"):
        words = "must be object if x-kubernetes-embedded-resource is true"
        if not kind:
            yield required(f"{path}.type", words)
        elif kind != "object":
            yield invalid(f"{path}.type", kind, words)
        yield from _embedded(node, path)
    elif not kind and not free:
        yield required(f"{path}.type", _EMPTY_LEVEL[level])
    if level == "root" and kind and kind != "object":
        yield invalid(f"{path}.type", kind, "must be object at the root")


def _embedded(node: Schema, path: str) -> Iterator[FieldError]:
    if "additionalProperties" in node:
        words = "must not be used if x-kubernetes-embedded-resource is set"
        yield forbidden(f"{path}.additionalProperties", words)
    if not node.get("x-kubernetes-preserve-unknown-fields") and not node.get("properties"):
        yield required(
            f"{path}.properties",
            "must not be empty if x-kubernetes-embedded-resource is true without"
            " x-kubernetes-preserve-unknown-fields",
        )


def _meta(node: Schema, path: str, level: Level, *, checked: bool) -> Iterator[FieldError]:
    properties = node.get("properties", {})
    for name in ("kind", "apiVersion"):
        if checked and name in properties and properties[name].get("type") != "string":
            kind = properties[name].get("type", "")
            yield invalid(f"{path}.properties[{name}].type", kind, "must be string")
    meta = properties.get("metadata")
    if meta is None:
        return
    here = f"{path}.properties[metadata]"
    if checked and meta.get("type") != "object":
        yield invalid(f"{here}.type", meta.get("type", ""), "must be object")
    if level == "root" and not _restricts_names_only(meta):
        yield forbidden(
            here,
            "must not specify anything other than name and generateName, but metadata is"
            " implicitly specified",
        )


def _restricts_names_only(meta: Schema) -> bool:
    ignored = {"type", "default"}
    if set(meta.get("properties", {"name": {}})) <= {"name", "generateName"}:
        ignored.add("properties")
    return not any(_is_set(value) for key, value in meta.items() if key not in ignored)


def _values(node: Schema, path: str, *, skip_any: bool, skip_first: bool) -> Iterator[FieldError]:
    for combinator in _COMBINATORS:
        if combinator == "anyOf" and skip_any:
            continue
        for index, branch in enumerate(node.get(combinator, ())):
            here = f"{path}.{combinator}[{index}]"
            yield from _nested(
                branch, here, skip_any=skip_first and combinator == "allOf" and not index
            )
    if "not" in node:
        yield from _nested(node["not"], f"{path}.not", skip_any=False)
    error = re2_error(node["pattern"]) if node.get("pattern") else None
    if error is not None:
        words = f"must be a valid regular expression, but isn't: {error}"
        yield invalid(f"{path}.pattern", node["pattern"], words)


def _nested(node: Schema, path: str, *, skip_any: bool) -> Iterator[FieldError]:
    yield from _values(node, path, skip_any=skip_any, skip_first=False)
    if isinstance(node.get("items"), dict):
        yield from _nested(node["items"], f"{path}.items", skip_any=False)
    for name, child in node.get("properties", {}).items():
        yield from _nested(child, f"{path}.properties[{name}]", skip_any=False)
    for keyword, words in _NESTED:
        value = node.get(keyword)
        if keyword == "additionalProperties" and value is False:
            continue
        if (value is not None) if keyword in _PRESENT else _is_set(value):
            yield forbidden(f"{path}.{keyword}", words)
    if "metadata" in node.get("properties", {}):
        words = "must not be specified in a nested context"
        yield forbidden(f"{path}.properties[metadata]", words)


def _complete(
    node: Schema, known: Schema | None, known_path: str, path: str
) -> Iterator[FieldError]:
    branches = [(f"{path}.not", node["not"])] if "not" in node else []
    for combinator in _COMBINATORS:
        for index, branch in enumerate(node.get(combinator, ())):
            branches.append((f"{path}.{combinator}[{index}]", branch))
    for here, branch in branches:
        yield from _complete_nested(branch, known, known_path, here)


def _complete_nested(
    node: Schema, known: Schema | None, known_path: str, path: str
) -> Iterator[FieldError]:
    if known is None:
        yield required(known_path, f"because it is defined in {path}")
        return
    yield from _complete(node, known, known_path, path)
    if isinstance(node.get("items"), dict):
        inner, here = known.get("items"), f"{known_path}.items"
        yield from _complete_nested(node["items"], inner, here, f"{path}.items")
    for name, child in node.get("properties", {}).items():
        here = f"{known_path}.properties[{name}]"
        inner = known.get("properties", {}).get(name)
        yield from _complete_nested(child, inner, here, f"{path}.properties[{name}]")


def _is_set(value: Any) -> bool:  # noqa: ANN401 - JSON
    return value is not None and value is not False and value not in ("", [], {})


_GO_NAMES: Final = {
    "anyOf": "AnyOf", "oneOf": "OneOf", "allOf": "AllOf", "not": "Not", "enum": "Enum",
    "default": "Default", "minProperties": "MinProperties", "maxProperties": "MaxProperties",
    "additionalProperties": "AdditionalProperties", "nullable": "Nullable",
    "x-kubernetes-embedded-resource": "XEmbeddedResource",
    "x-kubernetes-int-or-string": "XIntOrString",
    "x-kubernetes-list-type": "XListType", "x-kubernetes-map-type": "XMapType",
    "x-kubernetes-list-map-keys": "XListMapKeys",
}  # fmt: skip
_ALLOWED: Final = (
    "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength"
    " MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties"
    " ExternalDocs Example XPreserveUnknownFields XValidations]"
)


def root_problems(version: Schema, tree: Schema, path: str) -> Iterator[FieldError]:
    """What is wrong at the root, which a status subresource restricts further."""
    if tree.get("nullable"):
        yield forbidden(f"{path}.nullable", "nullable cannot be true at the root")
    if version.get("subresources", {}).get("status") is None:
        return
    kind = tree.get("type", "")
    if kind not in {"", "object"}:
        words = 'only "object" is allowed as the type at the root of the schema'
        yield invalid(f"{path}.type", kind, f"{words} if the status subresource is enabled")
    elif any(keyword in _GO_NAMES and value is not False for keyword, value in tree.items()):
        words = "fields are allowed at the root of the schema if the status subresource is enabled"
        yield invalid_unshown(path, f"only {_ALLOWED} {words}")
