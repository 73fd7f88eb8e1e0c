"""Keywords: what a structural schema may say, what is left out, and what is refused.

Floats and untyped data are refused unless the field or the options allow them.
"""

from collections.abc import Iterator
from typing import Final

from crdgen import pydantic_formats
from crdgen.errors import NotStructuralError, UnsupportedField
from crdgen.options import Options
from crdgen.passes.walk import join_path, nodes
from crdgen.schema_keywords import ANY, COSTLY, FLOAT, UNSUPPORTED, Schema, unsupported

_KEPT: Final = frozenset({
    "additionalProperties", "allOf", "anyOf", "default", "description", "enum", "example",
    "exclusiveMaximum", "exclusiveMinimum", "externalDocs", "format", "items", "maxItems",
    "maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum",
    "multipleOf", "not", "nullable", "oneOf", "pattern", "properties", "required", "type",
})  # fmt: skip
_UNSUPPORTED: Final = frozenset({
    "contains", "dependentRequired", "dependentSchemas", "if", "then", "else",
    "patternProperties", "unevaluatedItems", "unevaluatedProperties", "minContains", "maxContains",
})  # fmt: skip


def keep_known(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node without titles and what else a structural schema does not say."""
    kept = {key: value for key, value in node.items() if _is_kept(key)}
    if kept.get("description") == "":
        del kept["description"]
    if "required" in kept:
        kept["required"] = sorted(kept["required"])
    if kept.get("required") == []:
        del kept["required"]
    return kept


def refuse_unsupported(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node, refused where a keyword of it has no counterpart."""
    if node.get("type") == "null":
        return unsupported("it can only be null", "leave it out")
    for keyword in sorted(_UNSUPPORTED & node.keys()):
        return {**node, **unsupported(f"'{keyword}' has no structural form", "use crdgen.Rule")}
    return pydantic_formats.translate(node) if "format" in node else node


def drop_description(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node without its description."""
    return {key: value for key, value in node.items() if key != "description"}


def _is_kept(key: str) -> bool:
    return key in {*_KEPT, COSTLY, UNSUPPORTED} or key.startswith("x-kubernetes-")


_PRESERVE = "x-kubernetes-preserve-unknown-fields"
UNTYPED = unsupported(
    "it holds values of any type",
    "say of which, or opt in with crdgen.PreserveUnknown() on the field or --allow-any",
)


def apply_options(node: Schema, path: str, options: Options) -> Schema:  # noqa: ARG001 - a pass
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
    return _without(node, FLOAT) | unsupported(
        "a float changes between clients",
        "use int, Decimal or crdgen.Quantity, or opt in with crdgen.Float or --allow-float",
    )


def _without(node: Schema, keyword: str) -> Schema:
    return {key: value for key, value in node.items() if key != keyword}


_TYPED: Final = ("type", "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")


def require_structural(schema: Schema) -> None:
    """Raise for the nodes that are marked or, where none is, for those without a type.

    Raises:
        NotStructuralError: with each one's path, what is wrong, and what to write.
    """
    marked = [
        UnsupportedField(path, *node[UNSUPPORTED])
        for node, path in nodes(schema)
        if UNSUPPORTED in node
    ]
    if found := marked or list(_untyped(schema)):
        raise NotStructuralError(*dict.fromkeys(found))


def _untyped(schema: Schema) -> Iterator[UnsupportedField]:
    for node, path in _typed(schema, ""):
        if not any(node.get(keyword) for keyword in _TYPED):
            yield UnsupportedField(path, "it has no type", "give it one")


def _typed(node: Schema, path: str) -> Iterator[tuple[Schema, str]]:
    """The nodes outside of combinators, which must have a type."""
    yield node, path
    for name, child in node.get("properties", {}).items():
        yield from _typed(child, join_path(path, name))
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            yield from _typed(node[keyword], f"{path}[*]")
