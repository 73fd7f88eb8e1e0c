"""A schema as CEL sees it: the name and type of each node, and how large it can get in one request.

Sizes feed the cost estimate: `largest` is the most elements (characters times 4, items, entries),
`smallest` the fewest bytes of JSON. An unbounded size is what fits into 3 MiB (Kubernetes'
limit for a request). Names are escaped as Kubernetes does (`__dash__` and the like).
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from crdgen.cel import types
from crdgen.cel.types import Type
from crdgen.schema_keywords import Schema

REQUEST: Final = 3 * 1024 * 1024
"""Bytes."""
_TEXT: Final = REQUEST - 2
_DATE: Final = 12
_MOMENT: Final = 32
_STRING: Final[Schema] = {"type": "string"}
_SIMPLE: Final = {
    "boolean": (types.BOOL, 4),
    "number": (types.DOUBLE, 1),
    "integer": (types.INT, 1),
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


def declare(schema: Schema, *, root: bool, name: str = "self") -> Declared | None:
    """How CEL sees `schema`; None when it does not see it at all (no type).

    `root` adds what every object has: apiVersion, kind and the names in metadata.
    """
    if schema.get("x-kubernetes-int-or-string"):
        longest = _times_four(schema["maxLength"]) if "maxLength" in schema else _TEXT
        return Declared(types.DYN, 1, longest)
    if root:
        schema = with_object_meta(schema)
    kind = schema.get("type", "")
    if kind in _SIMPLE:
        return Declared(*_SIMPLE[kind])
    return _BUILDERS[kind](schema, name) if kind in _BUILDERS else None


def with_object_meta(schema: Schema) -> Schema:
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
    return Declared(types.list_of(inner.kind), 2, largest, item=inner)


def _object(schema: Schema, name: str) -> Declared | None:
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        return _map(schema, extra, name)
    fields, smallest = {}, 2
    required = schema.get("required", ())
    for prop, child in schema.get("properties", {}).items():
        inner = _inner(child, f"{name}.{escape(prop)}")
        if inner is None:
            continue
        for identifier in spellings(prop):
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
    key = Declared(types.STRING, 2)
    return Declared(types.map_of(types.STRING, inner.kind), 2, largest, key=key, item=inner)


def _string(schema: Schema, name: str) -> Declared:  # noqa: ARG001 - a builder
    most, form = schema.get("maxLength"), schema.get("format", "")
    if form == "byte":
        return Declared(types.BYTES, 2, max(most, 0) if most is not None else _TEXT)
    if form == "duration":
        return Declared(types.DURATION, 3, _MOMENT)
    if form == "date":
        return Declared(types.TIMESTAMP, _DATE, _DATE)
    if form == "date-time":
        return Declared(types.TIMESTAMP, 21, _MOMENT)
    if most is not None:
        return Declared(types.STRING, 2, _times_four(most))
    enum: list[Any] = schema.get("enum") or []
    lengths = [len(value.encode()) for value in enum if isinstance(value, str)]
    return Declared(types.STRING, 2, max(lengths, default=0) if enum else _TEXT)


def _inner(schema: Schema, name: str) -> Declared | None:
    return declare(schema, root=bool(schema.get("x-kubernetes-embedded-resource")), name=name)


def _times_four(length: int) -> int:
    return max(length, 0) * 4


_BUILDERS: Final = {"array": _list, "object": _object, "string": _string}


_RESERVED: Final = frozenset({
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function",
    "if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while",
})  # fmt: skip
_PARTS: Final = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}


def spellings(name: str) -> tuple[str, ...]:
    """What a rule may write for property `name`; a reserved word also stands for itself."""
    identifier = escape(name)
    both = (identifier, name) if name in _RESERVED else (identifier,)
    return tuple(each for each in both if each is not None)


def escape(name: str) -> str | None:
    """The identifier for property `name`, or None when CEL cannot name it."""
    if not re.fullmatch(r"[A-Za-z_./-][A-Za-z0-9_./-]*", name):
        return None
    if name in _RESERVED:
        return f"__{name}__"
    return re.sub(r"__|[./-]", lambda match: _PARTS[match[0]], name)
