"""Scalars: `const`, enums, exclusive bounds, patterns and null.

The server has `enum` beside a `type` only, exclusive bounds as flags, and RE2 patterns. A nullable
field breaks `kubectl explain`, and most clients leave out what they do not set, so None as a
default means that the field may be absent, and nothing more.
"""

import json
from math import isfinite
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
_RULES: Final = "x-kubernetes-validations"
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
    if not kinds:
        return unsupported("it has no value", "give its enum a member")
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
            rest = {key: value for key, value in node.items() if key != late}
            node = merge_keywords(rest, {keyword: node[late]})
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
        for late, keyword in _LENGTHS.get(str(kind), {}).items():
            if late in node:
                rest = {key: value for key, value in node.items() if key != late}
                node = merge_keywords(rest, {keyword: node[late]})
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


_RANGES: Final = {"int32": 2**31}
_UNREPRESENTABLE: Final = "the API server holds {} as a 64-bit float, which {} is not"


def bounds_as_floats(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node without bounds that its integer type has anyway, refused where a float differs.

    NB: to the API server a bound outside of the type refuses every value (1.37), and the largest
    integer of 64 bits is outside, since it is rounded up.
    """
    if node.get("type") != "integer":
        return node
    limit = _RANGES.get(str(node.get("format")), 2**63)
    for sign, keyword in ((1, "maximum"), (-1, "minimum")):
        exclusive = f"exclusive{keyword.capitalize()}"
        strict = node.get(exclusive) is True
        if keyword in node and sign * node[keyword] >= limit - (sign > 0) + strict:
            node = {key: v for key, v in node.items() if key not in {keyword, exclusive}}
    for keyword in ("maximum", "minimum", "multipleOf"):
        value = node.get(keyword, 0)
        if abs(value) >= 2**63 or float(value) != value:
            why = _UNREPRESENTABLE.format(keyword, value)
            return {**node, **unsupported(why, "use a rounder number, or crdgen.Rule")}
    return node


_NUMERIC: Final = frozenset({"integer", "number"})
_COMPARED: Final = {
    ("minimum", False): ">=", ("minimum", True): ">", ("maximum", False): "<=",
    ("maximum", True): "<",
}  # fmt: skip
_WORDS: Final = {">": "greater than", "<": "less than"}


def fractions_as_rules(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with bounds of floats that are no 64-bit integers as CEL rules.

    NB: the API server truncates a bound before it compares an integer with it, such as 0 with a
    minimum of 0.5 (1.37).
    """
    if node.get("type") not in _NUMERIC:
        return node
    if not isinstance(node.get("multipleOf", 0), int) and not node["multipleOf"].is_integer():
        why = "the API server truncates a multipleOf that is a fraction"
        return {**node, **unsupported(why, "use a whole number, or crdgen.Rule")}
    rules = list(node.get(_RULES, ()))
    for keyword in ("minimum", "maximum"):
        bound = float(node.get(keyword, 0))
        if bound.is_integer() and abs(bound) < 2**63:
            continue
        exclusive = f"exclusive{keyword.capitalize()}"
        sign = _COMPARED[keyword, node.get(exclusive) is True]
        words = _WORDS[sign[0]] + " or equal to" * (sign[1:] == "=")
        node = {key: v for key, v in node.items() if key not in {keyword, exclusive}}
        if isfinite(bound):
            rules.append(
                {"rule": f"self {sign} {bound!r}", "message": f"must be {words} {bound!r}"}
            )
    return {**node, _RULES: rules, COSTLY: True} if rules != list(node.get(_RULES, ())) else node


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
