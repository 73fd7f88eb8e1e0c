"""What only the root of a version's schema must not say."""

from collections.abc import Iterator
from typing import Final

from crdgen.marks import Schema
from crdgen.problem import Problem, forbidden, invalid, invalid_unshown

_GO_NAMES: Final = {
    "anyOf": "AnyOf", "oneOf": "OneOf", "allOf": "AllOf", "not": "Not", "enum": "Enum",
    "default": "Default", "minProperties": "MinProperties", "maxProperties": "MaxProperties",
    "additionalProperties": "AdditionalProperties", "nullable": "Nullable",
    "x-kubernetes-embedded-resource": "XEmbeddedResource",
    "x-kubernetes-int-or-string": "XIntOrString",
    "x-kubernetes-list-type": "XListType", "x-kubernetes-map-type": "XMapType",
    "x-kubernetes-list-map-keys": "XListMapKeys",
}  # fmt: skip
_ALLOWED: Final = (
    "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength"
    " MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties"
    " ExternalDocs Example XPreserveUnknownFields XValidations]"
)


def problems(version: Schema, tree: Schema, path: str) -> Iterator[Problem]:
    """What is wrong at the root, which a status subresource restricts further."""
    if tree.get("nullable"):
        yield forbidden(f"{path}.nullable", "nullable cannot be true at the root")
    if version.get("subresources", {}).get("status") is None:
        return
    kind = tree.get("type", "")
    if kind not in {"", "object"}:
        words = 'only "object" is allowed as the type at the root of the schema'
        yield invalid(f"{path}.type", kind, f"{words} if the status subresource is enabled")
    elif any(keyword in _GO_NAMES and value is not False for keyword, value in tree.items()):
        words = "fields are allowed at the root of the schema if the status subresource is enabled"
        yield invalid_unshown(path, f"only {_ALLOWED} {words}")
