"""Unions: one structural shape for all branches, and a junctor that says which combinations hold.

Structural schemas allow types, defaults and descriptions outside of `anyOf`/`oneOf` only, and
value constraints inside. So a union of models becomes one object with the properties of all, and
each branch keeps what tells it apart: what it requires and its discriminator's value.
"""

from collections.abc import Sequence
from typing import Any, Final

from crdgen.schema_keywords import UNSUPPORTED, Schema, unsupported

_INT_OR_STRING: Final = "x-kubernetes-int-or-string"
_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"


def merge_union(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with its typed `anyOf`/`oneOf` as one shape and value constraints."""
    for junctor in ("oneOf", "anyOf"):
        branches = node.get(junctor)
        if not branches or not all(_is_typed(branch) for branch in branches):
            continue
        rest = {key: value for key, value in node.items() if key not in {junctor, "discriminator"}}
        if node.get(_PRESERVE):
            return rest
        return {**_hoisted(junctor, branches, node.get("discriminator")), **rest}
    return node


def _is_typed(branch: Schema) -> bool:
    return bool({"type", _INT_OR_STRING, UNSUPPORTED, _PRESERVE} & branch.keys())


def _hoisted(junctor: str, branches: list[Schema], discriminator: Any) -> Schema:  # noqa: ANN401
    for branch in branches:
        if UNSUPPORTED in branch:
            return branch
    kinds = {branch.get("type", _INT_OR_STRING) for branch in branches}
    if kinds == {"integer", "number"}:
        return {"type": "number"}
    if kinds <= {"integer", "string", _INT_OR_STRING} and len(kinds) > 1:
        return _int_or_string(branches)
    if len(kinds) > 1:
        return unsupported(
            f"a union of {' and '.join(sorted(kinds))} has no structural form",
            "use one type, or hold it as data with crdgen.PreserveUnknown()",
        )
    if any(rule in branch for branch in branches for rule in ("x-kubernetes-validations",)):
        branches = guard_rules(branches, discriminator)
    return _of_one_type(junctor, branches)


def _of_one_type(junctor: str, branches: list[Schema]) -> Schema:
    merged = merge_branches(branches)
    if UNSUPPORTED in merged:
        return merged
    constraints = [branch_constraints(branch, merged, branches) for branch in branches]
    if all(constraint == constraints[0] for constraint in constraints):
        return {**merged, **constraints[0]}
    if {} in constraints:
        return merged
    enums = _one_enum(constraints)
    return {**merged, **({"enum": enums} if enums else {junctor: constraints})}


def _one_enum(constraints: Sequence[Schema]) -> list[Any]:
    if any(constraint.keys() != {"enum"} for constraint in constraints):
        return []
    return list(dict.fromkeys(value for each in constraints for value in each["enum"]))


def _int_or_string(branches: list[Schema]) -> Schema:
    merged: Schema = {}
    for branch in branches:
        for key, value in branch.items():
            if key in {"type", "format", "description"}:
                continue
            if key == "enum" or merged.get(key, value) != value:
                return unsupported(
                    f"'{key}' cannot hold for one half of an int-or-string",
                    "use one type, or say it with crdgen.Rule",
                )
            merged[key] = value
    return {_INT_OR_STRING: True, **merged}


_VALUES: Final = frozenset({
    "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "maxItems", "maxLength",
    "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum", "multipleOf",
    "pattern", "anyOf", "oneOf", "allOf", "not",
})  # fmt: skip
_RULES: Final = "x-kubernetes-validations"


def merge_branches(branches: list[Schema]) -> Schema:
    """One schema that every branch fits into, refused when their shapes contradict.

    What all branches say alike is kept; value constraints that differ are left to
    `constraints`, and a default that differs is left out.
    """
    if all(branch == branches[0] for branch in branches):
        return branches[0]
    kinds = {branch.get("type") for branch in branches}
    if len(kinds) > 1:
        return unsupported(
            "it has another type in each branch of a union", "use another name in one"
        )
    if kinds == {"array"}:
        return unsupported("its lists differ between the branches of a union", "use another name")
    common = {
        key: value
        for key, value in branches[0].items()
        if key not in {"properties", "required", "additionalProperties"}
        and all(branch.get(key) == value for branch in branches)
    }
    return common | _object(branches) if kinds == {"object"} else common


def _object(branches: list[Schema]) -> Schema:
    if all("properties" not in branch for branch in branches):
        return unsupported("maps in a union cannot be told apart", "use one map")
    names = dict.fromkeys(name for branch in branches for name in branch.get("properties", {}))
    found: Schema = {"properties": {name: _property(branches, name) for name in names}}
    required = [name for name in names if all(name in _required(b) for b in branches)]
    rules = [rule for branch in branches for rule in branch.get(_RULES, ())]
    if required:
        found["required"] = required
    if rules:
        found[_RULES] = [rule for n, rule in enumerate(rules) if rule not in rules[:n]]
    return found


def _property(branches: list[Schema], name: str) -> Schema:
    variants = _variants(branches, name)
    found = merge_branches(variants)
    if len(variants) < len(branches):
        # The server would fill it in for the branches that do not know it.
        return {key: value for key, value in found.items() if key != "default"}
    enums = [variant.get("enum") for variant in variants]
    if all(enums):
        values = dict.fromkeys(value for enum in enums if enum for value in enum)
        return {**found, "enum": list(values)}
    return found


def branch_constraints(branch: Schema, common: Schema, branches: list[Schema]) -> Schema:
    """What `branch` says beyond `common`, as value constraints that a junctor may hold."""
    found = {
        key: value for key, value in branch.items() if key in _VALUES and common.get(key) != value
    }
    properties = {
        name: inner
        for name, child in branch.get("properties", {}).items()
        if (inner := _inner(name, child, common, branches))
    }
    required = [name for name in _required(branch) if name not in _required(common)]
    strangers = _strangers(branch, branches)
    return (
        found
        | ({"properties": properties} if properties else {})
        | ({"required": required} if required else {})
        | ({"not": strangers} if strangers else {})
    )


def guard_rules(branches: list[Schema], discriminator: Any) -> list[Schema]:  # noqa: ANN401 - JSON
    """The branches with each one's CEL rules held to objects of its own discriminator value."""
    if not discriminator:
        return [
            {
                **branch,
                **unsupported(
                    "CEL rules in a plain union hold for no branch in particular",
                    "give the union a discriminator",
                ),
            }
            if _RULES in branch
            else branch
            for branch in branches
        ]
    return [_guarded(branch, discriminator["propertyName"]) for branch in branches]


def _guarded(branch: Schema, name: str) -> Schema:
    values = branch.get("properties", {}).get(name, {}).get("enum", [])
    told = " && ".join(f"self.{name} != '{value}'" for value in values)
    return (
        branch
        | {
            _RULES: [
                {**rule, "rule": f"({told}) || ({rule['rule']})"} for rule in branch.get(_RULES, ())
            ]
        }
        if _RULES in branch
        else branch
    )


def _inner(name: str, child: Schema, common: Schema, branches: list[Schema]) -> Schema:
    variants = _variants(branches, name)
    return (
        branch_constraints(child, common["properties"][name], variants) if len(variants) > 1 else {}
    )


def _strangers(branch: Schema, branches: list[Schema]) -> Schema:
    if branch.get("additionalProperties") is not False:
        return {}
    own = branch.get("properties", {})
    others = sorted({name for b in branches for name in b.get("properties", {})} - own.keys())
    return {"anyOf": [{"required": [name]} for name in others]} if others else {}


def _variants(branches: list[Schema], name: str) -> list[Schema]:
    return [b["properties"][name] for b in branches if name in b.get("properties", {})]


def _required(schema: Schema) -> list[str]:
    return list(schema.get("required", ()))
