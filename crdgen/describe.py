"""Typed metadata of a root model: `resource(…)` gives its `json_schema_extra`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from crdgen.marker import Marker, schema_extra
from crdgen.marks import CRD


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`; `path` as in `.spec.size`, `type` as the API spells it."""

    name: str
    path: str
    type: Literal["string", "integer", "number", "boolean", "date"] = "string"
    description: str | None = None
    priority: int | None = None
    format: str | None = None

    def written(self) -> dict[str, Any]:
        """The column in the API's own spelling."""
        full = {
            "name": self.name,
            "jsonPath": self.path,
            "type": self.type,
            "description": self.description,
            "priority": self.priority,
            "format": self.format,
        }
        return {key: value for key, value in full.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale subresource, which autoscalers and `kubectl scale` use."""

    spec_replicas: str
    status_replicas: str
    label_selector: str | None = None

    def written(self) -> dict[str, Any]:
        """The paths in the API's own spelling."""
        paths = {
            "specReplicasPath": self.spec_replicas,
            "statusReplicasPath": self.status_replicas,
            "labelSelectorPath": self.label_selector,
        }
        return {key: value for key, value in paths.items() if value is not None}


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
    selectable: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    conversion: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a root model says of its resource, and `parts` such as rules on the whole object.

    Names are guessed from `kind`, and `kind` from the class, as the Kubernetes tools do.
    `storage` is needed only when a kind has several versions. `selectable` are JSON paths.
    """
    names: dict[str, Any] = {"kind": kind, "plural": plural, "singular": singular}
    names |= {"shortNames": list(short_names) or None, "categories": list(categories) or None}
    subresources: dict[str, Any] = {"status": {}} if status else {}
    if scale is not None:
        subresources["scale"] = scale.written()
    full: dict[str, Any] = {
        "group": group,
        "version": version,
        "names": _present(names),
        "scope": scope,
        "served": served,
        "storage": storage,
        "deprecated": deprecated or None,
        "deprecationWarning": deprecation_warning,
        "subresources": subresources or None,
        "additionalPrinterColumns": [column.written() for column in columns] or None,
        "selectableFields": [{"jsonPath": path} for path in selectable] or None,
        "metadata": _present({"labels": labels, "annotations": annotations}) or None,
        "conversion": conversion,
    }
    return schema_extra({CRD: _present(full)}, *parts)


def _present(full: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: dict(value) if isinstance(value, Mapping) else value
        for key, value in full.items()
        if value is not None
    }
