"""The schema and the CEL rules of the CRD, in Python, and the parser of stored objects.

The API server applies them before it calls the webhook. ``webhook review`` needs them without a
cluster, and admission applies them again in case the CRD in the cluster is older. They come from
the models and rules that the CRD is generated from.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from summaryrule.api import validation_rules
from summaryrule.api.field_errors import FieldError, invalid, required, too_long, wrong_type
from summaryrule.api.upstream_backfill import is_upstream_request
from summaryrule.api.v1 import BackfillSpec, SummaryRule, SummaryRuleSpec

Location = tuple[int | str, ...]
Part = TypeVar("Part", bound=BaseModel)
_TYPES: Final = {
    "string_type": "string",
    "int_type": "integer",
    "bool_type": "boolean",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
    "list_type": "array",
}
_BOUNDS: Final = {
    "greater_than_equal": ("ge", "should be greater than or equal to {}"),
    "less_than_equal": ("le", "should be less than or equal to {}"),
    "string_too_short": ("min_length", "should be at least {} chars long"),
}
_BACKFILL: Final = ("spec", "backfill")


def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    """The defaults of the CRD, as JSON, by the names of the API."""
    return {
        str(field.alias): str(field.default) if name == "ingestion_delay" else field.default
        for name, field in model.model_fields.items()
        if not field.is_required() and field.default is not None
    }


_DEFAULTS: Final = _defaults(SummaryRuleSpec)
_BACKFILL_DEFAULTS: Final = _defaults(BackfillSpec)


def validate_schema(
    new: Mapping[str, Any], old: Mapping[str, Any] | None = None
) -> tuple[FieldError, ...]:
    """The violations of the schema and its CEL rules in ``new``.

    On UPDATE (``old`` given), a violation in a value that the request did not change is ignored,
    like the ratcheting of the API server (Kubernetes docs, "Validation ratcheting").
    """
    if _is_valid(new.get("spec")):
        return ()
    after = _with_crd_defaults(new)
    found = [*_field_rules(after), *_cross_field_rules(after)]
    if not found or old is None:
        return tuple(violation for _, violation in found)
    before = _with_crd_defaults(old)
    return tuple(
        violation
        for location, violation in found
        if not _is_same(_at(before, location), _at(after, location))
    )


def _is_valid(spec: object) -> bool:
    """Whether the spec is valid as it is, like nearly every spec, so that no default matters."""
    if isinstance(spec, Mapping) and is_upstream_request(spec.get("backfill")):
        return False
    try:
        SummaryRuleSpec.model_validate(spec)
    except ValidationError:
        return False
    return next(_cross_field_rules({"spec": spec}), None) is None


def _field_rules(new: Mapping[str, Any]) -> Iterator[tuple[Location, FieldError]]:
    if new.get("spec") is None:
        yield ("spec",), required("spec")
        return
    for location, error in _model_errors(new["spec"]):
        if location[:-1] == _BACKFILL and error["type"] == "missing":
            continue  # a rule over several fields: adx-mon's may be there instead
        # A missing field is a violation in the object that lacks it.
        place = location[:-1] if error["type"] == "missing" else location
        yield place, _to_field_error(_path(location), error)


def _model_errors(spec: object) -> Iterator[tuple[Location, dict[str, Any]]]:
    """The errors of the models, also of a backfill in adx-mon's form, which the spec leaves out."""
    parts: list[tuple[Location, type[BaseModel], object]] = [(("spec",), SummaryRuleSpec, spec)]
    backfill = spec.get("backfill") if isinstance(spec, Mapping) else None
    if is_upstream_request(backfill):
        parts.append((_BACKFILL, BackfillSpec, backfill))
    for place, model, value in parts:
        try:
            model.model_validate(value)
        except ValidationError as errors:
            for error in errors.errors(include_url=False):
                yield (*place, *error["loc"]), dict(error)


def _with_crd_defaults(rule: Mapping[str, Any]) -> dict[str, Any]:
    """The spec as the API server stores it: without nulls, with the defaults of the CRD.

    NB: the API server (1.37) removes a null, because no field is nullable.
    """
    spec = _without_nulls(rule.get("spec"))
    if isinstance(spec, dict):
        spec = {**_DEFAULTS, **spec}
        if isinstance(spec.get("backfill"), dict):
            spec["backfill"] = {**_BACKFILL_DEFAULTS, **spec["backfill"]}
    return {"spec": spec}


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(value, dict):
        return value
    return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}


def _is_same(one: Any, other: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether two values are the same JSON: unlike in Python, ``0`` is not ``false``."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _to_field_error(field: str, error: dict[str, Any]) -> FieldError:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "missing":
        return required(field)
    if kind in _TYPES:
        return wrong_type(field, _TYPES[kind], value)
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return invalid(field, f"{field} in body {words.format(context[name])}", value)
    if kind == "string_too_long":
        return too_long(field, context["max_length"])
    if kind == "value_error" and not isinstance(value, str):
        return wrong_type(field, "string", value)
    return invalid(field, str(context.get("error", error["msg"])), value)


def _cross_field_rules(new: Mapping[str, Any]) -> Iterator[tuple[Location, FieldError]]:
    backfill = _at(new, _BACKFILL)
    if not isinstance(backfill, dict):
        return
    has_range = all(isinstance(backfill.get(name), str) for name in ("start", "end"))
    for rule in validation_rules.BACKFILL_RULES:
        if (has_range or rule.is_required) and not rule.check(backfill):
            create = required if rule.is_required else invalid
            yield _BACKFILL, create(f"spec.backfill.{rule.field}", rule.message_for(backfill))


def _path(location: Sequence[int | str]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _at(value: Any, location: Sequence[int | str]) -> Any:  # noqa: ANN401 - JSON
    for part in location:
        if isinstance(value, Mapping):
            value = value.get(str(part))
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


class MalformedError(ValueError):
    """The object is not a valid SummaryRule; the message says which field is wrong and why."""


def parse_rule(raw: Mapping[str, Any]) -> SummaryRule:
    """Parse an object of the API server.

    Raises:
        MalformedError: for an object that the CRD did not check, or that another version wrote.
    """
    try:
        return SummaryRule.model_validate(raw)
    except ValidationError as error:
        found = [str(violation) for violation in validate_schema(raw)]
        messages = found or [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise MalformedError("; ".join(messages)) from error


def read_part(model: type[Part], raw: object) -> Part | None:
    """A part of a stored object, such as its status; None if it cannot be read."""
    try:
        return model.model_validate(raw)
    except ValidationError:
        return None
