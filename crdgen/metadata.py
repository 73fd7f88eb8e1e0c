"""The metadata of a resource: group, names, scope and one version, read from a root model.

The model carries it as plain data under `x-kubernetes-crd` in `json_schema_extra`, in the API's
own spelling; `crdgen.resource()` writes that data for those who like types. `assemble` reads it.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from crdgen.errors import ModelError
from crdgen.marks import CRD, Schema

_SHARED: Final = ("group", "names", "scope", "conversion", "metadata", "preserveUnknownFields")
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


def of(model: str, extra: Any) -> Resource:  # noqa: ANN401 - whatever the model carries
    """Read the metadata `extra` of the model named `model`.

    Raises:
        ModelError: it is missing, misspelt or incomplete.
    """
    if not isinstance(extra, dict):
        raise ModelError(
            f"{model}: it does not say which resource it is; give it model_config ="
            f' ConfigDict(json_schema_extra={{"{CRD}": {{"group": …, "version": …}}}})'
            " or crdgen.resource(…)"
        )
    for key in extra:
        if key not in (*_SHARED, *_VERSION):
            known = ", ".join((*_SHARED, *_VERSION))
            raise ModelError(f"{model}: {CRD} has an unknown key '{key}'; known are {known}")
    for key in ("group", "version"):
        if not isinstance(extra.get(key), str):
            raise ModelError(f"{model}: {CRD} lacks '{key}'; add it, such as \"{_example(key)}\"")
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
    kept = (
        "deprecated",
        "deprecationWarning",
        "subresources",
        "additionalPrinterColumns",
        "selectableFields",
    )
    version = {key: extra[key] for key in kept if extra.get(key)}
    return {"name": extra["version"], "served": extra.get("served", True), **version}


def _example(key: str) -> str:
    return "example.com" if key == "group" else "v1"
