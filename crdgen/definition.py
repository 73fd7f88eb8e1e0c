"""A CustomResourceDefinition decoded as the API server decodes it.

Unknown fields and wrong JSON types are reported, nulls are dropped, and the defaults of the
apiextensions.k8s.io/v1 API are filled in. kubectl asks the server to be strict.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crdgen.errors import InputError
from crdgen.field_errors import FieldError
from crdgen.schema_keywords import Schema
from crdgen.yaml_reader import read_documents

KIND = "CustomResourceDefinition"


LARGEST = 1536 * 1024 - 2048
"""Bytes that etcd takes in a request, less what the API server adds to a definition."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A decoded definition, what is wrong with its fields, and its size as JSON in bytes."""

    name: str
    spec: Schema
    metadata: Schema
    problems: tuple[FieldError, ...]
    size: int

    @property
    def versions(self) -> list[Schema]:
        """Its versions, in order."""
        return list(self.spec.get("versions", []))

    def version(self, name: str) -> Schema | None:
        """The version called `name`, or None."""
        return next((each for each in self.versions if each.get("name") == name), None)


def decode_definition(document: Any) -> Definition:  # noqa: ANN401 - JSON
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
    cleaned, problems = _decode(document)
    spec = _apply_defaults(cleaned.get("spec", {}))
    metadata = cleaned.get("metadata", {})
    name, size = str(metadata.get("name", "")), _json_size(document)
    return Definition(name, spec, metadata, tuple(problems), size)


def _json_size(document: dict[str, Any]) -> int:
    """Bytes of the document as Go writes it: compact, with `<`, `>` and `&` escaped."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str)
    return len(text.encode()) + 5 * sum(text.count(sign) for sign in "<>&")


def read_definitions(path: Path) -> list[Definition]:
    """Every CustomResourceDefinition in the file at `path`.

    Raises:
        InputError: the file cannot be read or holds none.
    """
    found = [document for document in read_documents(path) if document.get("kind") == KIND]
    if not found:
        raise InputError(f"{path}: holds no {KIND}")
    try:
        return [decode_definition(document) for document in found]
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def read_definition(path: Path) -> Definition:
    """The only CustomResourceDefinition in the file at `path`.

    Raises:
        InputError: the file cannot be read, holds none or several.
    """
    found = read_definitions(path)
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise InputError(f"{path}: holds several definitions ({names}); keep one a file")
    return found[0]


def _apply_defaults(spec: Schema) -> Schema:
    names = dict(spec.get("names", {}))
    kind = str(names.get("kind", ""))
    if kind:
        names["singular"] = names.get("singular") or kind.lower()
        names["listKind"] = names.get("listKind") or f"{kind}List"
    return {**spec, "names": names}


Shape = Callable[[Any, str, list[FieldError]], Any]
_INT64: Final = 2**63
_LARGEST: Final = sys.float_info.max


def _decode(document: dict[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    """The document with nulls dropped, and what is wrong with its fields and types."""
    problems: list[FieldError] = []
    return _CRD(document, "", problems), problems


def _scalar(
    check: Callable[[Any], bool], name: str, hold: Callable[[Any], Any] = lambda value: value
) -> Shape:
    def shape(value: Any, path: str, problems: list[FieldError]) -> Any:  # noqa: ANN401 - JSON
        if check(value):
            return hold(value)
        return _report(path, name, problems)

    return shape


def _any(value: Any, path: str, problems: list[FieldError]) -> Any:  # noqa: ANN401, ARG001 - JSON
    return value


def _list(item: Shape) -> Shape:
    def shape(value: Any, path: str, problems: list[FieldError]) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, list):
            return [item(child, f"{path}[{n}]", problems) for n, child in enumerate(value)]
        return _report(path, "a list", problems)

    return shape


def _map(item: Shape) -> Shape:
    def shape(value: Any, path: str, problems: list[FieldError]) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, dict):
            return {key: item(child, f"{path}[{key}]", problems) for key, child in value.items()}
        return _report(path, "an object", problems)

    return shape


def _report(path: str, wanted: str, problems: list[FieldError], otherwise: Any = None) -> Any:  # noqa: ANN401
    problems.append(FieldError(path, "Decode", f"must be {wanted}"))
    return otherwise


def _struct(fields: Callable[[], dict[str, Shape]]) -> Shape:
    def shape(value: Any, path: str, problems: list[FieldError]) -> Any:  # noqa: ANN401 - JSON
        if value is None:
            return {}
        if not isinstance(value, dict):
            return _report(path, "an object", problems, {})
        return _fields(fields(), value, path, problems)

    return shape


def _fields(
    known: dict[str, Shape], value: dict[str, Any], path: str, problems: list[FieldError]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, child in value.items():
        inner = f"{path}.{name}" if path else name
        if name not in known:
            problems.append(FieldError(inner, "Decode", "unknown field"))
        elif child is not None:
            decoded = known[name](child, inner, problems)
            if decoded is not None:
                found[name] = decoded
    return found


def _or(test: type, first: Shape, second: Shape) -> Shape:
    def shape(value: Any, path: str, problems: list[FieldError]) -> Any:  # noqa: ANN401 - JSON
        return (first if isinstance(value, test) else second)(value, path, problems)

    return shape


_str = _scalar(lambda value: isinstance(value, str), "text")
_bool = _scalar(lambda value: isinstance(value, bool), "true or false")
_int = _scalar(
    lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64
    ),
    "a whole number",
)
_float = _scalar(
    lambda value: (
        isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _LARGEST
    ),
    "a number",
    lambda value: value if float(value) == value else float(value),
)
_strings = _list(_str)


def _schema(value: Any, path: str, problems: list[FieldError]) -> Any:  # noqa: ANN401 - JSON
    return _struct(lambda: _SCHEMA)(value, path, problems)


_RULE: Final[dict[str, Shape]] = {
    "rule": _str, "message": _str, "messageExpression": _str, "reason": _str, "fieldPath": _str,
    "optionalOldSelf": _bool,
}  # fmt: skip
_SCHEMA: Final[dict[str, Shape]] = {
    **dict.fromkeys(
        ("id", "$schema", "$ref", "description", "type", "format", "title", "pattern"), _str
    ),
    **dict.fromkeys(
        (
            "exclusiveMaximum", "exclusiveMinimum", "uniqueItems", "nullable",
            "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource",
            "x-kubernetes-int-or-string",
        ),
        _bool,
    ),
    **dict.fromkeys(("maximum", "minimum", "multipleOf"), _float),
    **dict.fromkeys(
        ("maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties"), _int
    ),
    **dict.fromkeys(("required", "x-kubernetes-list-map-keys"), _strings),
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), _list(_schema)),
    **dict.fromkeys(("properties", "patternProperties", "definitions"), _map(_schema)),
    **dict.fromkeys(("additionalProperties", "additionalItems"), _or(bool, _any, _schema)),
    "not": _schema,
    "items": _or(list, _list(_schema), _schema),
    "dependencies": _map(_or(list, _strings, _schema)),
    "default": _any,
    "example": _any,
    "enum": _list(_any),
    "externalDocs": _struct(lambda: {"description": _str, "url": _str}),
    "x-kubernetes-list-type": _str,
    "x-kubernetes-map-type": _str,
    "x-kubernetes-validations": _list(_struct(lambda: _RULE)),
}  # fmt: skip
_COLUMN: Final = _struct(
    lambda: {
        "name": _str, "type": _str, "format": _str, "description": _str, "priority": _int,
        "jsonPath": _str,
    }
)  # fmt: skip
_SCALE: Final = _struct(
    lambda: dict.fromkeys(("specReplicasPath", "statusReplicasPath", "labelSelectorPath"), _str)
)
_VERSION: Final = _struct(
    lambda: {
        "name": _str,
        "served": _bool,
        "storage": _bool,
        "deprecated": _bool,
        "deprecationWarning": _str,
        "schema": _struct(lambda: {"openAPIV3Schema": _schema}),
        "subresources": _struct(lambda: {"status": _struct(dict), "scale": _SCALE}),
        "additionalPrinterColumns": _list(_COLUMN),
        "selectableFields": _list(_struct(lambda: {"jsonPath": _str})),
    }
)
_NAMES: Final = _struct(
    lambda: {
        **dict.fromkeys(("plural", "singular", "kind", "listKind"), _str),
        **dict.fromkeys(("shortNames", "categories"), _strings),
    }
)
_CLIENT: Final = _struct(
    lambda: {
        "url": _str,
        "caBundle": _str,
        "service": _struct(lambda: {"namespace": _str, "name": _str, "path": _str, "port": _int}),
    }
)
_CONVERSION: Final = _struct(
    lambda: {
        "strategy": _str,
        "webhook": _struct(lambda: {"clientConfig": _CLIENT, "conversionReviewVersions": _strings}),
    }
)
_CRD: Final = _struct(
    lambda: {
        "apiVersion": _str,
        "kind": _str,
        "metadata": _map(_any),
        "status": _any,
        "spec": _struct(
            lambda: {
                "group": _str,
                "names": _NAMES,
                "scope": _str,
                "versions": _list(_VERSION),
                "conversion": _CONVERSION,
                "preserveUnknownFields": _bool,
            }
        ),
    }
)
