"""Walking and rewriting duckdb-kql's query tree, for the passes between its parser and its SQL.

The tree is frozen dataclasses, tuples and lists (`duckdb_kql.ir`); a rewrite shares what it leaves.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

Node = Any


def walk(node: Node) -> Iterator[Node]:
    """Every dataclass node under `node`, itself included, parents first."""
    if isinstance(node, list | tuple):
        for item in node:
            yield from walk(item)
    elif dataclasses.is_dataclass(node):
        yield node
        for field in dataclasses.fields(node):
            yield from walk(getattr(node, field.name))


def rewrite(node: Node, change: Callable[[Node], Node]) -> Node:
    """`node` with `change` applied to every dataclass node, children first."""
    if isinstance(node, list | tuple):
        items = [rewrite(item, change) for item in node]
        if all(new is old for new, old in zip(items, node, strict=True)):
            return node
        return items if isinstance(node, list) else tuple(items)
    if not dataclasses.is_dataclass(node) or isinstance(node, type):
        return node
    fields = {field.name: getattr(node, field.name) for field in dataclasses.fields(node)}
    changed = {name: rewrite(value, change) for name, value in fields.items()}
    changed = {name: value for name, value in changed.items() if value is not fields[name]}
    return change(dataclasses.replace(node, **changed) if changed else node)
