"""Validates a value against a schema in the server's words (kube-openapi's validator).

`problems` is for a creation, `update_problems` for an update. A value that an update leaves as it
was is not reported (ratcheting, since Kubernetes 1.33).
"""

from collections.abc import Iterator
from typing import Any, Final

from crdgen.admission import scalars
from crdgen.admission.ratcheting import Correlation
from crdgen.admission.scalars import Result
from crdgen.field_errors import FieldError, invalid, required
from crdgen.schema_keywords import Schema

_NOWHERE: Final = "<nil>"
_INT_OR_STRING: Final = "x-kubernetes-int-or-string"


def problems(value: Any, schema: Schema, path: str = "") -> Iterator[FieldError]:  # noqa: ANN401
    """What is wrong with `value`; `path` is put before every field (as for a default)."""
    yield from (
        _under(path, problem) for problem in _Validator(None).value(value, schema, "").problems
    )


def update_problems(correlation: Correlation, schema: Schema) -> Iterator[FieldError]:
    """What is wrong with the parts of a value that differ from the old one."""
    yield from _Validator(correlation).value(correlation.new, schema, "").problems


def _under(path: str, problem: FieldError) -> FieldError:
    if not path:
        return problem
    at = problem.field
    field = path if at == _NOWHERE else f"{path}.{at}" if at else path
    return FieldError(field, problem.kind, problem.detail, problem.value)


class _Validator:
    """Validates one value; knows the old value when there is one to compare with."""

    def __init__(self, correlation: Correlation | None) -> None:
        self._correlation = correlation

    def value(self, value: Any, schema: Schema, path: str) -> Result:  # noqa: ANN401 - JSON
        """Problems of `value` at `path`, dropped when it is what it was."""
        found = self._judged(value, schema, path)
        if not found.fine and self._correlation is not None and self._correlation.unchanged():
            return Result()
        return found

    def _judged(self, value: Any, schema: Schema, path: str) -> Result:  # noqa: ANN401 - JSON
        found = Result()
        kinds = types_of(schema)
        if value is None:
            found.add(*scalars.check_null(schema, kinds, path))
            return found
        if kinds or scalars.kept_format(schema, kinds):
            self._step(found, scalars.check_type(value, schema, kinds, path))
        self._step(found, self._combinators(value, schema, path))
        if isinstance(value, str):
            self._step(found, scalars.check_text(value, schema, path))
            if scalars.checks_format(schema, kinds):
                self._step(found, scalars.check_format(value, schema, path))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            self._step(found, scalars.check_number(value, schema, kinds, path))
        elif isinstance(value, list):
            self._step(found, self._list(value, schema, path))
        self._step(found, scalars.check_enum(value, schema, path))
        if isinstance(value, dict):
            self._step(found, self._object(value, schema, path))
        found.matched += 1
        return found

    @staticmethod
    def _step(found: Result, part: Result) -> None:
        found.merge(part)
        found.matched += 1

    def _combinators(self, value: Any, schema: Schema, path: str) -> Result:  # noqa: ANN401 - JSON
        found = Result()
        for keyword in ("anyOf", "oneOf", "allOf"):
            if schema.get(keyword):
                results = [self._judged(value, branch, path) for branch in schema[keyword]]
                _combine(found, keyword, results, path)
        if "not" in schema and self._judged(value, schema["not"], path).fine:
            found.add(_nowhere(path, "must not validate the schema (not)"))
        found.matched += 1
        return found

    def _list(self, value: list[Any], schema: Schema, path: str) -> Result:
        found = Result()
        items = schema.get("items")
        if isinstance(items, dict):
            for index, item in enumerate(value):
                inner = self._correlation.index(index) if self._correlation else None
                found.merge(_Validator(inner).value(item, items, f"{path}[{index}]"))
        if "minItems" in schema and len(value) < schema["minItems"]:
            words = f"{path} in body should have at least {schema['minItems']} items"
            found.add(invalid(path, len(value), words))
        if "maxItems" in schema and len(value) > schema["maxItems"]:
            found.add(_too_many(path, len(value), schema["maxItems"]))
        found.matched += 1
        return found

    def _object(self, value: dict[str, Any], schema: Schema, path: str) -> Result:
        found = Result()
        if "minProperties" in schema and len(value) < schema["minProperties"]:
            words = f"{path} in body should have at least {schema['minProperties']} properties"
            found.add(invalid(path, len(value), words))
        if "maxProperties" in schema and len(value) > schema["maxProperties"]:
            found.add(_too_many(path, len(value), schema["maxProperties"]))
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties")
        for name in [name for name in value if name not in properties]:
            if isinstance(extra, dict):
                found.merge(self._field(name, value[name], extra, f"{path}.{name}", path))
            elif extra is False:
                words = f"{path}.{name} in body is a forbidden property"
                found.add(invalid(path, name, words))
        for name, child in properties.items():
            if name in value:
                inner = f"{path}.{name}" if path else name
                found.merge(self._field(name, value[name], child, inner, path))
        for name in schema.get("required", ()):
            if name not in value:
                found.add(required(f"{path}.{name}".removeprefix(".")))
        return found

    def _field(self, name: str, value: Any, schema: Schema, path: str, parent: str) -> Result:  # noqa: ANN401
        inner = self._correlation.key(name) if self._correlation else None
        if not parent and name in {"kind", "apiVersion"}:
            inner = None
        return _Validator(inner).value(value, schema, path)


def types_of(schema: Schema) -> tuple[str, ...]:
    """The JSON types that `schema` allows; empty for any."""
    if schema.get(_INT_OR_STRING):
        return ("integer", "string")
    return (schema["type"],) if schema.get("type") else ()


def _combine(found: Result, keyword: str, results: list[Result], path: str) -> None:
    """Add what the results of the branches of a combinator say together."""
    fine = [result for result in results if result.fine]
    if keyword == "allOf":
        for result in results:
            found.merge(result)
        if len(fine) < len(results):
            ending = "" if fine else ". None validated"
            found.add(_nowhere(path, f"must validate all the schemas (allOf){ending}"))
    elif len(fine) == 1 or (fine and keyword == "anyOf"):
        found.merge(fine[0])
    elif keyword == "anyOf":
        found.add(_nowhere(path, "must validate at least one schema (anyOf)"))
        found.merge(_best(results))
    else:
        ending = f"Found {len(fine)} valid alternatives" if fine else "Found none valid"
        found.add(_nowhere(path, f"must validate one and only one schema (oneOf). {ending}"))
        found.merge(Result() if fine else _best(results))


def _best(results: list[Result]) -> Result:
    return max(results, key=lambda result: result.matched)


def _nowhere(path: str, words: str) -> FieldError:
    return invalid(_NOWHERE, "", f'"{path}" {words}')


def _too_many(path: str, found: int, most: int) -> FieldError:
    things = "item" if most == 1 else "items"
    words = f"must have at most {most} {things}" if most >= 0 else "has too many items"
    return FieldError(path, "TooMany", words, found)
