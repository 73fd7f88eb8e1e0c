"""A schema as CEL sees it: the type of each node, and how large it can get in one request.

Sizes feed the cost estimate: `largest` is the most elements (characters times 4, items, entries),
`smallest` the fewest bytes of JSON. An unbounded size is what fits into 3 MiB (Kubernetes'
limit for a request).
"""

from dataclasses import dataclass, field
from typing import Any, Final

from crdgen.cel import kinds
from crdgen.cel.escape import escaped
from crdgen.cel.kinds import Type
from crdgen.marks import Schema

REQUEST: Final = 3 * 1024 * 1024
"""Bytes."""
_TEXT: Final = REQUEST - 2
_DATE: Final = 12
_MOMENT: Final = 32
_STRING: Final[Schema] = {"type": "string"}
_SIMPLE: Final = {
    "boolean": (kinds.BOOL, 4),
    "number": (kinds.DOUBLE, 1),
    "integer": (kinds.INT, 1),
}


@dataclass(frozen=True, slots=True)
class Declared:
    """One node of a schema: its CEL type, sizes and children."""

    kind: Type
    smallest: int
    largest: int = 0
    fields: dict[str, "Declared"] = field(default_factory=dict)
    key: "Declared | None" = None
    item: "Declared | None" = None


def declared(schema: Schema, *, root: bool, name: str = "self") -> Declared | None:
    """How CEL sees `schema`; None when it does not see it at all (no type).

    `root` adds what every object has: apiVersion, kind and the names in metadata.
    """
    if schema.get("x-kubernetes-int-or-string"):
        longest = _times_four(schema["maxLength"]) if "maxLength" in schema else _TEXT
        return Declared(kinds.DYN, 1, longest)
    if root:
        schema = with_meta(schema)
    kind = schema.get("type", "")
    if kind in _SIMPLE:
        return Declared(*_SIMPLE[kind])
    return _BUILDERS[kind](schema, name) if kind in _BUILDERS else None


def with_meta(schema: Schema) -> Schema:
    """The schema with the type and object metadata that CEL may read."""
    names = {"name": _STRING, "generateName": _STRING}
    meta = {"kind": _STRING, "apiVersion": _STRING}
    properties = {**schema.get("properties", {}), **meta}
    return {
        **schema,
        "properties": {**properties, "metadata": {"type": "object", "properties": names}},
    }


def types_of(node: Declared) -> dict[str, dict[str, Type]]:
    """The fields of every object type under `node`, by the type's name."""
    found: dict[str, dict[str, Type]] = {}
    if node.kind.kind == "struct":
        found[node.kind.name] = {name: child.kind for name, child in node.fields.items()}
    for child in (*node.fields.values(), node.item):
        if child is not None:
            found.update(types_of(child))
    return found


def _list(schema: Schema, name: str) -> Declared | None:
    items = schema.get("items")
    inner = _inner(items, f"{name}.@idx") if isinstance(items, dict) else None
    if inner is None:
        return None
    most = schema.get("maxItems")
    largest = max(most, 0) if most is not None else (REQUEST - 2) // (inner.smallest + 1)
    return Declared(kinds.list_of(inner.kind), 2, largest, item=inner)


def _object(schema: Schema, name: str) -> Declared | None:
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        return _map(schema, extra, name)
    fields, smallest = {}, 2
    required = schema.get("required", ())
    for prop, child in schema.get("properties", {}).items():
        inner = _inner(child, f"{name}.{escaped(prop)}")
        if inner is None:
            continue
        if (identifier := escaped(prop)) is not None:
            fields[identifier] = inner
        if prop in required and "default" not in child:
            smallest += len(prop.encode()) + inner.smallest + 4
    return Declared(Type("struct", name), smallest, fields=fields)


def _map(schema: Schema, extra: Schema, name: str) -> Declared | None:
    inner = _inner(extra, f"{name}.@elem")
    if inner is None:
        return None
    most = schema.get("maxProperties")
    largest = max(most, 0) if most is not None else (REQUEST - 2) // (inner.smallest + 6)
    key = Declared(kinds.STRING, 2)
    return Declared(kinds.map_of(kinds.STRING, inner.kind), 2, largest, key=key, item=inner)


def _string(schema: Schema, name: str) -> Declared:  # noqa: ARG001 - a builder
    most, form = schema.get("maxLength"), schema.get("format", "")
    if form == "byte":
        return Declared(kinds.BYTES, 2, max(most, 0) if most is not None else _TEXT)
    if form == "duration":
        return Declared(kinds.DURATION, 3, _MOMENT)
    if form == "date":
        return Declared(kinds.TIMESTAMP, _DATE, _DATE)
    if form == "date-time":
        return Declared(kinds.TIMESTAMP, 21, _MOMENT)
    if most is not None:
        return Declared(kinds.STRING, 2, _times_four(most))
    enum: list[Any] = schema.get("enum") or []
    lengths = [len(value.encode()) for value in enum if isinstance(value, str)]
    return Declared(kinds.STRING, 2, max(lengths, default=0) if enum else _TEXT)


def _inner(schema: Schema, name: str) -> Declared | None:
    return declared(schema, root=bool(schema.get("x-kubernetes-embedded-resource")), name=name)


def _times_four(length: int) -> int:
    return max(length, 0) * 4


_BUILDERS: Final = {"array": _list, "object": _object, "string": _string}
