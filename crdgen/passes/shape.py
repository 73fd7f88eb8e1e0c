"""The arithmetic of `union`: the shape that branches share, and what each adds to it."""

from typing import Any, Final

from crdgen.marks import Schema, refused

_VALUES: Final = frozenset({
    "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "maxItems", "maxLength",
    "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum", "multipleOf",
    "pattern", "anyOf", "oneOf", "allOf", "not",
})  # fmt: skip
_RULES: Final = "x-kubernetes-validations"


def merged(branches: list[Schema]) -> Schema:
    """One schema that every branch fits into, refused when their shapes contradict.

    What all branches say alike is kept; value constraints that differ are left to
    `constraints`, and a default that differs is left out.
    """
    if all(branch == branches[0] for branch in branches):
        return branches[0]
    kinds = {branch.get("type") for branch in branches}
    if len(kinds) > 1:
        return refused("it has another type in each branch of a union", "use another name in one")
    if kinds == {"array"}:
        return refused("its lists differ between the branches of a union", "use another name")
    common = {
        key: value
        for key, value in branches[0].items()
        if key not in {"properties", "required", "additionalProperties"}
        and all(branch.get(key) == value for branch in branches)
    }
    return common | _object(branches) if kinds == {"object"} else common


def _object(branches: list[Schema]) -> Schema:
    if all("properties" not in branch for branch in branches):
        return refused("maps in a union cannot be told apart", "use one map")
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
    found = merged(variants)
    if len(variants) < len(branches):
        # The server would fill it in for the branches that do not know it.
        return {key: value for key, value in found.items() if key != "default"}
    enums = [variant.get("enum") for variant in variants]
    if all(enums):
        values = dict.fromkeys(value for enum in enums if enum for value in enum)
        return {**found, "enum": list(values)}
    return found


def constraints(branch: Schema, common: Schema, branches: list[Schema]) -> Schema:
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


def guarded(branches: list[Schema], discriminator: Any) -> list[Schema]:  # noqa: ANN401 - JSON
    """The branches with each one's CEL rules held to objects of its own discriminator value."""
    if not discriminator:
        return [
            {
                **branch,
                **refused(
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
    return constraints(child, common["properties"][name], variants) if len(variants) > 1 else {}


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
