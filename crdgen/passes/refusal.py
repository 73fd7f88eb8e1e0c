"""The last word: nothing without a structural form leaves the passes."""

from collections.abc import Iterator
from typing import Final

from crdgen.errors import NotStructuralError, Refusal
from crdgen.marks import REFUSED, Schema
from crdgen.passes.walk import joined, nodes

_TYPED: Final = ("type", "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")


def of(schema: Schema) -> None:
    """Raise for the nodes that are marked or, where none is, for those without a type.

    Raises:
        NotStructuralError: with each one's path, what is wrong, and what to write.
    """
    marked = [Refusal(path, *node[REFUSED]) for node, path in nodes(schema) if REFUSED in node]
    if found := marked or list(_untyped(schema)):
        raise NotStructuralError(*dict.fromkeys(found))


def _untyped(schema: Schema) -> Iterator[Refusal]:
    for node, path in _typed(schema, ""):
        if not any(node.get(keyword) for keyword in _TYPED):
            yield Refusal(path, "it has no type", "give it one")


def _typed(node: Schema, path: str) -> Iterator[tuple[Schema, str]]:
    """The nodes outside of junctors, which must have a type."""
    yield node, path
    for name, child in node.get("properties", {}).items():
        yield from _typed(child, joined(path, name))
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            yield from _typed(node[keyword], f"{path}[*]")
