"""The metadata of a resource: group, names, scope and one version, written and read.

A root model carries it as plain data under `x-kubernetes-crd` in `json_schema_extra`, in the API's
own spelling. `resource(…)` writes that data from typed arguments; `read_resource` reads it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from crdgen.errors import ModelError
from crdgen.markers import Marker, schema_extra
from crdgen.schema_keywords import CRD, Schema


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`; `path` as in `.spec.size`, `type` as the API spells it."""

    name: str
    path: str
    type: Literal["string", "integer", "number", "boolean", "date"] = "string"
    description: str | None = None
    priority: int | None = None
    format: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The column in the API's own spelling."""
        return _present({
            "name": self.name, "jsonPath": self.path, "type": self.type,
            "description": self.description, "priority": self.priority, "format": self.format,
        })  # fmt: skip


_AGE: Final = Column("Age", ".metadata.creationTimestamp", type="date")


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale subresource, which autoscalers and `kubectl scale` use."""

    spec_replicas: str
    status_replicas: str
    label_selector: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The paths in the API's own spelling."""
        return _present({
            "specReplicasPath": self.spec_replicas, "statusReplicasPath": self.status_replicas,
            "labelSelectorPath": self.label_selector,
        })  # fmt: skip


def resource(
    *parts: Marker | dict[str, Any],
    group: str,
    version: str,
    kind: str | None = None,
    plural: str | None = None,
    singular: str | None = None,
    short_names: Sequence[str] = (),
    categories: Sequence[str] = (),
    scope: Literal["Namespaced", "Cluster"] = "Namespaced",
    served: bool = True,
    storage: bool | None = None,
    deprecated: bool = False,
    deprecation_warning: str | None = None,
    status: bool = False,
    scale: Scale | None = None,
    columns: Sequence[Column] = (),
    age: bool = True,
    selectable: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    conversion: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a root model says of its resource, and `parts` such as rules on the whole object.

    Names are guessed from `kind`, and `kind` from the class, as the Kubernetes tools do.
    `storage` is needed only when a kind has several versions. `selectable` are JSON paths. kubectl
    shows no AGE beside columns of a definition, so one is added unless `age` is False.
    """
    names: dict[str, Any] = {"kind": kind, "plural": plural, "singular": singular}
    shown = [column.to_dict() for column in columns]
    if shown and age and all(each["jsonPath"] != _AGE.path for each in shown):
        shown.append(_AGE.to_dict())
    names |= {"shortNames": list(short_names) or None, "categories": list(categories) or None}
    subresources: dict[str, Any] = {"status": {}} if status else {}
    if scale is not None:
        subresources["scale"] = scale.to_dict()
    full: dict[str, Any] = {
        "group": group, "version": version, "names": _present(names), "scope": scope,
        "served": served, "storage": storage, "deprecated": deprecated or None,
        "deprecationWarning": deprecation_warning, "subresources": subresources or None,
        "additionalPrinterColumns": shown or None,
        "selectableFields": [{"jsonPath": path} for path in selectable] or None,
        "metadata": _present({"labels": labels, "annotations": annotations}) or None,
        "conversion": conversion,
    }  # fmt: skip
    return schema_extra({CRD: _present(full)}, *parts)


def _present(full: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: dict(value) if isinstance(value, Mapping) else value
        for key, value in full.items()
        if value is not None
    }


_SHARED: Final = ("group", "names", "scope", "conversion", "metadata", "preserveUnknownFields")
_TYPES: Final = {
    **dict.fromkeys(("group", "version", "scope", "deprecationWarning"), (str, "text")),
    **dict.fromkeys(("names", "conversion", "metadata", "subresources"), (dict, "an object")),
    **dict.fromkeys(("served", "storage", "deprecated"), (bool, "true or false")),
    **dict.fromkeys(("additionalPrinterColumns", "selectableFields"), (list, "a list")),
}
_VERSION: Final = (
    "version", "served", "storage", "deprecated", "deprecationWarning", "subresources",
    "additionalPrinterColumns", "selectableFields",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Resource:
    """What a root model says of itself; `names` is complete, `version` one entry's own keys."""

    group: str
    kind: str
    names: Schema
    scope: str
    version: Schema
    storage: bool | None
    shared: Schema = field(default_factory=dict)


def read_resource(model: str, extra: Any) -> Resource:  # noqa: ANN401 - whatever the model carries
    """Read the metadata `extra` of the model named `model`.

    Raises:
        ModelError: it is missing, misspelt or incomplete.
    """
    if not isinstance(extra, dict):
        raise ModelError(
            "it does not say which resource it is; give it model_config ="
            f' ConfigDict(json_schema_extra={{"{CRD}": {{"group": …, "version": …}}}})'
            " or crdgen.resource(…)"
        )
    for key in extra:
        if key not in (*_SHARED, *_VERSION):
            known = ", ".join((*_SHARED, *_VERSION))
            raise ModelError(f"{CRD} has an unknown key '{key}'; known are {known}")
    for key, (kind, words) in _TYPES.items():
        if not isinstance(extra.get(key), (kind, type(None))):
            raise ModelError(f"{CRD}: '{key}' must be {words}")
    for key in ("group", "version"):
        if not extra.get(key):
            raise ModelError(f"{CRD} lacks '{key}'; add it, such as \"{_example(key)}\"")
    return _resource(model, extra)


def plural_of(kind: str) -> str:
    """The plural that kubectl users expect, as the Kubernetes tools guess it."""
    lower = kind.lower()
    if re.search(r"(s|x|z|ch|sh)$", lower):
        return f"{lower}es"
    return f"{lower[:-1]}ies" if re.search(r"[^aeiou]y$", lower) else f"{lower}s"


def _resource(model: str, extra: Schema) -> Resource:
    names = dict(extra.get("names", {}))
    kind = str(names.setdefault("kind", model))
    names.setdefault("listKind", f"{kind}List")
    names.setdefault("plural", plural_of(kind))
    names.setdefault("singular", kind.lower())
    return Resource(
        group=extra["group"],
        kind=kind,
        names={key: value for key, value in names.items() if value != []},
        scope=extra.get("scope", "Namespaced"),
        version=_version(extra),
        storage=extra.get("storage"),
        shared={key: extra[key] for key in ("conversion", "metadata") if extra.get(key)},
    )


def _version(extra: Schema) -> Schema:
    version = {key: extra[key] for key in _VERSION[3:] if extra.get(key)}
    return {"name": extra["version"], "served": extra.get("served", True), **version}


def _example(key: str) -> str:
    return "example.com" if key == "group" else "v1"
