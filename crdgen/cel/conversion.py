"""JSON as CEL values, by its schema: what `self` and `oldSelf` are.

Formats make times, durations and bytes; an integer where the schema says number is a double; a
map or object is read by CEL's names for its properties.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, Final

from crdgen.cel import gotime
from crdgen.cel.declarations import escape, spellings
from crdgen.cel.values import Duration, EvaluationError, Fields, Listed, Moment, Unknown, Value
from crdgen.schema_keywords import Schema

_INT_OR_STRING: Final = "x-kubernetes-int-or-string"
_SCALARS: Final[dict[str, tuple[tuple[type, ...], str]]] = {
    "number": ((int, float), "float, got {}"),
    "integer": ((int,), "int, got {}"),
    "boolean": ((bool,), "bool, got {}"),
}
_EITHER: Final = ((str, int), "XIntOrString value to be either a string or integer")


def to_cel(data: Any, schema: Schema) -> Value:  # noqa: ANN401 - JSON
    """The CEL value of `data`; what is inside is converted when it is looked at.

    Raises:
        EvaluationError: it is not what the schema says, which an update may leave standing.
    """
    if data is None:
        if schema.get("nullable"):
            return None
        raise EvaluationError("invalid data, got null for schema with nullable=false")
    if schema.get(_INT_OR_STRING):
        return _scalar(data, _EITHER)
    kind = schema.get("type", "")
    if kind in _SCALARS:
        found = _scalar(data, _SCALARS[kind])
        return float(found) if kind == "number" else found
    convert = _CONVERTERS.get(kind)
    return convert(data, schema) if convert is not None else Unknown(data)


class _Items(Sequence[Value]):
    """The items of a list of the schema, converted one by one."""

    def __init__(self, raw: list[Any], schema: Schema) -> None:
        self._raw = raw
        self._schema = schema

    def __len__(self) -> int:
        return len(self._raw)

    def __getitem__(self, at: Any) -> Any:  # noqa: ANN401 - an index or a slice
        if isinstance(at, slice):
            return [to_cel(each, self._schema) for each in self._raw[at]]
        return to_cel(self._raw[at], self._schema)


def _scalar(data: Any, wanted: tuple[tuple[type, ...], str]) -> Value:  # noqa: ANN401 - JSON
    kinds, words = wanted
    if type(data) in kinds:
        return data
    raise EvaluationError(f"invalid data, expected {words.format(_go_type(data))}")


def _go_type(data: Any) -> str:  # noqa: ANN401 - JSON
    names = {str: "string", int: "int64", float: "float64", bool: "bool"}
    names |= {list: "[]interface {}", dict: "map[string]interface {}"}
    return names[type(data)]


def _object(data: Any, schema: Schema) -> Value:  # noqa: ANN401 - JSON
    _scalar(data, ((dict,), "a map for the provided schema with type=object"))
    properties, extra = schema.get("properties"), schema.get("additionalProperties")
    if properties:
        return _named(data, properties)
    inner = extra if isinstance(extra, dict) else None

    def look(key: str) -> tuple[bool, Value]:
        if key not in data or inner is None:
            return False, None
        return True, to_cel(data[key], inner)

    return Fields(data, look, lambda: list(data) if inner is not None else [])


def _named(data: dict[str, Any], properties: dict[str, Schema]) -> Value:
    names = {spelt: name for name in properties for spelt in (*spellings(name), name)}

    def look(key: str) -> tuple[bool, Value]:
        name = names.get(key)
        if name is None or data.get(name) is None:
            return False, None
        return True, to_cel(data[name], properties[name])

    return Fields(data, look, lambda: [key for key, name in names.items() if name in data])


def _list(data: Any, schema: Schema) -> Value:  # noqa: ANN401 - JSON
    _scalar(data, ((list,), "an array for the provided schema with type=array"))
    keys = tuple(escape(key) or key for key in schema.get("x-kubernetes-list-map-keys", ()))
    items = _Items(data, schema["items"])
    return Listed(items, schema.get("x-kubernetes-list-type", "atomic"), keys)


def _string(data: Any, schema: Schema) -> Value:  # noqa: ANN401 - JSON
    form = schema.get("format", "")
    _scalar(data, ((str,), "string, got {}"))
    if form == "duration":
        return Duration(gotime.loose_duration(data) or 0)
    if form == "date":
        moment = gotime.moment(f"{data}T00:00:00Z")
        return Moment(moment[0] if moment else 0)
    if form == "date-time":
        moment = gotime.moment(data) or gotime.moment(f"{data}Z")
        if moment is None:
            raise EvaluationError(f"Invalid date-time formatted string {data}")
        return Moment(*moment)
    if form == "byte":
        try:
            return base64.b64decode(data, altchars=b"-_", validate=True)
        except binascii.Error:
            raise EvaluationError(f"Invalid byte formatted string {data}") from None
    return data


_CONVERTERS: Final[dict[str, Callable[[Any, Schema], Value]]] = {
    "object": _object,
    "array": _list,
    "string": _string,
}
