"""Scalars: `const`, enums, exclusive bounds, patterns and null.

The server has `enum` beside a `type` only, exclusive bounds as flags, and RE2 patterns. A nullable
field breaks `kubectl explain`, and most clients leave out what they do not set, so None as a
default means that the field may be absent, and nothing more.
"""

import json
from typing import Final

from crdgen.passes.inline import merge_keywords
from crdgen.schema_keywords import COSTLY, Schema, unsupported

_LATE: Final = {
    "ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}  # fmt: skip
_LENGTHS: Final = {
    "array": {"minLength": "minItems", "maxLength": "maxItems"},
    "object": {"minLength": "minProperties", "maxLength": "maxProperties"},
}
_INT_OR_STRING: Final = "x-kubernetes-int-or-string"
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
        node = {**node, "enum": values, "nullable": True}
    return node | _type_of(values)


def _type_of(values: list[object]) -> Schema:
    kinds = {_NAMES.get(type(value)) for value in values}
    if kinds == {"number"}:
        return unsupported("its values are floats", "use int or str values")
    if len(kinds) == 1 and None not in kinds:
        return {"type": kinds.pop()}
    if kinds == {"integer", "string"}:
        return {_INT_OR_STRING: True}
    return unsupported("its values are of several types", "use values of one type")


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
    test = f"self in {values}"
    if _INT_OR_STRING in node:  # a list of CEL holds values of one type
        each = (json.dumps(value, ensure_ascii=False) for value in node["enum"])
        test = " || ".join(f"self == {value}" for value in each)
    rule = {"rule": test, "message": f"must be one of {shown}"}
    rules = [*node.get("x-kubernetes-validations", ()), rule]
    return {**rest, "x-kubernetes-validations": rules, COSTLY: True}


_PAIRS: Final = (("exclusiveMinimum", "minimum", max), ("exclusiveMaximum", "maximum", min))


def late_constraints(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with what pydantic calls by its own names when it stands behind a validator."""
    kind = node.get("type")
    for late, keyword in _LATE.items():
        if late in node and kind in {"integer", "number"}:
            node = {key: value for key, value in node.items() if key != late} | {
                keyword: node[late]
            }
        elif late in node:
            why = f"'{late}' holds for a value that the schema does not know as a number"
            return {**node, **unsupported(why, "put it before the validator, or use crdgen.Rule")}
    if {"minLength", "maxLength"} & node.keys():
        if (
            kind in {"integer", "number", "boolean"}
            or {"properties", "anyOf", "oneOf"} & node.keys()
        ):
            why = "a limit of length holds for a value that has none"
            return {**node, **unsupported(why, "put it on what has a length, before the validator")}
        lengths = _LENGTHS.get(str(kind), {})
        node = {lengths.get(key, key): value for key, value in node.items()}
    return node


def exclusive_as_flag(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with `exclusiveMinimum: 3` as `minimum: 3, exclusiveMinimum: true`."""
    for exclusive, inclusive, tighter in _PAIRS:
        bound = node.get(exclusive)
        if bound is None or isinstance(bound, bool):
            continue
        node = {key: value for key, value in node.items() if key != exclusive}
        if inclusive in node and tighter(node[inclusive], bound) != bound:
            continue
        node |= {inclusive: bound, exclusive: True}
    return node


def require_re2(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node, refused when its pattern is none that RE2 compiles."""
    if "pattern" not in node:
        return node
    from crdgen.regex import re2_error  # noqa: PLC0415 - loads a native library

    error = re2_error(str(node["pattern"]))
    if error is None:
        return node
    return {
        **node,
        **unsupported(
            f"its pattern is not RE2, which the API server uses ({error})",
            "write it without look-around and back-references",
        ),
    }


def drop_null_branch(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node without its `null` branch and without a default of null."""
    absent = "default" in node and node["default"] is None
    if absent:
        node = {key: value for key, value in node.items() if key != "default"}
        if None in node.get("enum", ()):
            node["enum"] = [value for value in node["enum"] if value is not None]
    branches = node.get("anyOf", [])
    others = [branch for branch in branches if branch.get("type") != "null"]
    if len(others) == len(branches):
        return node
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    if not absent and {"minLength", "maxLength", *_LATE} & rest.keys():
        why = "a limit behind a validator holds for None too, which has no length and no order"
        return {**rest, **unsupported(why, "put the limit before the validator")}
    if not absent:
        rest.setdefault("nullable", True)
    return merge_keywords(others[0], rest) if len(others) == 1 else {"anyOf": others, **rest}
