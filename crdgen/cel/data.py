"""JSON as CEL values, by its schema: what `self` and `oldSelf` are.

Formats make times, durations and bytes; an integer where the schema says number is a double; a
map or object is read by CEL's names for its properties.
"""

import base64
import binascii
from typing import Any

from crdgen.cel import gotime
from crdgen.cel.escape import escaped
from crdgen.cel.values import Duration, EvaluationError, Fields, Listed, Moment, Value
from crdgen.marks import Schema

_INT_OR_STRING = "x-kubernetes-int-or-string"


def value(data: Any, schema: Schema) -> Value:  # noqa: ANN401 - JSON
    """The CEL value of `data`, which is valid for `schema`.

    Raises:
        EvaluationError: it is null where null is not allowed, or its format does not parse.
    """
    if data is None:
        if schema.get("nullable"):
            return None
        raise EvaluationError("invalid data, got null for schema with nullable=false")
    if schema.get(_INT_OR_STRING):
        return data
    kind = schema.get("type", "")
    if kind == "object":
        return _object(data, schema)
    if kind == "array":
        return _list(data, schema)
    if kind == "string":
        return _string(data, schema.get("format", ""))
    if kind == "number":
        return float(data)
    if kind == "integer" and isinstance(data, float):
        raise EvaluationError("invalid data, expected int, got float64")
    return data


def _object(data: Any, schema: Schema) -> Value:  # noqa: ANN401 - JSON
    if not isinstance(data, dict):
        raise EvaluationError(
            "invalid data, expected a map for the provided schema with type=object"
        )
    properties, extra = schema.get("properties"), schema.get("additionalProperties")
    if properties:
        return _named(data, properties)
    inner = extra if isinstance(extra, dict) else None

    def look(key: str) -> tuple[bool, Value]:
        if key not in data or inner is None:
            return False, None
        return True, value(data[key], inner)

    return Fields(data, look, lambda: list(data) if inner is not None else [])


def _named(data: dict[str, Any], properties: dict[str, Schema]) -> Value:
    names = {escaped(name) or name: name for name in properties}

    def look(key: str) -> tuple[bool, Value]:
        name = names.get(key)
        if name is None or data.get(name) is None:
            return False, None
        return True, value(data[name], properties[name])

    return Fields(data, look, lambda: [key for key, name in names.items() if name in data])


def _list(data: Any, schema: Schema) -> Value:  # noqa: ANN401 - JSON
    if not isinstance(data, list):
        raise EvaluationError(
            "invalid data, expected an array for the provided schema with type=array"
        )
    items = [value(each, schema["items"]) for each in data]
    keys = tuple(escaped(key) or key for key in schema.get("x-kubernetes-list-map-keys", ()))
    return Listed(items, schema.get("x-kubernetes-list-type", "atomic"), keys)


def _string(data: str, form: str) -> Value:
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
