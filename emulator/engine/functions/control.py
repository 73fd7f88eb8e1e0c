"""Conversions, conditions, and functions of the query itself."""

from typing import Final

from emulator.engine.arithmetic import truth
from emulator.engine.conversion import convert, to_dynamic, to_string
from emulator.engine.functions.registry import Call, alias, register
from emulator.engine.problems import UnsupportedProblem
from emulator.engine.typed import NUMBERS, Typed, constant

_CASTS: Final = {
    "tobool": "bool",
    "toboolean": "bool",
    "todatetime": "datetime",
    "todecimal": "decimal",
    "todouble": "real",
    "toguid": "guid",
    "toint": "int",
    "tolong": "long",
    "toreal": "real",
    "totimespan": "timespan",
    "tostring": "string",
}


def _cast(kind: str) -> None:
    def bind(call: Call) -> Typed:
        return convert(call.arguments[0], kind, call.at, call.name)

    for name, target in _CASTS.items():
        if target == kind:
            register(name, 1)(bind)


for _kind in set(_CASTS.values()):
    _cast(_kind)


def common_type(values: list[Typed], call: Call) -> str:
    """The one type of several branches; raises SemanticProblem when they have none."""
    types = {value.type for value in values if not (value.is_null and value.type != "string")}
    types = types or {value.type for value in values}
    if len(types) == 1:
        return types.pop()
    if types <= {"int", "long"}:
        return "long"
    if types <= set(NUMBERS) and "decimal" not in types:
        return "real"
    if "dynamic" in types and len(types) == 2:
        return "dynamic"
    listed = ", ".join(sorted(types))
    raise call.error(f"the branches have different types: {listed}; cast them", "SEM0525")


@register("iff", 3)
def _iff(call: Call) -> Typed:
    condition = truth(call.arguments[0], call.name, call.at)
    branches = list(call.arguments[1:])
    kind = common_type(branches, call)
    a, b = (convert(value, kind).sql for value in branches)
    return call.result(f"CASE WHEN {condition.sql} THEN {a} ELSE {b} END", kind)


alias("iff", "iif")


@register("case", 3, 129)
def _case(call: Call) -> Typed:
    if len(call.arguments) % 2 == 0:
        raise call.error("takes pairs of a condition and a value, and a value for the rest")
    values = [*call.arguments[1:-1:2], call.arguments[-1]]
    kind = common_type(values, call)
    branches = [
        f"WHEN {truth(condition, call.name, call.at).sql} THEN {convert(value, kind).sql}"
        for condition, value in zip(call.arguments[:-1:2], call.arguments[1:-1:2], strict=True)
    ]
    return call.result(
        f"CASE {' '.join(branches)} ELSE {convert(call.arguments[-1], kind).sql} END", kind
    )


@register("coalesce", 2, 64)
def _coalesce(call: Call) -> Typed:
    kind = common_type(list(call.arguments), call)
    values = [convert(value, kind).sql for value in call.arguments]
    if kind == "string":
        skipping = [f"nullif({value}, '')" for value in values]
        return call.result(f"coalesce({', '.join(skipping)}, '')", kind)
    return call.result(f"coalesce({', '.join(values)})", kind)


@register("isnull", 1)
def _isnull(call: Call) -> Typed:
    value = call.arguments[0]
    return call.result("false" if value.type == "string" else f"({value.sql} IS NULL)", "bool")


@register("isnotnull", 1)
def _isnotnull(call: Call) -> Typed:
    value = call.arguments[0]
    return call.result("true" if value.type == "string" else f"({value.sql} IS NOT NULL)", "bool")


alias("isnotnull", "notnull")
_DYNAMIC_TYPES: Final = (
    "CASE json_type({0}) WHEN 'ARRAY' THEN 'array' WHEN 'OBJECT' THEN 'dictionary' "
    "WHEN 'UBIGINT' THEN 'long' WHEN 'BIGINT' THEN 'long' WHEN 'DOUBLE' THEN 'double' "
    "WHEN 'BOOLEAN' THEN 'bool' WHEN 'VARCHAR' THEN 'string' ELSE 'null' END"
)


@register("gettype", 1)
def _gettype(call: Call) -> Typed:
    value = call.arguments[0]
    if value.type == "dynamic":
        return call.result(_DYNAMIC_TYPES.format(value.sql), "string")
    return constant("string", value.type)


@register("toscalar", 1)
def _toscalar(call: Call) -> Typed:
    return call.arguments[0]


@register("assert", 2)
def _assert(call: Call) -> Typed:
    condition = truth(call.arguments[0], "assert", call.at)
    if condition.constant is True:
        return condition
    message = to_string(call.arguments[1]).sql
    failed = f"error('assert() has failed with message: ' || {message})"
    return call.result(f"CASE WHEN {condition.sql} THEN true ELSE {failed} END", "bool")


@register("current_database", 0)
def _current_database(call: Call) -> Typed:
    return constant("string", call.binder.compiler.environment.database)


@register("current_cluster_endpoint", 0)
def _cluster_endpoint(call: Call) -> Typed:
    del call
    return constant("string", "localhost")


@register("current_principal", 0)
def _principal(call: Call) -> Typed:
    del call
    return constant("string", "local")


def _unsupported(name: str, instead: str = "") -> None:
    def bind(call: Call) -> Typed:
        raise UnsupportedProblem(f"the function '{name}()'", call.at, instead)

    register(name, 0, None)(bind)


for _name in (
    *("cursor_after", "cursor_before_or_at", "cursor_current", "current_cluster_endpoint"),
    *("current_principal", "current_principal_details", "current_principal_is_member_of"),
    *("extent_id", "extent_tags", "geo_info_from_ip_address", "parse_user_agent", "parse_xml"),
    *("zlib_compress_to_base64_string", "gzip_compress_to_base64_string"),
):
    _unsupported(_name)


@register("pack_all", 0, 1)
def _pack_all(call: Call) -> Typed:
    from emulator.engine.functions.bags import bag_sql  # noqa: PLC0415 - one use

    relation = call.binder.relation
    if relation is None:
        raise call.error("needs rows")
    ignores = bool(call.arguments) and call.arguments[0].constant is True
    pairs = [(constant("string", column.name), column.typed) for column in relation.columns]
    return call.result(bag_sql(pairs, skip_empty=ignores), "dynamic")


@register("column_names_of", 0, 1)
def _column_names(call: Call) -> Typed:
    raise UnsupportedProblem("the function 'column_names_of()'", call.at)


@register("dynamic_to_json", 1)
def _dynamic_to_json(call: Call) -> Typed:
    return call.result(
        f"coalesce(k_sorted_json({to_dynamic(call.arguments[0]).sql}), '')", "string"
    )


@register("timespan", 1)
def _timespan(call: Call) -> Typed:
    return convert(call.arguments[0], "timespan", call.at, call.name)
