"""One object against one definition: what would be stored, and what the server would say.

`crdgen validate` and `crdgen.validate` call `review`. Steps and gates are those of a custom
resource's create or update on kube-apiserver 1.37.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from crdgen.admission import cel_rules, list_types, object_meta, pruning, schema
from crdgen.admission.ratcheting import Correlation
from crdgen.definition import Definition
from crdgen.errors import InputError
from crdgen.field_errors import FieldError, invalid
from crdgen.schema_keywords import Schema

_BLOCKING: Final = frozenset({"Unsupported", "Required", "TooLong", "TooMany", "TypeInvalid"})
_NOT_CHECKED: Final = (
    "some validation rules were not checked because the object was invalid; correct the existing"
    " errors to complete validation"
)
_RANDOM: Final = "x2z4b"
"""Five characters of those that the server draws from."""
_LONGEST_PREFIX: Final = 58
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """What the server would answer: problems, or the object as stored.

    `unknown` are the fields that were dropped; kubectl refuses them, the API server itself only
    warns.
    """

    name: str
    problems: tuple[FieldError, ...]
    unknown: tuple[str, ...]
    object: Object

    @property
    def admitted(self) -> bool:
        """Whether the object would be stored."""
        return not self.problems


def validate_object(
    definition: Definition, new: Object, old: Object | None = None
) -> ValidationResult:
    """Judge `new`, as a creation or, with `old`, as an update.

    Raises:
        InputError: the object is of a kind or version that the definition does not serve.
    """
    version = served_version(definition, new)
    tree = version["schema"]["openAPIV3Schema"]
    stored = deepcopy(new)
    unknown = _decode(stored, tree)
    before = None
    if old is not None:
        before = deepcopy(old)
        _decode(before, tree)
    _without_status(stored, before, version)
    name = str((stored.get("metadata") or {}).get("name", ""))
    found = tuple(_problems(definition, version, _named(stored), before))
    return ValidationResult(name, found, tuple(unknown), stored)


def _named(new: Object) -> Object:
    """The object with a name that the server would make of its `generateName`."""
    metadata = new.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("name"):
        return new
    prefix = metadata.get("generateName")
    if not (prefix and isinstance(prefix, str)):
        return new
    return {**new, "metadata": {**metadata, "name": prefix[:_LONGEST_PREFIX] + _RANDOM}}


def served_version(definition: Definition, new: Object) -> Schema:
    """The version of `definition` that `new` is written in.

    Raises:
        InputError: its kind, group or version is not one that the definition serves.
    """
    kind, api = new.get("kind"), str(new.get("apiVersion", ""))
    group, _, name = api.rpartition("/")
    wanted = definition.spec.get("names", {}).get("kind")
    known = [each["name"] for each in definition.versions if each.get("served")]
    if kind != wanted or group != definition.spec.get("group") or name not in known:
        versions = " or ".join(f"{definition.spec.get('group')}/{each}" for each in known)
        raise InputError(
            f"{kind or 'an object without a kind'} of apiVersion {api!r} is not what"
            f" {definition.name} serves; it serves {wanted} of {versions or 'no version'}"
        )
    return definition.version(name) or {}


def _decode(data: Object, tree: Schema) -> list[str]:
    unknown = pruning.prune(data, tree, root=True)
    unknown += object_meta.drop_unknown(data, tree, root=True)
    pruning.drop_nulls(data, tree)
    pruning.apply_defaults(data, tree)
    return unknown


def _without_status(new: Object, old: Object | None, version: Schema) -> None:
    if version.get("subresources", {}).get("status") is None:
        return
    new.pop("status", None)
    if old is not None and "status" in old:
        new["status"] = deepcopy(old["status"])


def _problems(
    definition: Definition, version: Schema, new: Object, old: Object | None
) -> Iterator[FieldError]:
    tree = version["schema"]["openAPIV3Schema"]
    namespaced = definition.spec.get("scope") == "Namespaced"
    ratchet = Correlation(new, old, tree) if old is not None else None
    found = list(
        object_meta.own_metadata_problems(
            new.get("metadata"), namespaced=namespaced, create=old is None
        )
    )
    found += schema.update_problems(ratchet, tree) if ratchet else schema.problems(new, tree)
    found += _scale(version, new)
    found += object_meta.problems(new, tree, root=False)
    if old is None or not list(list_types.problems(old, tree)):
        found += list_types.problems(new, tree)
    yield from found
    if not _has_rules(tree):
        return
    if any(problem.kind in _BLOCKING for problem in found):
        yield FieldError("<nil>", "Invalid", _NOT_CHECKED, None)
        return
    yield from cel_rules.problems(new, old, tree, root=True, ratchet=ratchet)


def _has_rules(tree: Schema) -> bool:
    if tree.get("x-kubernetes-validations"):
        return True
    children = [*tree.get("properties", {}).values(), tree.get("items")]
    children.append(tree.get("additionalProperties"))
    return any(_has_rules(child) for child in children if isinstance(child, dict))


def _scale(version: Schema, new: Object) -> Iterator[FieldError]:
    scale = version.get("subresources", {}).get("scale")
    for key in ("specReplicasPath", "statusReplicasPath"):
        path = (scale or {}).get(key, "")
        value = _at(new, path) if path else None
        if isinstance(value, int) and value < 0:
            yield invalid(path, value, "should be a non-negative integer")
        elif isinstance(value, int) and value >= 2**31:
            yield invalid(path, value, f"should be less than or equal to {2**31 - 1}")


def _at(new: Object, path: str) -> Any:  # noqa: ANN401 - JSON
    value: Any = new
    for step in path.removeprefix(".").split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value
