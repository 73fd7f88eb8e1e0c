"""Reads a Pydantic model as JSON schema, with what Kubernetes cannot hold marked, not guessed.

The generator is pydantic's own; the few types that mean something else to the API server differ.
"""

import json
import re
from enum import Flag
from typing import Any, Final

from pydantic import BaseModel, ByteSize, PydanticUserError
from pydantic.json_schema import (
    GenerateJsonSchema,
    JsonSchemaMode,
    JsonSchemaValue,
    JsonSchemaWarningKind,
)
from pydantic_core import (
    PydanticSerializationError,
    SchemaError,
    SchemaSerializer,
    SchemaValidator,
    ValidationError,
    core_schema,
    to_jsonable_python,
)

from crdgen import pydantic_formats, pydantic_patterns
from crdgen.errors import ModelError
from crdgen.passes.inline import BOUNDS, merge_keywords
from crdgen.schema_keywords import ANY, COSTLY, FLOAT, UNSUPPORTED, Schema, unsupported

_RULES: Final = "x-kubernetes-validations"
_DURATION: Final = unsupported(
    "a timedelta is written as ISO 8601, which the server's 'duration' format misreads"
    " (P1M is a minute to it)",
    "use crdgen.GoDuration",
)
_BOUNDED_DECIMAL: Final = unsupported(
    "a Decimal is a string, which no bound applies to",
    'drop the bound and add crdgen.Rule("double(self) >= 0.0", …) or the like',
)
_ALIASES: Final = unsupported(
    "it is read under one name and written under another", "use one alias for both"
)
_CLOCK: Final = unsupported(
    "it is compared with a time, which the API server does not do",
    "drop the bound and add crdgen.Rule(\"timestamp(self) > timestamp('…')\") or the like",
)
_NAIVE: Final = unsupported(
    "a time without an offset is not RFC 3339, which the API server asks for", "use AwareDatetime"
)
_CALLABLE: Final = unsupported(
    "a function chooses the branch of the union, which the API server cannot call",
    "discriminate by the name of a Literal field",
)
_STEPS: Final = unsupported(
    "it is read in several steps of different constraints", "use one step, or crdgen.Rule"
)
_ANY_FRACTION: Final = r"(\.[0-9]+)?"
_VALIDATED: Final = frozenset({"function-after", "function-before", "function-wrap"})
_LIMITS: Final = frozenset({*BOUNDS, "pattern", "multipleOf"})
_UNHASHABLE: Final = frozenset({"dict", "list", "set", "typed-dict"})
_SIZE: Final = unsupported(
    "the API server does not know the units of a ByteSize", "use crdgen.Quantity"
)
_BOUNDS: Final = frozenset({"ge", "gt", "le", "lt", "multiple_of", "now_op"})
_UNRESOLVED: Final = re.compile(r"you should define `([^`]+)`")


class CRDSchemaGenerator(GenerateJsonSchema):
    """Pydantic's generator, with marks where a plain answer would be wrong in a CRD."""

    _core: tuple[core_schema.CoreSchema, ...] = ()
    _uses_python_re = False

    def generate(
        self, schema: core_schema.CoreSchema, mode: JsonSchemaMode = "validation"
    ) -> JsonSchemaValue:
        """The whole JSON schema; what the model defines is kept to read defaults by."""
        if schema["type"] == "definitions":
            self._core = tuple(schema["definitions"])
        return super().generate(schema, mode)

    def generate_inner(self, schema: Any) -> JsonSchemaValue:  # noqa: ANN401 - any core schema
        """The schema of a part; of limits before and behind a validator the tighter holds."""
        found = super().generate_inner(schema)
        if schema["type"] in _VALIDATED and _LIMITS & found.keys():
            inner = super().generate_inner(schema["schema"])
            return merge_keywords({k: v for k, v in inner.items() if k in _LIMITS}, found)
        return found

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
        return dict(pydantic_formats.BYTES)

    def complex_schema(self, schema: core_schema.ComplexSchema) -> JsonSchemaValue:  # noqa: ARG002
        """Refused."""
        return unsupported("complex numbers have no JSON form", "use a model with two fields")

    def json_schema(self, schema: core_schema.JsonSchema) -> JsonSchemaValue:  # noqa: ARG002
        """Refused: the server does not read JSON inside of text."""
        return unsupported(
            "it is JSON inside of text, which the API server does not read",
            "use the type itself, without Json",
        )

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """A string. Where whitespace is stripped before the checks, CEL strips it likewise."""
        found = super().str_schema(schema)
        pattern = schema.get("pattern")
        if pattern == ByteSize.byte_string_pattern:
            return dict(_SIZE)
        if pattern is not None:
            found |= pydantic_patterns.pattern_keywords(pattern, by_python=self._uses_python_re)
        if schema.get("ascii_only"):
            return unsupported("it takes ASCII only", "say so with a pattern")
        return _strip_in_rules(found) if schema.get("strip_whitespace") else found

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """A string with a pattern that RE2 knows."""
        if _BOUNDS & schema.keys():
            return dict(_BOUNDED_DECIMAL)
        if schema.get("allow_inf_nan"):
            return unsupported("it takes NaN and infinity", "drop allow_inf_nan")
        return {"type": "string", "pattern": _decimal_pattern(schema)}

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:
        """A date, refused when it is compared with another."""
        return dict(_CLOCK) if _BOUNDS & schema.keys() else super().date_schema(schema)

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        """A moment, refused when it is compared with another or must lack an offset."""
        if _BOUNDS & schema.keys():
            return dict(_CLOCK)
        naive = schema.get("tz_constraint") == "naive"
        return dict(_NAIVE) if naive else super().datetime_schema(schema)

    def time_schema(self, schema: core_schema.TimeSchema) -> JsonSchemaValue:
        """A time of day, which the server knows as a pattern."""
        constrained = _BOUNDS & schema.keys() or schema.get("tz_constraint") is not None
        return dict(_CLOCK) if constrained else super().time_schema(schema)

    def url_schema(self, schema: core_schema.UrlSchema) -> JsonSchemaValue:
        """A URI with the schemes that are allowed, as a pattern."""
        schemes = schema.get("allowed_schemes") or ()
        return {**super().url_schema(schema), **pydantic_formats.url_keywords(schemes)}

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """A union by the value of one field; the other ways to choose are refused."""
        found = super().tagged_union_schema(schema)
        return found if "discriminator" in found else dict(_CALLABLE)

    def set_schema(self, schema: core_schema.SetSchema) -> JsonSchemaValue:
        """A set, refused when Python holds none of its items in one."""
        return self._hashable(super().set_schema(schema), schema)

    def frozenset_schema(self, schema: core_schema.FrozenSetSchema) -> JsonSchemaValue:
        """As for a set."""
        return self._hashable(super().frozenset_schema(schema), schema)

    def _hashable(self, found: JsonSchemaValue, schema: Any) -> JsonSchemaValue:  # noqa: ANN401
        inner = self._unwrap(schema.get("items_schema") or {"type": "any"})
        is_model = inner["type"] in {"model", "dataclass"}
        if inner["type"] in _UNHASHABLE or (is_model and inner["cls"].__hash__ is None):
            why = "its items cannot be hashed, so the model takes none"
            return unsupported(why, "freeze their model (frozen=True), or use a list")
        return found

    def _unwrap(self, inner: Any) -> Any:  # noqa: ANN401 - any core schema
        """What stands within references, defaults and validators, down to a model."""
        while inner["type"] not in {"model", "dataclass"}:
            if inner["type"] == "definition-ref":
                wanted = inner["schema_ref"]
                inner = next(each for each in self._core if each.get("ref") == wanted)
            elif "schema" in inner:
                inner = inner["schema"]
            else:
                break
        return inner

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        """The members' values, refused for flags: they take sums of their members too."""
        if issubclass(schema["cls"], Flag):
            return unsupported(
                "a flag takes combinations that are not members", "use a set of an Enum"
            )
        return super().enum_schema(schema)

    def chain_schema(self, schema: core_schema.ChainSchema) -> JsonSchemaValue:
        """What the first step takes, with the constraints of those that follow a validator."""
        found = self.generate_inner(schema["steps"][0])
        for step in schema["steps"][1:]:
            if step["type"] in {"function-plain", "is-instance", "is-subclass"}:
                continue
            more = self.generate_inner(step)
            same = found.keys() & more.keys() - {_RULES}
            if "type" not in same or any(found[key] != more[key] for key in same):
                return dict(_STEPS)
            found = merge_keywords(found, more)
        return found

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """A map; what holds for its keys stands beside its values, not in place of them."""
        found = super().dict_schema(schema)
        patterns = found.pop("patternProperties", {})
        for values in patterns.values():
            found["additionalProperties"] = values
        keys = schema.get("keys_schema", core_schema.str_schema())
        names = self.generate_inner(keys)
        known = self._unwrap(keys)
        members = known.get("members") or known.get("expected", ())
        values = [getattr(each, "value", each) for each in members]
        if unread := next((each for each in values if not self._reads_key(keys, each)), None):
            why = f"keys are text, and the model does not read {str(unread)!r} as {unread!r}"
            return {**found, **unsupported(why, "use str, StrEnum or IntEnum keys")}
        return found if ANY in names else {**found, "propertyNames": names}

    def ordered_dict_schema(self, schema: core_schema.OrderedDictSchema) -> JsonSchemaValue:
        """As for a dict."""
        return self.dict_schema({**schema, "type": "dict"})

    def _reads_key(self, keys: Any, value: object) -> bool:  # noqa: ANN401 - any core schema
        validator = SchemaValidator(self._with_definitions(core_schema.dict_schema(keys)))
        try:
            validator.validate_json(json.dumps({str(value): None}))
        except ValidationError:
            return False
        return True

    def _with_definitions(self, inner: Any) -> Any:  # noqa: ANN401 - any core schema
        return core_schema.definitions_schema(inner, list(self._core)) if self._core else inner

    def model_field_schema(self, schema: core_schema.ModelField) -> JsonSchemaValue:
        """The field's schema, refused when reading and writing use different names."""
        read, written = schema.get("validation_alias"), schema.get("serialization_alias")
        if read != written or isinstance(read, list):
            return dict(_ALIASES)
        found = super().model_field_schema(schema)
        read_as = {each.get("type") for each in found.get("anyOf", [found])}
        written_as = self._written_type(schema["schema"])
        if written_as and None not in read_as and written_as not in read_as:
            types = f"it is read as {' or '.join(sorted(read_as))} and written as {written_as}"
            return unsupported(types, "let the serializer write what is read")
        return found

    def _written_type(self, inner: Any) -> str | None:  # noqa: ANN401 - any core schema
        """The JSON type that a serializer says it writes, or None."""
        while inner is not None:
            written = inner.get("serialization") or {}
            if "return_schema" in written:
                known: str | None = self.generate_inner(written["return_schema"]).get("type")
                return known
            inner = inner.get("schema")
        return None

    def model_fields_schema(self, schema: core_schema.ModelFieldsSchema) -> JsonSchemaValue:
        """The fields, and those that the model computes: it writes them, so they are stored."""
        return self._with_computed(super().model_fields_schema(schema), schema)

    def dataclass_args_schema(self, schema: core_schema.DataclassArgsSchema) -> JsonSchemaValue:
        """As for a model."""
        return self._with_computed(super().dataclass_args_schema(schema), schema)

    def _with_computed(self, found: JsonSchemaValue, schema: Any) -> JsonSchemaValue:  # noqa: ANN401
        for each in schema.get("computed_fields") or ():
            name = each.get("alias") or each["property_name"]
            found.setdefault("properties", {})[name] = self.generate_inner(each)
        return found

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """The model, refused when it does not read the computed fields that it writes."""
        outer = self._uses_python_re
        self._uses_python_re = schema.get("config", {}).get("regex_engine") == "python-re"
        found = super().model_schema(schema)
        self._uses_python_re = outer
        written = self._written_type({"serialization": schema.get("serialization")})
        if written and written != found.get("type", written):
            why = f"it is read as {found['type']} and written as {written}"
            return unsupported(why, "let the serializer write what is read")
        if found.get("additionalProperties") is False and schema["cls"].model_computed_fields:
            names = ", ".join(schema["cls"].model_computed_fields)
            return unsupported(
                f"it writes the computed {names} and refuses to read it (extra='forbid')",
                "let extra be 'ignore'",
            )
        return found

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """The inner schema with the default as the model itself would write it.

        An empty list or map is left out: to Kubernetes it is the same as none at all. A field
        whose absence CEL must not see says so with `json_schema_extra={"default": []}`.
        """
        found = self.generate_inner(schema["schema"])
        if "default" not in schema or UNSUPPORTED in found:
            return found
        default = schema["default"]
        if default is None:
            return {**found, "default": None}
        try:
            written = self._write_default(schema["schema"], default)
        except _DefaultError as error:
            why = f"its default {default!r} {error}"
            return unsupported(why, "use a default_factory, which the CRD leaves out")
        is_empty = isinstance(written, (list, dict)) and not written
        return found if is_empty else {**found, "default": written}

    def _write_default(self, inner: Any, default: Any) -> Any:  # noqa: ANN401 - any JSON
        """The default as JSON, of the type that the model gives it.

        Raises:
            _DefaultError: the model refuses it, or does not read back what it writes.
        """
        try:
            validator = SchemaValidator(self._with_definitions(inner))
            meant = validator.validate_python(default)
            written = _to_json(inner, meant)
            read = validator.validate_json(json.dumps(written, allow_nan=False))
        except SchemaError:  # a pattern that only another engine compiles
            return _to_json(inner, default)
        except ValidationError as error:
            raise _DefaultError(f"is not valid ({error.errors()[0]['msg']})") from error
        except (PydanticSerializationError, ValueError):
            raise _DefaultError("has no JSON form") from None
        if read != meant:
            raise _DefaultError(f"is written as {json.dumps(written)}")
        return written

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


class _DefaultError(Exception):
    """Why a default cannot be in a definition, as the rest of a sentence."""


def generate_json_schema(model: type[BaseModel]) -> Schema:
    """The JSON schema of `model` as the API server's clients write it, marks included.

    Raises:
        ModelError: a type that the model names cannot be found.
    """
    generator = CRDSchemaGenerator(by_alias=True)
    try:
        return generator.generate(model.__pydantic_core_schema__, mode="validation")
    except PydanticUserError as error:
        raise ModelError(_explain_undefined(error)) from error


def _explain_undefined(error: PydanticUserError) -> str:
    text = error.message.splitlines()[0]
    name = _UNRESOLVED.search(text)
    if name is None:
        return text
    fix = f"import `{name[1]}` outside of TYPE_CHECKING, or call"
    text = re.sub(r"you should define `[^`]+`, then call `([^`]+)`\.?", rf"{fix} \1", text)
    return re.sub("you should define `[^`]+`", fix.removesuffix(", or call"), text)


def _strip_in_rules(found: Schema) -> Schema:
    """Lengths and pattern of the text without the whitespace around it, as CEL rules."""
    texts = {
        "minLength": ("self.trim().size() >= {}", "must have at least {} characters"),
        "maxLength": ("self.trim().size() <= {}", "must have at most {} characters"),
        "pattern": ("self.trim().matches({})", "must match {}"),
    }
    rules = []
    for keyword, (rule, message) in texts.items():
        if keyword in found:
            value = found.pop(keyword)
            words = f"{message.format(value)}, not counting whitespace around it"
            shown = json.dumps(value, ensure_ascii=False)
            rules.append({"rule": rule.format(shown), "message": words})
    return {**found, _RULES: rules, COSTLY: True} if rules else found


def _decimal_pattern(schema: core_schema.DecimalSchema) -> str:
    """Decimals of `max_digits` in all and `decimal_places` after the point, zeros not counted."""
    places, digits = schema.get("decimal_places"), schema.get("max_digits")
    if digits is None:
        return f"^-?[0-9]+{_ANY_FRACTION if places is None else _fraction(places)}$"
    if places is not None:
        whole = f"0*[0-9]{{1,{digits - places}}}" if digits > places else "0+"
        return f"^-?{whole}{_fraction(places)}$"
    shapes = [f"0*[0-9]{{1,{digits - after}}}{_fraction(after)}" for after in range(digits)]
    return f"^-?({'|'.join([*shapes, '0+' + _fraction(digits)])})$"


def _fraction(places: int) -> str:
    return rf"(\.[0-9]{{1,{places}}}0*)?" if places else r"(\.0+)?"


def _to_json(inner: Any, default: Any) -> Any:  # noqa: ANN401 - any core schema, any JSON
    """The default as JSON; a set in an order that is the same each time."""
    while "serialization" not in inner and "schema" in inner:
        inner = inner["schema"]
    if default is None or "serialization" not in inner:
        written = to_jsonable_python(default, by_alias=True, exclude_none=True, round_trip=True)
    else:
        serializer = SchemaSerializer(core_schema.any_schema(serialization=inner["serialization"]))
        written = serializer.to_python(
            default, mode="json", by_alias=True, exclude_none=True, round_trip=True
        )
    return written
