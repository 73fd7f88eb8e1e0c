"""Floats and untyped data: refused unless the field or the caller says they are meant."""

from crdgen.marks import ANY, FLOAT, Schema, refused
from crdgen.options import Options

_PRESERVE = "x-kubernetes-preserve-unknown-fields"


def only(node: Schema, path: str, options: Options) -> Schema:  # noqa: ARG001 - a pass
    """The node without its marks where allowed, refused where not."""
    if FLOAT in node:
        allowed = node[FLOAT] == "allowed" or options.allow_float
        node = _without(node, FLOAT) if allowed else _float(node)
    extra = node.get("additionalProperties")
    untyped = extra is True or (isinstance(extra, dict) and ANY in extra)
    if untyped and options.allow_any and "properties" not in node:
        node = {**_without(node, "additionalProperties"), _PRESERVE: True}
    if ANY in node and (options.allow_any or node.get(_PRESERVE)):
        node = {**_without(node, ANY), _PRESERVE: True}
    return node


def _float(node: Schema) -> Schema:
    return _without(node, FLOAT) | refused(
        "a float changes between clients",
        "use int, Decimal or crdgen.Quantity, or opt in with crdgen.Float or --allow-float",
    )


def _without(node: Schema, keyword: str) -> Schema:
    return {key: value for key, value in node.items() if key != keyword}
