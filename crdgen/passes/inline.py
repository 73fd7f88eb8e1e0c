"""Replaces every `$ref` by what it names: the API server knows no references.

A model that contains itself is unrolled as often as was asked for, or marked as refused with the
cycle.
"""

from collections.abc import Iterator
from typing import Final

from crdgen.errors import ModelError
from crdgen.passes.walk import COMBINATORS, join_path
from crdgen.schema_keywords import DEPTH, Schema, unsupported

_PREFIX: Final = "#/$defs/"
_MOST_NODES: Final = 200_000
"""Far above what fits into an object that etcd stores; stops models that multiply."""


def inline_references(schema: Schema, depth: int) -> Schema:
    """`schema` without `$ref` and `$defs`; `depth` is how often a model may contain itself.

    Raises:
        ModelError: the result would not fit into any API server.
    """
    return _Inliner(schema.get("$defs", {}), depth).inline(schema, "", ())


class _Inliner:
    def __init__(self, definitions: dict[str, Schema], depth: int) -> None:
        self._definitions = definitions
        self._depth = depth
        self._count = 0

    def inline(self, node: Schema, path: str, stack: tuple[str, ...]) -> Schema:
        self._count += 1
        if self._count > _MOST_NODES:
            raise ModelError(f"{path}: the schema grows beyond {_MOST_NODES} nodes; share less")
        if "$ref" not in node:
            return dict(self._within(node, path, stack))
        name = node["$ref"].removeprefix(_PREFIX)
        target = self._definitions[name]
        beside = {key: value for key, value in node.items() if key != "$ref"}
        if name not in stack:
            return self.inline(merge_keywords(target, beside), path, (*stack, name))
        return self._unroll(name, merge_keywords(target, beside), path, stack)

    def _unroll(self, name: str, node: Schema, path: str, stack: tuple[str, ...]) -> Schema:
        depth = int(node.get(DEPTH, self._depth))
        if depth == 0:
            cycle = " → ".join((*stack[stack.index(name) :], name))
            return unsupported(
                f"the model contains itself ({cycle})",
                "state how deep with --depth N or crdgen.Unrolled(N), or hold the inner part as"
                " data with crdgen.PreserveUnknown()",
            )
        if stack.count(name) <= depth:
            return self.inline(node, path, (*stack, name))
        kept = {key: node[key] for key in ("description",) if key in node}
        return {**kept, "type": "object", "x-kubernetes-preserve-unknown-fields": True}

    def _within(
        self, node: Schema, path: str, stack: tuple[str, ...]
    ) -> Iterator[tuple[str, object]]:
        for key, value in node.items():
            if key == "properties":
                yield key, {n: self.inline(c, join_path(path, n), stack) for n, c in value.items()}
            elif key in {*COMBINATORS, "prefixItems"}:
                yield key, [self.inline(child, path, stack) for child in value]
            elif key in {"items", "additionalProperties"} and isinstance(value, dict):
                yield key, self.inline(value, f"{path}[*]", stack)
            elif key in {"not", "propertyNames"}:
                yield key, self.inline(value, path, stack)
            elif key != "$defs":
                yield key, value


BOUNDS: Final = {
    **dict.fromkeys(
        ("minLength", "minItems", "minProperties", "minimum", "exclusiveMinimum"), max
    ),
    **dict.fromkeys(
        ("maxLength", "maxItems", "maxProperties", "maximum", "exclusiveMaximum"), min
    ),
}  # fmt: skip
"""Keywords of which the tighter holds where two are said, and which is the tighter."""


def merge_keywords(target: Schema, beside: Schema) -> Schema:
    """A definition with what a field says beside its reference; limits and rules of both hold."""
    merged = {**target, **beside}
    for key in target.keys() & beside.keys():
        if key in BOUNDS:
            merged[key] = BOUNDS[key](target[key], beside[key])
        elif key == "x-kubernetes-validations":
            merged[key] = [*target[key], *beside[key]]
        elif key in {"pattern", "multipleOf"} and target[key] != beside[key]:
            merged |= unsupported(f"it has two values of {key}", "use one, or crdgen.Rule")
    return merged
