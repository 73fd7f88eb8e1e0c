"""Runs the CEL rules of a schema on an object, with the old one where there is one.

A rule that reads `oldSelf` runs only where an old value correlates. On update a rule that does
not is not held against a value that stays as it was (ratcheting).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from crdgen.admission.children import children
from crdgen.admission.ratcheting import Correlation, old_item
from crdgen.cel import conversion
from crdgen.cel.checker import Checked
from crdgen.cel.compiler import OLD_SELF, SELF, Compiled, RuleError, Scope
from crdgen.cel.declarations import declare, with_object_meta
from crdgen.cel.interpreter import evaluate
from crdgen.cel.values import NONE, EvaluationError, Optional, Value
from crdgen.field_errors import FieldError, duplicate, forbidden, invalid, invalid_unshown, required
from crdgen.field_path import FieldPathError, resolve
from crdgen.schema_keywords import Schema

Json = Any
_RULES: Final = "x-kubernetes-validations"
_EMBEDDED: Final = "x-kubernetes-embedded-resource"
_LONGEST_MESSAGE: Final = 5 * 1024


@dataclass(frozen=True, slots=True)
class _SchemaContext:
    path: str
    ratchet: Correlation | None
    parent: Correlation | None

    def ratchets(self) -> bool:
        """Whether the value at hand, or what it is part of, stays as it was."""
        nearest = self.ratchet or self.parent
        return nearest is not None and nearest.unchanged()


def problems(
    value: Json, old: Json, schema: Schema, path: str = "", *, root: bool,
    ratchet: Correlation | None = None,
) -> Iterator[FieldError]:  # fmt: skip
    """The rules that `value` breaks, `old` being what it replaces (None on creation)."""
    yield from _node(value, old, schema, _SchemaContext(path, ratchet, None), root=root)


def _node(
    value: Json, old: Json, schema: Schema, place: _SchemaContext, *, root: bool
) -> Iterator[FieldError]:
    if value is None:
        return
    if schema.get(_RULES):
        yield from _rules(value, old, schema, place, root=root)
    for key, child, inner, path in children(value, schema, place.path):
        if isinstance(key, int):
            ratchet = place.ratchet.index(key) if place.ratchet else None
            before = old_item(child, old, schema)
        else:
            ratchet = place.ratchet.key(key) if place.ratchet else None
            before = old.get(key) if isinstance(old, dict) else None
        below = _SchemaContext(path, ratchet, place.ratchet or place.parent)
        yield from _node(child, before, inner, below, root=bool(inner.get(_EMBEDDED)))


def _rules(
    value: Json, old: Json, schema: Schema, place: _SchemaContext, *, root: bool
) -> Iterator[FieldError]:
    seen = declare(schema, root=root)
    if seen is None:
        return
    scope = Scope(seen)
    typed = with_object_meta(schema) if root else schema
    for rule in schema[_RULES]:
        try:
            compiled = scope.compile_rule(rule)
        except RuleError as error:
            words = f"rule compile error: {error}"
            yield invalid(place.path or "<nil>", schema.get("type", ""), words)
            continue
        optional = bool(rule.get("optionalOldSelf"))
        if compiled.reads_old and old is None and not optional:
            continue
        bound = _variables(value, old, typed, optional=optional)
        yield from _evaluate_rule(rule, compiled, bound, (value, schema), place)


def _variables(value: Json, old: Json, schema: Schema, *, optional: bool) -> dict[str, Value]:
    @cache
    def before() -> Value:
        if optional:
            return (
                NONE
                if old is None
                else Optional(present=True, value=conversion.to_cel(old, schema))
            )
        return conversion.to_cel(old, schema)

    @cache
    def now() -> Value:
        return conversion.to_cel(value, schema)

    return {SELF: now, OLD_SELF: before}


def _evaluate_rule(
    rule: Schema,
    compiled: Compiled,
    bound: dict[str, Value],
    node: tuple[Json, Schema],
    place: _SchemaContext,
) -> Iterator[FieldError]:
    value, schema = node
    shown = (rule.get("message") or rule["rule"]).strip()
    path = place.path or "<nil>"
    try:
        if evaluate(compiled.rule, bound) is True:
            return
    except EvaluationError as error:
        words = f"{error} evaluating rule: {shown}"
        if str(error).startswith("no such overload"):
            words = f"'{error}': call arguments did not match a supported operator, function or"
            words += f" macro signature for rule: {shown}"
        yield invalid(path, schema.get("type", ""), words)
        return
    if not compiled.reads_old and place.ratchets():
        return
    detail = _message(compiled.message, bound) if compiled.message else None
    detail = detail or (rule["message"].strip() if rule.get("message") else f"failed rule: {shown}")
    yield _with_reason(rule, schema, _at(rule, schema, place.path) or path, value, detail)


def _message(message: Checked, bound: dict[str, Value]) -> str | None:
    try:
        text = evaluate(message, bound)
    except EvaluationError:
        return None
    trimmed = text.strip() if isinstance(text, str) else ""
    fits = len(trimmed.encode()) <= _LONGEST_MESSAGE and "\n" not in trimmed
    return trimmed if fits else None


def _at(rule: Schema, schema: Schema, path: str) -> str:
    if not rule.get("fieldPath"):
        return path
    try:
        normal, _ = resolve(rule["fieldPath"], schema)
    except FieldPathError:
        return path
    return f"{path}.{normal}" if path else normal


def _with_reason(rule: Schema, schema: Schema, path: str, value: Json, detail: str) -> FieldError:
    shown = schema.get("type") not in {"object", "array"}
    builders: dict[str, Callable[[], FieldError]] = {
        "FieldValueForbidden": lambda: forbidden(path, detail),
        "FieldValueRequired": lambda: required(path, detail),
        "FieldValueDuplicate": lambda: (
            duplicate(path, value) if shown else FieldError(path, "Duplicate", "")
        ),
    }
    build = builders.get(str(rule.get("reason") or ""))
    if build is not None:
        return build()
    return invalid(path, value, detail) if shown else invalid_unshown(path, detail)
