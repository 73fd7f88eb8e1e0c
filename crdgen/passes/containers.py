"""Lists, sets, tuples, maps and models that allow extra fields.

The server refuses `uniqueItems` and has no `prefixItems` and no `propertyNames`.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from crdgen.passes.keywords import UNTYPED
from crdgen.schema_keywords import COSTLY, UNSUPPORTED, Schema, unsupported

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_KEY_TESTS: Final = {
    "string": {
        "pattern": ("key.matches({})", "match '{}'"),
        "minLength": ("key.size() >= {}", "have at least {} characters"),
        "maxLength": ("key.size() <= {}", "have at most {} characters"),
    },
    "integer": {
        "minimum": ("int(key) >= {}", "be greater than or equal to {}"),
        "maximum": ("int(key) <= {}", "be less than or equal to {}"),
        "multipleOf": ("int(key) % {} == 0", "be multiples of {}"),
    },
}
_KEY_KEYWORDS: Final = frozenset({
    "type", "title", "description", "enum", "format", "exclusiveMinimum", "exclusiveMaximum",
    *_KEY_TESTS["string"], *_KEY_TESTS["integer"],
})  # fmt: skip


def keys_as_rule(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with `propertyNames` as a CEL rule: the server has no keyword for it."""
    if "propertyNames" not in node:
        return node
    names = node["propertyNames"]
    rest = {key: value for key, value in node.items() if key != "propertyNames"}
    if UNSUPPORTED in names:
        return {**rest, UNSUPPORTED: names[UNSUPPORTED]}
    kind = names.get("format") or names.get("type") or "of several types"
    if not {kind} & {*_KEY_TESTS, "uuid", "ipv4"} or not names.keys() <= _KEY_KEYWORDS:
        why = f"its keys are of type {kind}, which a CEL rule cannot check"
        return {**rest, **unsupported(why, "use str or int keys")}
    tests = list(_key_tests(names))
    if not tests:
        return rest
    rule = {
        "rule": f"self.all(key, {' && '.join(test for test, _ in tests)})",
        "message": f"keys must {' and '.join(words for _, words in tests)}",
    }
    rules = [*node.get("x-kubernetes-validations", []), rule]
    return {**rest, "x-kubernetes-validations": rules, COSTLY: True}


def _key_tests(names: Schema) -> Iterator[tuple[str, str]]:
    if "enum" in names:
        values = [str(value) for value in names["enum"]]
        listed = json.dumps(values, ensure_ascii=False)
        yield f"key in {listed}", f"be one of {', '.join(values)}"
        return
    if names["type"] == "integer":
        yield "key.matches('^(0|-?[1-9][0-9]*)$')", "be whole numbers"
    for keyword, (test, words) in _KEY_TESTS[names["type"]].items():
        if keyword in names:
            value = json.dumps(names[keyword], ensure_ascii=False)
            found = test.format(value), words.format(names[keyword])
            if names.get(f"exclusive{keyword.capitalize()}"):
                found = found[0].replace("=", ""), found[1].replace("or equal to ", "")
            yield found


def open_as_preserved(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with `additionalProperties: true` said as Kubernetes says it, false left out."""
    extra = node.get("additionalProperties")
    rest = {key: value for key, value in node.items() if key != "additionalProperties"}
    if extra is None or extra is False or node.get(_PRESERVE):
        return rest
    if isinstance(extra, dict):
        return node if not node.get("properties") else _mixed(rest, extra)
    if node.get("properties"):
        return {**rest, _PRESERVE: True}
    return {**rest, **UNTYPED}


def _mixed(rest: Schema, extra: Schema) -> Schema:
    if extra in ({}, UNTYPED):
        return {**rest, _PRESERVE: True}
    return unsupported(
        "named fields and typed extra fields cannot stand in one object",
        "put the extra fields into a map of their own",
    )


def sort_set_defaults(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with the items of sets in its default in an order that is the same each time."""
    return {**node, "default": _sort_sets(node["default"], node)} if "default" in node else node


def _sort_sets(value: Any, node: Schema) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        inner = node.get("properties", {})
        return {name: _sort_sets(child, inner.get(name, {})) for name, child in value.items()}
    if isinstance(value, list):
        items = [_sort_sets(item, node.get("items", {})) for item in value]
        return sorted(items, key=_sort_key) if node.get("uniqueItems") else items
    return value


def _sort_key(value: object) -> tuple[bool, float, str]:
    number = isinstance(value, (int, float))
    return (not number, float(value) if number else 0, json.dumps(value, sort_keys=True))  # type: ignore[arg-type]


def set_as_list_type(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with `uniqueItems` as `x-kubernetes-list-type: set`."""
    if not node.get("uniqueItems"):
        return {key: value for key, value in node.items() if key != "uniqueItems"}
    rest = {key: value for key, value in node.items() if key != "uniqueItems"}
    items = rest.get("items", {})
    if items.get("nullable"):
        return unsupported("a set cannot hold null", "use a list, or drop None from the items")
    atomic = {"object": "x-kubernetes-map-type", "array": "x-kubernetes-list-type"}
    if items.get("type") in atomic:  # the server compares the items of a set as a whole
        rest["items"] = items | {atomic[items["type"]]: "atomic"}
    return {"x-kubernetes-list-type": "set"} | rest


def tuple_as_list(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with equal `prefixItems` as `items`; a tuple of several types is refused."""
    if UNSUPPORTED in node:
        return node
    if "prefixItems" not in node:
        if node.get("type") == "array" and "items" not in node:
            return {**node, **unsupported("it is always empty", "leave it out")}
        return node
    titled = node["prefixItems"]
    first, *others = ({k: v for k, v in item.items() if k != "title"} for item in titled)
    if any(other != first for other in others):
        return unsupported(
            "a tuple of several types has no structural form", "use a model with named fields"
        )
    rest = {key: value for key, value in node.items() if key != "prefixItems"}
    return {**rest, "items": first}
