"""Puts CustomResourceDefinitions together from root models: the heart of `crdgen generate`."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel

from crdgen import passes, pydantic_schema, resources
from crdgen.errors import ModelError
from crdgen.options import Options
from crdgen.resources import Resource
from crdgen.schema_keywords import CRD, Schema

_TYPE_META: Final[Schema] = {
    "apiVersion": {
        "type": "string",
        "description": "The group and version of this object's schema, as group/version.",
    },
    "kind": {"type": "string", "description": "The resource that this object is, in CamelCase."},
    "metadata": {"type": "object"},
}
_Version = tuple[Resource, Schema]


def generate(*models: type[BaseModel], options: Options | None = None) -> list[dict[str, Any]]:
    """One CustomResourceDefinition a kind, in the order in which the kinds first appear.

    Models of one group and kind are versions of one definition, in the order given.

    Raises:
        NotStructuralError: fields have no structural schema; says which and what to write.
        ModelError: a model's metadata is missing or contradicts another version's.
    """
    kinds: dict[tuple[str, str], list[_Version]] = {}
    for model in models:
        described = _described(model, options or Options())
        kinds.setdefault((described[0].group, described[0].kind), []).append(described)
    return [_definition(versions) for versions in kinds.values()]


def _described(model: type[BaseModel], options: Options) -> _Version:
    schema = pydantic_schema.generate_json_schema(model)
    root = schema
    if "$ref" in schema:
        root = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    found = resources.read_resource(model.__name__, root.pop(CRD, None))
    properties = root.setdefault("properties", {})
    for name, meta in _TYPE_META.items():
        kept = {"type": "object"} if name == "metadata" else meta
        properties[name] = {**kept}
    root["required"] = [name for name in root.get("required", ()) if name not in _TYPE_META]
    root.pop("additionalProperties", None)
    return found, passes.structural(schema, options)


def _definition(versions: Sequence[_Version]) -> dict[str, Any]:
    first = versions[0][0]
    for other, _ in versions[1:]:
        _agree(first, other)
    spec: dict[str, Any] = {
        "group": first.group,
        "names": first.names,
        "scope": first.scope,
        "versions": _versions(versions),
    }
    if "conversion" in first.shared:
        spec["conversion"] = first.shared["conversion"]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            **first.shared.get("metadata", {}),
            "name": f"{first.names['plural']}.{first.group}",
        },
        "spec": spec,
    }


def _versions(versions: Sequence[_Version]) -> list[Schema]:
    stored = [found for found, _ in versions if found.storage or len(versions) == 1]
    names = [found.version["name"] for found, _ in versions]
    if len(stored) != 1:
        kind = versions[0][0].kind
        raise ModelError(
            f"{kind}: {len(stored)} of its versions {', '.join(names)} are marked"
            ' "storage": true; mark exactly one'
        )
    if len(set(names)) < len(names):
        raise ModelError(f"{versions[0][0].kind}: two models are version {names[0]}; rename one")
    return [
        {**found.version, "storage": found is stored[0], "schema": {"openAPIV3Schema": schema}}
        for found, schema in versions
    ]


def _agree(first: Resource, other: Resource) -> None:
    for what in ("names", "scope", "shared"):
        if getattr(first, what) != getattr(other, what):
            raise ModelError(
                f"{first.kind}: versions {first.version['name']} and {other.version['name']}"
                f" differ in {what}; say the same in both"
            )
