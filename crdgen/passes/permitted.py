"""Floats and untyped data: refused unless the field or the caller says they are meant."""

from crdgen.marks import ANY, FLOAT, Schema, refused
from crdgen.options import Options

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
UNTYPED = refused(
    "it holds values of any type",
    "say of which, or opt in with crdgen.PreserveUnknown() on the field or --allow-any",
)


def only(node: Schema, path: str, options: Options) -> Schema:  # noqa: ARG001 - a pass
    """The node without its marks where allowed, refused where not."""
    if FLOAT in node:
        allowed = node[FLOAT] == "allowed" or options.allow_float
        node = _without(node, FLOAT) if allowed else _float(node)
    if node.get("additionalProperties") is True and options.allow_any and "properties" not in node:
        node = {**_without(node, "additionalProperties"), _PRESERVE: True}
    if ANY in node:
        allowed = node[ANY] == "allowed" or options.allow_any or node.get(_PRESERVE)
        kept = {_PRESERVE: True} if "default" in node else {_PRESERVE: True, "nullable": True}
        node = {**_without(node, ANY), **(kept if allowed else UNTYPED)}
    return node


def _float(node: Schema) -> Schema:
    return _without(node, FLOAT) | refused(
        "a float changes between clients",
        "use int, Decimal or crdgen.Quantity, or opt in with crdgen.Float or --allow-float",
    )


def _without(node: Schema, keyword: str) -> Schema:
    return {key: value for key, value in node.items() if key != keyword}
