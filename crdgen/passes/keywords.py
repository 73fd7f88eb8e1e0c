"""Keywords: what a structural schema may say, what is noise, and what has no counterpart."""

from typing import Final

from crdgen.marks import REFUSED, Schema, refused

_KEPT: Final = frozenset({
    "additionalProperties", "allOf", "anyOf", "default", "description", "enum", "example",
    "exclusiveMaximum", "exclusiveMinimum", "externalDocs", "format", "items", "maxItems",
    "maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum",
    "multipleOf", "not", "nullable", "oneOf", "pattern", "properties", "required", "type",
})  # fmt: skip
_UNTOLD: Final = frozenset({
    "contains", "dependentRequired", "dependentSchemas", "if", "then", "else",
    "patternProperties", "unevaluatedItems", "unevaluatedProperties", "minContains", "maxContains",
})  # fmt: skip
_FORMATS: Final = frozenset({
    "bsonobjectid", "byte", "cidr", "creditcard", "date", "date-time", "datetime", "double",
    "duration", "email", "float", "hexcolor", "hostname", "int32", "int64", "ipv4", "ipv6",
    "isbn", "isbn10", "isbn13", "k8s-long-name", "k8s-short-name", "mac", "password", "rgbcolor",
    "ssn", "uri", "uuid", "uuid3", "uuid4", "uuid5",
})  # fmt: skip
"""The formats that kube-apiserver 1.37 checks or documents; it warns of any other."""


def known(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node without titles, examples and unknown formats, refused where it loses meaning."""
    for keyword in sorted(_UNTOLD & node.keys()):
        node |= refused(f"'{keyword}' has no structural form", "say it with crdgen.Rule")
    kept = {key: value for key, value in node.items() if _is_kept(key)}
    if kept.get("description") == "":
        del kept["description"]
    if "required" in kept:
        kept["required"] = sorted(kept["required"])
    if kept.get("required") == []:
        del kept["required"]
    if kept.get("format", "date") not in _FORMATS:
        del kept["format"]
    return kept


def undescribed(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node without its description."""
    return {key: value for key, value in node.items() if key != "description"}


def _is_kept(key: str) -> bool:
    return key in _KEPT or key == REFUSED or key.startswith("x-kubernetes-")
