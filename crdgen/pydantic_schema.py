"""Reads a Pydantic model as JSON schema, with what Kubernetes cannot hold marked, not guessed.

The generator is pydantic's own; the few types that mean something else to the API server differ.
"""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind
from pydantic_core import (
    PydanticSerializationError,
    SchemaSerializer,
    core_schema,
    to_jsonable_python,
)

from crdgen.schema_keywords import ANY, FLOAT, Schema, unsupported

_DURATION: Final = unsupported(
    "a timedelta is written as ISO 8601, which the server's 'duration' format misreads"
    " (P1M is a minute to it)",
    "use crdgen.GoDuration",
)
_BYTES: Final = unsupported("raw bytes have no JSON form", "use crdgen.Base64 or str")
_BOUNDED_DECIMAL: Final = unsupported(
    "a Decimal is a string, which no bound applies to",
    'drop the bound and add crdgen.Rule("double(self) >= 0.0", …) or the like',
)
_ALIASES: Final = unsupported(
    "it is read under one name and written under another", "use one alias for both"
)


class CRDSchemaGenerator(GenerateJsonSchema):
    """Pydantic's generator, with marks where a plain answer would be wrong in a CRD."""

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        """A number, marked: API conventions advise against floats."""
        return {**super().float_schema(schema), FLOAT: True}

    def any_schema(self, schema: core_schema.AnySchema) -> JsonSchemaValue:
        """Anything, marked: it needs `x-kubernetes-preserve-unknown-fields`."""
        return {**super().any_schema(schema), ANY: True}

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:  # noqa: ARG002
        """Refused."""
        return dict(_DURATION)

    def bytes_schema(self, schema: core_schema.BytesSchema) -> JsonSchemaValue:  # noqa: ARG002
        """Refused; `Base64` replaces it."""
        return dict(_BYTES)

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """A string with a pattern that RE2 knows."""
        if {"ge", "gt", "le", "lt", "multiple_of"} & schema.keys():
            return dict(_BOUNDED_DECIMAL)
        return {"type": "string", "pattern": _decimal_pattern(schema)}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """A map; a pattern on its keys stands beside its values, not in place of them."""
        found = super().dict_schema(schema)
        patterns = found.pop("patternProperties", {})
        for pattern, values in patterns.items():
            found |= {"propertyNames": {"pattern": pattern}, "additionalProperties": values}
        return found

    def model_field_schema(self, schema: core_schema.ModelField) -> JsonSchemaValue:
        """The field's schema, refused when reading and writing use different names."""
        read, written = schema.get("validation_alias"), schema.get("serialization_alias")
        if read != written or isinstance(read, list):
            return dict(_ALIASES)
        return super().model_field_schema(schema)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """The inner schema with the default as the model itself would write it.

        An empty list or map is left out: to Kubernetes it is the same as none at all. A field
        whose absence CEL must not see says so with `json_schema_extra={"default": []}`.
        """
        found = self.generate_inner(schema["schema"])
        default = schema.get("default", ())
        if isinstance(default, (list, tuple, set, frozenset, dict)) and not default:
            return found
        try:
            return {**found, "default": _written(schema["schema"], default)}
        except PydanticSerializationError:
            why = f"its default {default!r} has no JSON form"
            return unsupported(why, "use a default_factory, which the CRD leaves out")

    def handle_invalid_for_json_schema(
        self,
        schema: Any,  # noqa: ANN401, ARG002 - a core schema or field
        error_info: str,
    ) -> JsonSchemaValue:
        """Refused at its path, where pydantic would raise without one."""
        return unsupported(
            f"no JSON schema exists for it ({error_info})", "use a type with a JSON form"
        )

    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        """Nothing: what pydantic warns of is refused with its path instead."""


def generate_json_schema(model: type[BaseModel]) -> Schema:
    """The JSON schema of `model` as the API server's clients write it, marks included."""
    generator = CRDSchemaGenerator(by_alias=True)
    return generator.generate(model.__pydantic_core_schema__, mode="validation")


def _decimal_pattern(schema: core_schema.DecimalSchema) -> str:
    places, digits = schema.get("decimal_places"), schema.get("max_digits")
    whole = f"{{1,{max(digits - (places or 0), 1)}}}" if digits is not None else "+"
    fraction = f"{{1,{places}}}" if places is not None else "+"
    return f"^-?[0-9]{whole}$" if places == 0 else rf"^-?[0-9]{whole}(\.[0-9]{fraction})?$"


def _written(inner: Any, default: Any) -> Any:  # noqa: ANN401 - any core schema, any JSON
    while "serialization" not in inner and "schema" in inner:
        inner = inner["schema"]
    if isinstance(default, (set, frozenset)):
        default = sorted(default)
    if default is None or "serialization" not in inner:
        return to_jsonable_python(default, by_alias=True, exclude_none=True)
    serializer = SchemaSerializer(core_schema.any_schema(serialization=inner["serialization"]))
    return serializer.to_python(default, mode="json", by_alias=True, exclude_none=True)
