"""Walks a schema node by node with the path as a user would write it."""

from collections.abc import Callable, Iterator

from crdgen.schema_keywords import Schema

Visit = Callable[[Schema, str], Schema]
COMBINATORS = ("allOf", "anyOf", "oneOf")


def nodes(schema: Schema, path: str = "") -> Iterator[tuple[Schema, str]]:
    """Every node under and including `schema`, parents first, with its path."""
    yield schema, path
    for child, step in _children(schema, path):
        yield from nodes(child, step)


def rewrite(schema: Schema, visit: Visit, path: str = "") -> Schema:
    """A copy of `schema` with `visit` applied to every node, children first."""
    copy = dict(schema)
    for name in ("items", "additionalProperties", "not", "propertyNames"):
        if isinstance(copy.get(name), dict):
            copy[name] = rewrite(copy[name], visit, _step(path, name))
    if isinstance(copy.get("properties"), dict):
        copy["properties"] = {
            name: rewrite(child, visit, join_path(path, name))
            for name, child in copy["properties"].items()
        }
    for name in (*COMBINATORS, "prefixItems"):
        if isinstance(copy.get(name), list):
            copy[name] = [rewrite(child, visit, path) for child in copy[name]]
    return visit(copy, path)


def join_path(path: str, name: str) -> str:
    """The path of property `name` under `path`."""
    return f"{path}.{name}" if path else name


def _step(path: str, keyword: str) -> str:
    return path if keyword in {"not", "propertyNames"} else f"{path}[*]"


def _children(schema: Schema, path: str) -> Iterator[tuple[Schema, str]]:
    for name in ("items", "additionalProperties", "not", "propertyNames"):
        if isinstance(schema.get(name), dict):
            yield schema[name], _step(path, name)
    for name, child in schema.get("properties", {}).items():
        yield child, join_path(path, name)
    for name in (*COMBINATORS, "prefixItems"):
        for child in schema.get(name, ()):
            yield child, path
