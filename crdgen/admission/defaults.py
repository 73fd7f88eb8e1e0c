"""Defaults: each must validate against its own schema and hold nothing that would be pruned."""

from collections.abc import Iterator
from copy import deepcopy

from crdgen.admission import object_meta, pruning, schema
from crdgen.field_errors import FieldError, invalid
from crdgen.schema_keywords import Schema

_META = frozenset({"metadata", "apiVersion", "kind"})
_EMBEDDED = "x-kubernetes-embedded-resource"


def problems(tree: Schema, path: str) -> Iterator[FieldError]:
    """What is wrong with the defaults of a structural schema, by its keywords and its rules."""
    for node, here in _defaulted({**tree, _EMBEDDED: True}, path, in_meta=False):
        found = list(_keyword_problems(node, here))
        yield from found or _rule_problems(node, here)


def shape_problems(tree: Schema) -> Iterator[FieldError]:
    """What is wrong with the defaults of a structural schema by its keywords alone."""
    for node, path in _defaulted({**tree, _EMBEDDED: True}, "", in_meta=False):
        yield from _keyword_problems(node, path)


def _defaulted(node: Schema, path: str, *, in_meta: bool) -> Iterator[tuple[Schema, str]]:
    """The nodes with a default that is checked, each with the path of the default."""
    in_meta = in_meta and not node.get(_EMBEDDED)
    if "default" in node and not in_meta:
        yield node, f"{path}.default"
    if isinstance(node.get("items"), dict):
        yield from _defaulted(node["items"], f"{path}.items", in_meta=in_meta)
    for name, child in node.get("properties", {}).items():
        inside = in_meta or bool(node.get(_EMBEDDED) and name in _META)
        yield from _defaulted(child, f"{path}.properties[{name}]", in_meta=inside)


def _keyword_problems(node: Schema, path: str) -> Iterator[FieldError]:
    value, embedded = node["default"], bool(node.get(_EMBEDDED))
    pruned = deepcopy(value)
    pruning.prune(pruned, node, root=embedded)
    if pruned != value:
        yield invalid(path, value, "must not have unknown fields")
    found = list(object_meta.problems(value, node, path, root=embedded))
    yield from found or schema.problems(value, node, path)


def _rule_problems(node: Schema, path: str) -> Iterator[FieldError]:
    from crdgen.admission import cel_rules  # noqa: PLC0415 - compiles CEL

    value, embedded = node["default"], bool(node.get(_EMBEDDED))
    found = list(cel_rules.problems(value, value, node, path, root=embedded))
    yield from found or cel_rules.problems(value, None, node, path, root=embedded)
