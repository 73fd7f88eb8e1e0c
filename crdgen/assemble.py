"""Puts CustomResourceDefinitions together from root models: the heart of `crdgen generate`."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, RootModel

from crdgen import own_fields, passes, pydantic_schema, resources
from crdgen.definition import LARGEST, decode_definition
from crdgen.errors import CrdgenError, ModelError, NotStructuralError, UnsupportedField
from crdgen.options import Options
from crdgen.passes import walk
from crdgen.resources import Resource
from crdgen.schema_keywords import COSTLY, CRD, Schema, unsupported

_Version = tuple[Resource, Schema]


def generate(*models: type[BaseModel], options: Options | None = None) -> list[dict[str, Any]]:
    """One CustomResourceDefinition a kind, in the order in which the kinds first appear.

    Models of one group and kind are versions of one definition, in the order given.

    Raises:
        NotStructuralError: fields have no structural schema; says which and what to write.
        ModelError: a model's metadata is missing or contradicts another version's.
    """
    kinds: dict[tuple[str, str], list[_Version]] = {}
    names: dict[tuple[str, str], str] = {}
    for model in models:
        described = _describe(model, options or Options())
        kind = (described[0].group, described[0].kind)
        kinds.setdefault(kind, []).append(described)
        names.setdefault(kind, _name(model))
    return [_sound(_definition(versions), names[kind]) for kind, versions in kinds.items()]


def _name(model: type[BaseModel]) -> str:
    return f"{model.__module__}:{model.__qualname__}"


def _sound(crd: dict[str, Any], where: str) -> dict[str, Any]:
    """The definition, refused when a model says what the API has no field for, or too much."""
    definition = decode_definition(crd)
    if definition.problems:
        first = definition.problems[0]
        raise ModelError(f"{where}: {first.field} {first.detail}")
    if definition.size > LARGEST:
        raise ModelError(
            f"{where}: the definition has {definition.size:,} bytes, and the API server"
            f" stores {LARGEST:,} at most; generate --no-descriptions, or share less"
        )
    return crd


def _describe(model: type[BaseModel], options: Options) -> _Version:
    where = _name(model)
    try:
        return _read(model, options)
    except NotStructuralError as error:
        raise NotStructuralError(*error.refusals, model=where) from None
    except CrdgenError as error:
        raise ModelError(f"{where}: {error}") from error
    except Exception as error:  # what a model's own hooks raise, or its own keywords break
        reason = " ".join([type(error).__name__ + ":", *str(error).splitlines()[:1]])
        raise ModelError(f"{where}: its JSON schema cannot be read: {reason}") from error


def _read(model: type[BaseModel], options: Options) -> _Version:
    schema = pydantic_schema.generate_json_schema(model)
    root = schema
    if "$ref" in schema:
        root = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    if issubclass(model, RootModel):
        raise ModelError("a RootModel has no fields; name a model with spec, and status if any")
    found = resources.read_resource(model.__name__, root.pop(CRD, None))
    properties = root.setdefault("properties", {})
    properties |= own_fields.own_fields(root, found, schema.get("$defs", {}))
    required = root.get("required", ())
    if "status" in required and "status" in found.version.get("subresources", {}):
        properties["status"] = unsupported(
            "it is required, but the API server drops status when an object is created, so no"
            " object could be made",
            "write status: Status | None = None",
        )
    root["required"] = [name for name in required if name not in own_fields.DESCRIBED]
    if root.pop("additionalProperties", None) is True:
        root["x-kubernetes-preserve-unknown-fields"] = True
    structural = passes.structural(schema, options)
    _require_valid_defaults(structural)
    if any([node.pop(COSTLY, False) for node, _ in walk.nodes(structural)]):  # noqa: C419 - pops all
        _require_affordable(structural)
    return found, structural


def _require_affordable(schema: Schema) -> None:
    """Refuse rules that could cost more than the API server allows: some were not the user's."""
    from crdgen.checks.rules import check_rules  # noqa: PLC0415 - compiles CEL, which few need

    problems, costs = check_rules(schema, "", [])
    worst = max(costs, key=lambda cost: cost.total, default=None)
    if worst is not None and any(problem.kind == "Forbidden" for problem in problems):
        path = _as_written(worst.path.partition(".x-kub")[0])
        why = "a CEL rule of it could cost more than the API server allows"
        bounds = ", ".join(worst.unbounded[:3])
        raise NotStructuralError(UnsupportedField(path, why, f"give a max_length to {bounds}"))


def _require_valid_defaults(schema: Schema) -> None:
    """Refuse defaults that the API server does not take; CEL rules on them are left to `check`."""
    from crdgen.admission import defaults  # noqa: PLC0415 - keeps the import of the package light

    refused = [
        UnsupportedField(
            _as_written(problem.field.removesuffix(".default")),
            f"the API server refuses its default: {problem.detail}",
            "correct it, or use a default_factory, which the CRD leaves out",
        )
        for problem in defaults.shape_problems(schema)
    ]
    if refused:
        raise NotStructuralError(*refused)


def _as_written(path: str) -> str:
    """A path in a schema as users write it: `spec.rules[*].weight`."""
    path = re.sub(r"\.(additionalProperties|items)", "[*]", path)
    return re.sub(r"\.?properties\[([^\]]*)\]", r".\1", path).strip(".")


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
