"""Defaults: each must validate against its own schema and hold nothing that would be pruned."""

from collections.abc import Iterator
from copy import deepcopy

from crdgen.admission import object_meta, pruning, schema
from crdgen.field_errors import FieldError, invalid
from crdgen.passes.walk import nodes
from crdgen.schema_keywords import Schema

_META = frozenset({"metadata", "apiVersion", "kind"})
_EMBEDDED = "x-kubernetes-embedded-resource"


def problems(tree: Schema, path: str) -> Iterator[FieldError]:
    """What is wrong with the defaults of a structural schema."""
    yield from _node({**tree, _EMBEDDED: True}, path, in_meta=False)


def _node(node: Schema, path: str, *, in_meta: bool) -> Iterator[FieldError]:
    in_meta = in_meta and not node.get(_EMBEDDED)
    if "default" in node and not in_meta:
        yield from _default(node, f"{path}.default")
    if isinstance(node.get("items"), dict):
        yield from _node(node["items"], f"{path}.items", in_meta=in_meta)
    for name, child in node.get("properties", {}).items():
        inside = in_meta or bool(node.get(_EMBEDDED) and name in _META)
        yield from _node(child, f"{path}.properties[{name}]", in_meta=inside)


def _default(node: Schema, path: str) -> Iterator[FieldError]:
    value = node["default"]
    embedded = bool(node.get(_EMBEDDED))
    pruned = deepcopy(value)
    pruning.prune(pruned, node, root=embedded)
    if pruned != value:
        yield invalid(path, value, "must not have unknown fields")
    found = list(object_meta.problems(value, node, path, root=embedded))
    found = found or list(schema.problems(value, node, path))
    if not found and any(each.get("x-kubernetes-validations") for each, _ in nodes(node)):
        from crdgen.admission import cel_rules  # noqa: PLC0415 - few defaults have rules

        found = list(cel_rules.problems(value, value, node, path, root=embedded))
        found = found or list(cel_rules.problems(value, None, node, path, root=embedded))
    yield from found
