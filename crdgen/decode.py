"""The shape of the apiextensions.k8s.io/v1 API: which fields exist and which JSON they take.

Called by `definition`. A field of the wrong type or an unknown one is what the API server says
before it judges anything (kubectl asks it to be strict).
"""

from collections.abc import Callable
from typing import Any, Final

from crdgen.problem import Problem

Shape = Callable[[Any, str, list[Problem]], Any]
_INT64: Final = 2**63


def definition(document: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The document with nulls dropped, and what is wrong with its fields and types."""
    problems: list[Problem] = []
    return _CRD(document, "", problems), problems


def _typed(check: Callable[[Any], bool], name: str) -> Shape:
    def shape(value: Any, path: str, problems: list[Problem]) -> Any:  # noqa: ANN401 - JSON
        if check(value):
            return value
        problems.append(Problem(path, "Decode", f"must be {name}"))
        return None

    return shape


def _any(value: Any, path: str, problems: list[Problem]) -> Any:  # noqa: ANN401, ARG001 - JSON
    return value


def _list(item: Shape) -> Shape:
    def shape(value: Any, path: str, problems: list[Problem]) -> Any:  # noqa: ANN401 - JSON
        if not isinstance(value, list):
            problems.append(Problem(path, "Decode", "must be a list"))
            return None
        return [item(child, f"{path}[{n}]", problems) for n, child in enumerate(value)]

    return shape


def _map(item: Shape) -> Shape:
    def shape(value: Any, path: str, problems: list[Problem]) -> Any:  # noqa: ANN401 - JSON
        if not isinstance(value, dict):
            problems.append(Problem(path, "Decode", "must be an object"))
            return None
        return {key: item(child, f"{path}[{key}]", problems) for key, child in value.items()}

    return shape


def _struct(fields: Callable[[], dict[str, Shape]]) -> Shape:
    def shape(value: Any, path: str, problems: list[Problem]) -> Any:  # noqa: ANN401 - JSON
        if value is None:
            return {}
        if not isinstance(value, dict):
            problems.append(Problem(path, "Decode", "must be an object"))
            return {}
        return _fields(fields(), value, path, problems)

    return shape


def _fields(
    known: dict[str, Shape], value: dict[str, Any], path: str, problems: list[Problem]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, child in value.items():
        inner = f"{path}.{name}" if path else name
        if name not in known:
            problems.append(Problem(inner, "Decode", "unknown field"))
        elif child is not None:
            decoded = known[name](child, inner, problems)
            if decoded is not None:
                found[name] = decoded
    return found


def _or(test: type, first: Shape, second: Shape) -> Shape:
    def shape(value: Any, path: str, problems: list[Problem]) -> Any:  # noqa: ANN401 - JSON
        return (first if isinstance(value, test) else second)(value, path, problems)

    return shape


_str = _typed(lambda value: isinstance(value, str), "text")
_bool = _typed(lambda value: isinstance(value, bool), "true or false")
_int = _typed(
    lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64
    ),
    "a whole number",
)
_float = _typed(
    lambda value: isinstance(value, (int, float)) and not isinstance(value, bool), "a number"
)
_strings = _list(_str)


def _schema(value: Any, path: str, problems: list[Problem]) -> Any:  # noqa: ANN401 - JSON
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
