"""Maps and open models: what may stand under keys that the schema does not name."""

import json
from collections.abc import Iterator

from crdgen.marks import Schema, refused
from crdgen.passes.permitted import UNTYPED

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
    return refused(
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
