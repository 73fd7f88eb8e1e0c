"""`const` and untyped enums: the server knows `enum` beside a `type` only."""

import json
from typing import Final

from crdgen.marks import Schema, refused

_NAMES: Final = {bool: "boolean", int: "integer", float: "number", str: "string"}


def const_as_enum(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with `const` as a one-value enum and the type that its values share."""
    if "const" in node:
        node = {key: value for key, value in node.items() if key != "const"} | {
            "enum": [node["const"]]
        }
    if "enum" not in node or not isinstance(node["enum"], list):
        return node
    values = [value for value in node["enum"] if value is not None]
    if len(values) < len(node["enum"]):
        node = _without_null(node, values)
    return node if "type" in node else node | _typed(values)


def _without_null(node: Schema, values: list[object]) -> Schema:
    return (
        {**node, "enum": values, "nullable": True}
        if "default" not in node
        else {
            **node,
            "enum": values,
        }
    )


def _typed(values: list[object]) -> Schema:
    kinds = {_NAMES.get(type(value)) for value in values}
    if len(kinds) == 1 and None not in kinds:
        return {"type": kinds.pop()}
    if kinds == {"integer", "string"}:
        return {"x-kubernetes-int-or-string": True}
    return refused("its values are of several types", "use values of one type")


def nullable_enum_as_rule(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with an enum that null must pass as a CEL rule.

    NB: the API server holds null against an enum even where it is nullable (1.37), while a rule
    is not asked about null.
    """
    if not (node.get("nullable") and node.get("enum")):
        return node
    rest = {key: value for key, value in node.items() if key != "enum"}
    values = json.dumps(node["enum"], ensure_ascii=False)
    shown = ", ".join(str(value) for value in node["enum"])
    rule = {"rule": f"self in {values}", "message": f"must be one of {shown}"}
    rules = [*node.get("x-kubernetes-validations", ()), rule]
    return {**rest, "x-kubernetes-validations": rules}
