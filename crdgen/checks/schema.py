"""What kube-apiserver holds against a schema apart from its structure.

Keywords that it does not support, list and map types, and the shape of CEL rules.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from crdgen.checks import list_types
from crdgen.field_errors import FieldError, forbidden, invalid, required, unsupported
from crdgen.field_path import FieldPathError, resolve
from crdgen.schema_keywords import Schema

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_META: Final = frozenset({"metadata", "kind", "apiVersion"})
_REASONS: Final = (
    "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired",
)  # fmt: skip
_UNSUPPORTED: Final = (
    "id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SchemaContext:
    """Where in a schema a node stands: what its ancestors forbid."""

    root: bool = True
    in_meta: bool = False
    no_defaults: str = ""


def problems(
    node: Schema, path: str, place: SchemaContext = SchemaContext()
) -> Iterator[FieldError]:
    """What is wrong with the schema at `path` and below."""
    yield from _keywords(node, path, place)
    yield from _children(node, path, place)
    yield from list_types.problems(node, path)
    for index, rule in enumerate(node.get("x-kubernetes-validations", ())):
        yield from _rule(rule, node, f"{path}.x-kubernetes-validations[{index}]")


def _keywords(node: Schema, path: str, place: SchemaContext) -> Iterator[FieldError]:
    kind = node.get("type", "")
    if kind and kind not in _TYPES:
        yield unsupported(f"{path}.type", kind, _TYPES)
    if "default" in node and place.no_defaults:
        yield forbidden(f"{path}.default", f"must not be set {place.no_defaults}")
    for keyword in _UNSUPPORTED:
        if node.get(keyword):
            yield forbidden(f"{path}.{keyword}", f"{keyword} is not supported")
    if kind == "null":
        words = "type cannot be set to null, use nullable as an alternative"
        yield forbidden(f"{path}.type", words)
    if isinstance(node.get("items"), list) and node["items"]:
        yield forbidden(f"{path}.items", "items must be a schema object and not an array")
    if place.in_meta and node.get("x-kubernetes-embedded-resource"):
        words = "must not be used inside of resource meta"
        yield forbidden(f"{path}.x-kubernetes-embedded-resource", words)
    if node.get("uniqueItems"):
        words = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden(f"{path}.uniqueItems", words)
    if node.get("x-kubernetes-preserve-unknown-fields") is False:
        words = "must be true or undefined"
        yield invalid(f"{path}.x-kubernetes-preserve-unknown-fields", False, words)  # noqa: FBT003


def _children(node: Schema, path: str, place: SchemaContext) -> Iterator[FieldError]:
    below = replace(place, root=False)
    extra = node.get("additionalProperties")
    if extra is not None and node.get("properties") and extra is not True:
        words = "additionalProperties and properties are mutual exclusive"
        yield forbidden(f"{path}.additionalProperties", words)
    if isinstance(extra, dict):
        yield from problems(extra, f"{path}.additionalProperties", _in_map(below))
    for name, child in node.get("properties", {}).items():
        inner = _in_property(node, name, below, root=place.root)
        yield from problems(child, f"{path}.properties[{name}]", inner)
    if "not" in node:
        yield from problems(node["not"], f"{path}.not", below)
    for combinator in ("allOf", "oneOf", "anyOf"):
        for index, child in enumerate(node.get(combinator, ())):
            yield from problems(child, f"{path}.{combinator}[{index}]", below)
    if isinstance(node.get("items"), dict):
        yield from problems(node["items"], f"{path}.items", below)


def _in_map(place: SchemaContext) -> SchemaContext:
    reason = "inside additionalProperties applying to object metadata"
    return replace(place, no_defaults=reason) if place.in_meta else place


def _in_property(node: Schema, name: str, place: SchemaContext, *, root: bool) -> SchemaContext:
    if name not in _META or not (root or node.get("x-kubernetes-embedded-resource")):
        return place
    reason = f"in top-level {name}" if root else place.no_defaults
    return replace(place, in_meta=True, no_defaults=reason)


def _rule(rule: Schema, node: Schema, path: str) -> Iterator[FieldError]:
    text, message = rule.get("rule", ""), rule.get("message", "")
    if not text.strip():
        yield required(f"{path}.rule", "rule is not specified")
    elif message and not message.strip():
        yield invalid(f"{path}.message", message, "must be non-empty if specified")
    elif re.search(r"[\n\r]", message.strip()):
        yield invalid(f"{path}.message", message, "must not contain line breaks")
    elif re.search(r"[\n\r]", text.strip()) and not message.strip():
        words = "message must be specified if rule contains line breaks"
        yield required(f"{path}.message", words)
    if rule.get("messageExpression") and not rule["messageExpression"].strip():
        words = "messageExpression must be non-empty if specified"
        yield required(f"{path}.messageExpression", words)
    if rule.get("reason") is not None and rule["reason"] not in _REASONS:
        yield unsupported(f"{path}.reason", rule["reason"], _REASONS)
    yield from _field_path(rule.get("fieldPath", ""), node, f"{path}.fieldPath")


def _field_path(written: str, node: Schema, path: str) -> Iterator[FieldError]:
    if not written:
        return
    if not written.strip():
        yield invalid(path, written, "must be non-empty if specified")
    if re.search(r"[\n\r]", written):
        yield invalid(path, written, "must not contain line breaks")
    try:
        resolve(written, node)
    except FieldPathError:
        yield invalid(path, written, "must be a valid path")
