"""CEL rules of a schema: that each compiles, and that their estimated cost stays in bounds.

Kubernetes refuses a rule whose estimate exceeds 10 million, and a schema whose rules together
exceed 100 million. A rule counts as often as its node can occur.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from crdgen.cel.compiler import Compiled, RuleError, Scope
from crdgen.cel.declarations import declare
from crdgen.cel.size_range import MOST
from crdgen.field_errors import FieldError, forbidden, invalid, invalid_unshown
from crdgen.schema_keywords import Schema

PER_RULE: Final = 10_000_000
PER_SCHEMA: Final = 100_000_000
_ADVICE: Final = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays,"
    " maps, and strings are declared)"
)
_LIST: Final = "x-kubernetes-list-type"
_MAP: Final = "x-kubernetes-map-type"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one expression is estimated to cost in one request, and what makes it large.

    `each` is the estimate for one evaluation, `times` how often it can run; `unbounded` names the
    fields without a maxItems, maxProperties or maxLength that the numbers rest on.
    """

    path: str
    each: int
    times: int
    unbounded: tuple[str, ...]

    @property
    def total(self) -> int:
        """The estimate that the limits are held against."""
        return min(self.each * self.times, MOST)


@dataclass(frozen=True, slots=True)
class _SchemaContext:
    path: str
    user_path: str
    times: int | None
    root: bool
    frozen: str = ""
    loose: tuple[str, ...] = ()


def check_rules(
    schema: Schema, path: str, broken: list[str]
) -> tuple[list[FieldError], list[Cost]]:
    """What is wrong with the rules of the schema at `path`, and what each costs.

    Rules on a node are left alone while something at or below it is wrong: `broken` has the
    paths of that.
    """
    problems: list[FieldError] = []
    costs: list[Cost] = []
    for found in _walk(schema, _SchemaContext(path, "", 1, root=True), broken):
        (costs if isinstance(found, Cost) else problems).append(found)  # type: ignore[arg-type]
    total = min(sum(cost.total for cost in costs), MOST)
    if total > PER_SCHEMA:
        problems += _over_all(costs, total, path)
    return problems, costs


def _walk(node: Schema, place: _SchemaContext, broken: list[str]) -> Iterator[FieldError | Cost]:
    for child, inner in _children(node, place):
        yield from _walk(child, inner, broken)
    rules = node.get("x-kubernetes-validations", ())
    if not rules or any(path.startswith(place.path) for path in broken):
        return
    root = place.root or bool(node.get("x-kubernetes-embedded-resource"))
    seen = declare(node, root=root)
    if seen is None:
        words = "internal error: failed to construct type information for rules"
        yield invalid_unshown(f"{place.path}.x-kubernetes-validations", words)
        return
    scope = Scope(seen)
    for index, rule in enumerate(rules):
        if rule.get("rule", "").strip():
            here = f"{place.path}.x-kubernetes-validations[{index}]"
            yield from _one(rule, scope, node, here, place)


def _one(
    rule: Schema, scope: Scope, node: Schema, path: str, place: _SchemaContext
) -> Iterator[FieldError | Cost]:
    try:
        compiled = scope.compile_rule(rule)
    except RuleError as error:
        yield invalid(f"{path}.{error.part}", rule, str(error))
        return
    loose = (*place.loose, *_loose(node, place.user_path))
    times = place.times if place.times is not None else scope.unbounded
    yield from _check_cost(Cost(f"{path}.rule", compiled.cost, times, loose), "rule")
    if compiled.message is not None:
        message = Cost(f"{path}.messageExpression", compiled.message_cost, 1, loose)
        yield from _check_cost(message, "messageExpression")
    yield from _transition(rule, compiled, path, place)


def _check_cost(cost: Cost, what: str) -> Iterator[FieldError | Cost]:
    yield cost
    if cost.total > PER_RULE:
        over = _over(f"estimated {what} cost", cost.total, PER_RULE)
        yield forbidden(cost.path, over + _culprits(cost))


def _transition(
    rule: Schema, compiled: Compiled, path: str, place: _SchemaContext
) -> Iterator[FieldError]:
    if compiled.reads_old and place.frozen:
        words = "oldSelf cannot be used on the uncorrelatable portion of the schema within"
        yield invalid(f"{path}.rule", rule["rule"], f"{words} {place.frozen}")
    elif not compiled.reads_old and rule.get("optionalOldSelf") is not None:
        words = "may not be set if oldSelf is not used in rule"
        yield invalid(f"{path}.optionalOldSelf", rule["optionalOldSelf"], words)


def _children(node: Schema, place: _SchemaContext) -> Iterator[tuple[Schema, _SchemaContext]]:
    times = _times(node, place.times)
    here = replace(place, times=times, root=False, loose=(*place.loose, *_loose_here(node, place)))
    extra = node.get("additionalProperties")
    if isinstance(extra, dict):
        step = f"{place.path}.additionalProperties"
        yield extra, replace(here, path=step, user_path=f"{place.user_path}[*]")
    for name, child in node.get("properties", {}).items():
        known = node.get(_MAP) in {None, "granular", "atomic"}
        inner = here if known else replace(here, frozen=place.frozen or place.path)
        user = f"{place.user_path}.{name}" if place.user_path else name
        yield child, replace(inner, path=f"{place.path}.properties[{name}]", user_path=user)
    if isinstance(node.get("items"), dict):
        inner = here
        if node.get(_LIST) != "map":
            inner = replace(here, frozen=place.frozen or place.path)
        step = f"{place.path}.items"
        yield node["items"], replace(inner, path=step, user_path=f"{place.user_path}[*]")


def _times(node: Schema, times: int | None) -> int | None:
    kind, most = node.get("type"), 1
    if kind == "object" and node.get("additionalProperties") is not None:
        most = node.get("maxProperties", -1)
        unbounded = "maxProperties" not in node
    elif kind == "array":
        most = node.get("maxItems", -1)
        unbounded = "maxItems" not in node
    else:
        unbounded = False
    if times is None or unbounded:
        return None
    return min(times * max(most, 0), MOST)


def _loose_here(node: Schema, place: _SchemaContext) -> tuple[str, ...]:
    return (place.user_path,) if _times(node, 1) is None else ()


def _loose(node: Schema, path: str) -> tuple[str, ...]:
    """The fields at and below `path` whose size nothing bounds."""
    found: list[str] = []
    pending: list[tuple[Schema, str]] = [(node, path)]
    while pending:
        each, at = pending.pop()
        if _times(each, 1) is None or (
            each.get("type") == "string" and not {"maxLength", "enum", "format"} & each.keys()
        ):
            found.append(at or "self")
        pending += [
            (child, f"{at}.{name}" if at else name)
            for name, child in each.get("properties", {}).items()
        ]
        for keyword in ("items", "additionalProperties"):
            if isinstance(each.get(keyword), dict):
                pending.append((each[keyword], f"{at}[*]"))
    return tuple(sorted(found))


def _over_all(costs: list[Cost], total: int, path: str) -> Iterator[FieldError]:
    expensive = sorted(costs, key=lambda cost: -cost.total)[:4]
    for cost in expensive:
        if cost.total >= PER_SCHEMA // 100:
            words = "contributed to estimated rule cost total exceeding cost limit for entire"
            yield forbidden(cost.path, f"{words} OpenAPIv3 schema")
    what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
    yield forbidden(path, _over(what, total, PER_SCHEMA))


def _over(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    shown = f"{factor:.1f}x"
    if factor > 100:  # noqa: PLR2004 - from there on the server stops counting
        shown = "more than 100x"
    elif factor < 1.5:  # noqa: PLR2004 - so that it never says 1.0x
        shown = f"{factor:f}x"
    return f"{what} exceeds budget by factor of {shown} {_ADVICE}"


def _culprits(cost: Cost) -> str:
    if not cost.unbounded:
        return ""
    shown: list[Any] = [*cost.unbounded[:5]]
    more = f" and {len(cost.unbounded) - 5} more" if len(cost.unbounded) > len(shown) else ""
    each = f"{cost.each:,} x {cost.times:,} = {cost.total:,} of {PER_RULE:,}"
    return f"; {each}; without a bound: {', '.join(shown)}{more}"
