"""A CustomResourceDefinition as a decoded object, whatever its origin.

`check`, `diff` and `validate` start here. Decoding is what the API server does first: unknown
fields and wrong types are found, nulls dropped, defaults of the v1 API filled in.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crdgen import decode
from crdgen.errors import InputError
from crdgen.marks import Schema
from crdgen.problem import Problem
from crdgen.reading import documents

KIND = "CustomResourceDefinition"


@dataclass(frozen=True, slots=True)
class Definition:
    """A decoded definition, and what decoding held against it."""

    name: str
    spec: Schema
    metadata: Schema
    problems: tuple[Problem, ...]

    @property
    def versions(self) -> list[Schema]:
        """Its versions, in order."""
        return list(self.spec.get("versions", []))

    def version(self, name: str) -> Schema | None:
        """The version called `name`, or None."""
        return next((each for each in self.versions if each.get("name") == name), None)


def decoded(document: Any) -> Definition:  # noqa: ANN401 - JSON
    """Decode a document of kind CustomResourceDefinition.

    Raises:
        InputError: it is another kind or another API version.
    """
    if not isinstance(document, dict) or document.get("kind") != KIND:
        kind = document.get("kind") if isinstance(document, dict) else None
        raise InputError(f"a {KIND} is needed, not {kind or 'an object without a kind'}")
    if document.get("apiVersion") != "apiextensions.k8s.io/v1":
        raise InputError(
            f"{KIND} of apiVersion {document.get('apiVersion')!r}: only apiextensions.k8s.io/v1"
            " is served since Kubernetes 1.22; convert it"
        )
    cleaned, problems = decode.definition(document)
    spec = _defaulted(cleaned.get("spec", {}))
    metadata = cleaned.get("metadata", {})
    return Definition(str(metadata.get("name", "")), spec, metadata, tuple(problems))


def read(path: Path) -> list[Definition]:
    """Every CustomResourceDefinition in the file at `path`.

    Raises:
        InputError: the file cannot be read or holds none.
    """
    found = [document for document in documents(path) if document.get("kind") == KIND]
    if not found:
        raise InputError(f"{path}: holds no {KIND}")
    try:
        return [decoded(document) for document in found]
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def read_one(path: Path) -> Definition:
    """The only CustomResourceDefinition in the file at `path`.

    Raises:
        InputError: the file cannot be read, holds none or several.
    """
    found = read(path)
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise InputError(f"{path}: holds several definitions ({names}); keep one a file")
    return found[0]


def _defaulted(spec: Schema) -> Schema:
    names = dict(spec.get("names", {}))
    kind = str(names.get("kind", ""))
    if kind:
        names["singular"] = names.get("singular") or kind.lower()
        names["listKind"] = names.get("listKind") or f"{kind}List"
    return {**spec, "names": names}
