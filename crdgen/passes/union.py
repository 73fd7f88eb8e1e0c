"""Unions: one structural shape for all branches, and a junctor that says which combinations hold.

Structural schemas allow types, defaults and descriptions outside of `anyOf`/`oneOf` only, and
value constraints inside. So a union of models becomes one object with the properties of all, and
each branch keeps what tells it apart: what it requires and its discriminator's value.
"""

from collections.abc import Sequence
from typing import Any, Final

from crdgen.marks import REFUSED, Schema, refused
from crdgen.passes import shape

_INT_OR_STRING: Final = "x-kubernetes-int-or-string"
_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"


def hoist(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
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
    return bool({"type", _INT_OR_STRING, REFUSED, _PRESERVE} & branch.keys())


def _hoisted(junctor: str, branches: list[Schema], discriminator: Any) -> Schema:  # noqa: ANN401
    for branch in branches:
        if REFUSED in branch:
            return branch
    kinds = {branch.get("type", _INT_OR_STRING) for branch in branches}
    if kinds == {"integer", "number"}:
        return {"type": "number"}
    if kinds <= {"integer", "string", _INT_OR_STRING} and len(kinds) > 1:
        return _int_or_string(branches)
    if len(kinds) > 1:
        return refused(
            f"a union of {' and '.join(sorted(kinds))} has no structural form",
            "use one type, or hold it as data with crdgen.PreserveUnknown()",
        )
    if any(rule in branch for branch in branches for rule in ("x-kubernetes-validations",)):
        branches = shape.guarded(branches, discriminator)
    return _of_one_type(junctor, branches)


def _of_one_type(junctor: str, branches: list[Schema]) -> Schema:
    merged = shape.merged(branches)
    if REFUSED in merged:
        return merged
    constraints = [shape.constraints(branch, merged, branches) for branch in branches]
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
                return refused(
                    f"'{key}' cannot hold for one half of an int-or-string",
                    "use one type, or say it with crdgen.Rule",
                )
            merged[key] = value
    return {_INT_OR_STRING: True, **merged}
