"""Lists, sets, tuples, maps and models that allow extra fields.

The server refuses `uniqueItems` and has no `prefixItems` and no `propertyNames`.
"""

import json
from collections.abc import Iterator

from crdgen.passes.keywords import UNTYPED
from crdgen.schema_keywords import Schema, unsupported

_PRESERVE = "x-kubernetes-preserve-unknown-fields"


def keys_as_rule(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with `propertyNames` as a CEL rule: the server has no keyword for it."""
    if "propertyNames" not in node:
        return node
    rest = {key: value for key, value in node.items() if key != "propertyNames"}
    tests = list(_key_tests(node["propertyNames"]))
    if not tests:
        return rest
    rule = {
        "rule": f"self.all(key, {' && '.join(tests)})",
        "message": "has a key that is not allowed",
    }
    return {**rest, "x-kubernetes-validations": [*node.get("x-kubernetes-validations", []), rule]}


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


def _key_tests(names: Schema) -> Iterator[str]:
    if "pattern" in names:
        yield f"key.matches({json.dumps(names['pattern'], ensure_ascii=False)})"
    if "enum" in names:
        yield f"key in {json.dumps(names['enum'], ensure_ascii=False)}"
    if "minLength" in names:
        yield f"key.size() >= {names['minLength']}"
    if "maxLength" in names:
        yield f"key.size() <= {names['maxLength']}"


def set_as_list_type(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with `uniqueItems` as `x-kubernetes-list-type: set`."""
    if not node.get("uniqueItems"):
        return {key: value for key, value in node.items() if key != "uniqueItems"}
    rest = {key: value for key, value in node.items() if key != "uniqueItems"}
    items = rest.get("items", {})
    if items.get("nullable"):
        return unsupported("a set cannot hold null", "use a list, or drop None from the items")
    atomic = {"object": "x-kubernetes-map-type", "array": "x-kubernetes-list-type"}
    if items.get("type") in atomic:
        rest["items"] = {atomic[items["type"]]: "atomic"} | items
    return {"x-kubernetes-list-type": "set"} | rest


def tuple_as_list(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with equal `prefixItems` as `items`; a tuple of several types is refused."""
    if "prefixItems" not in node:
        return node
    first, *others = node["prefixItems"]
    if any(other != first for other in others):
        return unsupported(
            "a tuple of several types has no structural form", "use a model with named fields"
        )
    rest = {key: value for key, value in node.items() if key != "prefixItems"}
    return {**rest, "items": first}
