"""Unions: one structural shape for all branches, and a combinator of what tells them apart.

Structural schemas allow types, defaults, descriptions and CEL rules outside of `anyOf` and `oneOf`
only, and value constraints inside. So a union of models becomes one object with the properties of
all. Each branch keeps what it requires and its discriminator's value; its rules hold for objects of
that value only.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from crdgen.passes.inline import merge_keywords
from crdgen.schema_keywords import UNSUPPORTED, Schema, unsupported

_INT_OR_STRING: Final = "x-kubernetes-int-or-string"
_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
_RULES: Final = "x-kubernetes-validations"
_VALUES: Final = frozenset({
    "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "maxItems", "maxLength",
    "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum", "multipleOf",
    "pattern", "anyOf", "oneOf", "allOf", "not",
})  # fmt: skip
_EITHER: Final = [{"type": "integer"}, {"type": "string"}]
_DIFFERENCES: Final = {
    "type": "it has another type in each of",
    "nullable": "it may be null in some and not in all of",
}
_ANOTHER: Final = "use another name in one branch"


def merge_union(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with its typed `anyOf`/`oneOf` as one shape and value constraints."""
    for combinator in ("oneOf", "anyOf"):
        branches = node.get(combinator)
        if not branches or not all(_is_typed(branch) for branch in branches):
            continue
        rest = {
            key: value for key, value in node.items() if key not in {combinator, "discriminator"}
        }
        if node.get(_PRESERVE):
            return rest
        tag = (node.get("discriminator") or {}).get("propertyName")
        return merge_keywords(_merge(combinator, branches, tag), rest)
    return node


def _is_typed(branch: Schema) -> bool:
    return bool({"type", _INT_OR_STRING, UNSUPPORTED, _PRESERVE} & branch.keys())


def _merge(combinator: str, branches: list[Schema], tag: str | None) -> Schema:
    if refused := next((branch for branch in branches if UNSUPPORTED in branch), None):
        return refused
    kinds = {branch.get("type", _INT_OR_STRING) for branch in branches}
    if kinds == {"integer", "number"}:
        return _number(branches)
    if kinds <= {"integer", "string", _INT_OR_STRING} and len(kinds) > 1:
        return _int_or_string(branches)
    if len(kinds) > 1:
        return unsupported(
            f"a union of {' and '.join(sorted(kinds))} has no structural form",
            "use one type, or hold it as data with crdgen.PreserveUnknown()",
        )
    if kinds == {"object"}:
        branches = _lift_rules(
            [_require_tag(branch, tag) for branch in branches] if tag else branches
        )
    if any(branch.get(_RULES) != branches[0].get(_RULES) for branch in branches):
        is_model = kinds == {"object"}
        branches = [_guard(each, tag) for each in branches] if is_model else [_either(branches)]
    refused = next((branch for branch in branches if UNSUPPORTED in branch), None)
    return refused or _of_one_type(combinator, branches)


def _of_one_type(combinator: str, branches: list[Schema]) -> Schema:
    merged = merge_branches(branches)
    if UNSUPPORTED in merged:
        return merged
    constraints = [branch_constraints(branch, merged, branches) for branch in branches]
    if all(constraint == constraints[0] for constraint in constraints):
        return {**merged, **constraints[0]}
    if {} in constraints:
        return merged
    enums = _one_enum(constraints)
    return {**merged, **({"enum": enums} if enums else {combinator: constraints})}


def _one_enum(constraints: Sequence[Schema]) -> list[Any]:
    if any(constraint.keys() != {"enum"} for constraint in constraints):
        return []
    return list(dict.fromkeys(value for each in constraints for value in each["enum"]))


def _number(branches: list[Schema]) -> Schema:
    known = (_VALUES | {_RULES}) & {key for branch in branches for key in branch}
    if known:
        return unsupported(
            f"'{min(known)}' cannot hold for one of integer and number", "use one of the two"
        )
    return {"type": "number"}


def _int_or_string(branches: list[Schema]) -> Schema:
    merged: Schema = {}
    for branch in branches:
        for key, value in branch.items():
            if key in {"type", "description", "title"} or (key, value) == ("anyOf", _EITHER):
                continue
            one_sided = key in {"enum", "format", "anyOf", "oneOf", _RULES}
            if one_sided or merged.get(key, value) != value:
                return unsupported(
                    f"'{key}' cannot hold for one half of an int-or-string",
                    "use one type, or say it with crdgen.Rule",
                )
            merged[key] = value
    return {_INT_OR_STRING: True, **merged}


def merge_branches(branches: list[Schema]) -> Schema:
    """One schema that every branch fits into, refused when their shapes contradict.

    What all branches say alike is kept; value constraints that differ are left to
    `branch_constraints`, and a default that differs is left out.
    """
    if all(branch == branches[0] for branch in branches):
        return branches[0]
    if error := _contradiction(branches):
        return unsupported(f"{error} the branches of a union", _ANOTHER)
    common = {
        key: value
        for key, value in branches[0].items()
        if key not in {"properties", "required", "additionalProperties"}
        and all(branch.get(key) == value for branch in branches)
    }
    return common | _object(branches) if branches[0].get("type") == "object" else common


def _contradiction(branches: list[Schema]) -> str:
    first = branches[0]
    if any(isinstance(branch.get("additionalProperties"), dict) for branch in branches):
        return "maps cannot be distinguished between"
    marks = {key for branch in branches for key in branch if key.startswith("x-")}
    for key in ("type", "nullable", *sorted(marks - {_RULES, "x-kubernetes-map-type"})):
        if any(branch.get(key) != first.get(key) for branch in branches):
            return _DIFFERENCES.get(key, f"'{key}' differs between")
    if first.get("type") == "array":
        return "its lists differ between"
    is_open = {branch.get("additionalProperties") is True for branch in branches}
    if len(is_open) > 1:
        return "extra fields are kept in some and not in all of"
    named = {tuple(sorted(branch.get("properties", {}))) for branch in branches}
    if is_open == {True} and len(named) > 1:
        return "extra fields of one have the names of fields of another of"
    return ""


def _object(branches: list[Schema]) -> Schema:
    names = dict.fromkeys(name for branch in branches for name in branch.get("properties", {}))
    found: Schema = {"properties": {name: _property(branches, name) for name in names}}
    required = [name for name in names if all(name in _required(b) for b in branches)]
    rules = [rule for branch in branches for rule in branch.get(_RULES, ())]
    if required:
        found["required"] = required
    if rules:
        found[_RULES] = [rule for n, rule in enumerate(rules) if rule not in rules[:n]]
    if branches[0].get("additionalProperties") is True:
        found["additionalProperties"] = True
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
    """What `branch` says beyond `common`, as value constraints that a combinator may hold."""
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


def _inner(name: str, child: Schema, common: Schema, branches: list[Schema]) -> Schema:
    variants = _variants(branches, name)
    if len(variants) == 1:
        return {}
    return branch_constraints(child, common["properties"][name], variants)


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


def _require_tag(branch: Schema, tag: str) -> Schema:
    """The branch with its discriminator required, as pydantic does even where it has a default."""
    properties = dict(branch.get("properties", {}))
    properties[tag] = {key: v for key, v in properties.get(tag, {}).items() if key != "default"}
    required = [*_required(branch), *([] if tag in _required(branch) else [tag])]
    return {**branch, "properties": properties, "required": required}


def _guard(branch: Schema, tag: str | None) -> Schema:
    """The branch with each of its CEL rules held to objects of its own discriminator value."""
    if _RULES not in branch:
        return branch
    name = _identifier(tag or "")
    if tag is None or name is None:
        why = "CEL rules in a plain union hold for no branch in particular"
        if tag is not None:
            why = f"CEL has no name for the discriminator {tag!r}"
        return {**branch, **unsupported(why, "give the union a discriminator, such as 'kind'")}
    values = branch["properties"].get(tag, {}).get("enum", [])
    other = " && ".join(f"self.{name} != {_literal(value)}" for value in values)
    rules = [{**rule, "rule": f"({other}) || ({rule['rule']})"} for rule in branch[_RULES]]
    return {**branch, _RULES: rules}


def _either(branches: list[Schema]) -> Schema:
    """One schema of text or numbers that differ in their rules only, refused when in more."""
    shapes = [{key: v for key, v in branch.items() if key != _RULES} for branch in branches]
    rules = [branch.get(_RULES, []) for branch in branches]
    plain = all(each and {"rule", "message"} == rule.keys() for each in rules for rule in each)
    if not all(rules) or not plain or any(shape != shapes[0] for shape in shapes):
        why = "its branches have rules, and nothing else tells them apart"
        return {**shapes[0], **unsupported(why, "use one type, or say it with crdgen.Rule")}
    tests = ["(" + " && ".join(f"({rule['rule']})" for rule in each) + ")" for each in rules]
    words = " or ".join(" and ".join(str(rule["message"]) for rule in each) for each in rules)
    return {**shapes[0], _RULES: [{"rule": " || ".join(tests), "message": words}]}


def _lift_rules(branches: list[Schema]) -> list[Schema]:
    """The branches with the rules of a shared field on the branch, where they are not the same."""
    for name in dict.fromkeys(name for b in branches for name in b.get("properties", {})):
        found = [list(_rules_within(each, (name,))) for each in _variants(branches, name)]
        if any(rules != found[0] for rules in found):
            branches = [_lift_field(branch, name) for branch in branches]
    return branches


def _lift_field(branch: Schema, name: str) -> Schema:
    child = branch.get("properties", {}).get(name)
    if child is None:
        return branch
    lifted = [_lift(rule, path) for path, rule in _rules_within(child, (name,))]
    if not all(lifted):
        why = f"a rule of {name} that reads oldSelf holds in one branch of the union only"
        return {**branch, **unsupported(why, _ANOTHER)}
    properties = {**branch["properties"], name: _without_rules(child)}
    rules = [*branch.get(_RULES, ()), *lifted]
    return {**branch, "properties": properties, **({_RULES: rules} if rules else {})}


def _rules_within(node: Schema, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Schema]]:
    yield from ((path, rule) for rule in node.get(_RULES, ()))
    for name, child in node.get("properties", {}).items():
        yield from _rules_within(child, (*path, name))


def _without_rules(node: Schema) -> Schema:
    found = {key: value for key, value in node.items() if key != _RULES}
    if "properties" in node:
        found["properties"] = {n: _without_rules(child) for n, child in node["properties"].items()}
    return found


def _lift(rule: Schema, path: tuple[str, ...]) -> Schema | None:
    """The rule of the field at `path` as a rule of the object, or None when it reads oldSelf."""
    names = [_identifier(name) for name in path]
    if None in names or any(re.search(r"\boldSelf\b", str(text)) for text in rule.values()):
        return None
    steps = [".".join(["self", *map(str, names[: n + 1])]) for n in range(len(names))]
    absent = " || ".join(f"!has({step})" for step in steps)
    inner = f"[{steps[-1]}].all(self, {rule['rule']})"
    at = "".join(f".{n}" if n.isidentifier() else f"['{n}']" for n in path)
    found = {**rule, "rule": f"{absent} || {inner}", "fieldPath": at + rule.get("fieldPath", "")}
    if "messageExpression" in rule:
        found["messageExpression"] = f"[{steps[-1]}].map(self, {rule['messageExpression']})[0]"
    return found


def _identifier(name: str) -> str | None:
    from crdgen.cel.declarations import escape  # noqa: PLC0415 - rules in unions are rare

    return escape(name)


def _literal(value: object) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
    return str(value).lower()
