"""From one Kusto type to another: the text of a value, JSON of a value, and `toX()`.

Source: Kusto docs, "tostring()", "tolong()", … and the measurements that duckdb-kql 1.1.2 records.
"""

from typing import Final

from emulator.engine import literals
from emulator.engine.problems import SemanticProblem
from emulator.engine.typed import NOT_CONSTANT, SQL_TYPES, Typed, constant, null

_TEXT: Final = {
    "bool": "__emulator.bool_text({0})",
    "datetime": "__emulator.dt_text({0})",
    "decimal": "__emulator.decimal_text({0})",
    "dynamic": "__emulator.dyn_text({0})",
    "guid": "coalesce({0}::VARCHAR, '')",
    "int": "coalesce({0}::VARCHAR, '')",
    "long": "coalesce({0}::VARCHAR, '')",
    "real": "__emulator.real_text({0})",
    "string": "{0}",
    "timespan": "__emulator.span_text({0})",
}
_JSON: Final = {
    "bool": "CASE WHEN {0} IS NULL THEN 'null' WHEN {0} THEN 'true' ELSE 'false' END",
    "datetime": "coalesce('\"' || nullif(__emulator.dt_text({0}), '') || '\"', 'null')",
    "decimal": "coalesce('\"' || nullif(__emulator.decimal_text({0}), '') || '\"', 'null')",
    "dynamic": "coalesce({0}, 'null')",
    "guid": "coalesce('\"' || {0}::VARCHAR || '\"', 'null')",
    "int": "coalesce({0}::VARCHAR, 'null')",
    "long": "coalesce({0}::VARCHAR, 'null')",
    "real": "__emulator.real_json({0})",
    "string": "to_json({0})::VARCHAR",
    "timespan": "coalesce('\"' || nullif(__emulator.span_text({0}), '') || '\"', 'null')",
}


def text_sql(value: Typed) -> str:
    """SQL for the text of `value`, as `tostring()` gives it; never NULL."""
    if value.is_constant and value.type == "string":
        return value.sql
    return _TEXT[value.type].format(value.sql)


def json_sql(value: Typed) -> str:
    """SQL for `value` as JSON text; `null` for a null."""
    if value.is_constant and value.type == "dynamic" and value.constant is not None:
        return value.sql
    return _JSON[value.type].format(value.sql)


def to_dynamic(value: Typed) -> Typed:
    """`value` as a dynamic."""
    if value.type == "dynamic":
        return value
    if value.is_null:
        return null("dynamic")
    return Typed(f"nullif({json_sql(value)}, 'null')", "dynamic", windowed=value.windowed)


def to_string(value: Typed) -> Typed:
    """`tostring(value)`."""
    if value.type == "string":
        return value
    known = _known_text(value)
    return Typed(text_sql(value), "string", known, value.windowed, value.name)


def _known_text(value: Typed) -> object:
    if value.is_constant and value.type in ("int", "long"):
        return "" if value.constant is None else str(value.constant)
    return NOT_CONSTANT


_LONG_LIMITS: Final = "(-9223372036854775807)::BIGINT, 9223372036854775807::BIGINT"
_INT_LIMITS: Final = "(-2147483648)::BIGINT, 2147483647::BIGINT"
_TO_LONG: Final = {
    "bool": "{0}::BIGINT",
    "datetime": "{0}",
    "decimal": "trunc({0})::BIGINT",
    "dynamic": "__emulator.dyn_long({0})",
    "int": "{0}::BIGINT",
    "long": "{0}",
    "real": f"__emulator.real_to_long({{0}}, {_LONG_LIMITS})",
    "string": "__emulator.int_text({0})",
    "timespan": "{0}",
}
_TO_INT: Final = {
    "bool": "{0}::INTEGER",
    "datetime": "__emulator.wrap32({0})",
    "decimal": "trunc({0})::INTEGER",
    "dynamic": "TRY_CAST(__emulator.dyn_long({0}) AS INTEGER)",
    "int": "{0}",
    "long": "__emulator.wrap32({0})",
    "real": f"__emulator.real_to_long({{0}}, {_INT_LIMITS})::INTEGER",
    "string": "TRY_CAST(__emulator.int_text({0}) AS INTEGER)",
    "timespan": "__emulator.wrap32({0})",
}
_TO_REAL: Final = {
    "bool": "{0}::INTEGER::DOUBLE",
    "datetime": "{0}::DOUBLE",
    "decimal": "{0}::DOUBLE",
    "dynamic": "__emulator.dyn_real({0})",
    "int": "{0}::DOUBLE",
    "long": "{0}::DOUBLE",
    "real": "{0}",
    "string": "__emulator.real_of_text({0})",
    "timespan": "{0}::DOUBLE",
}
_TO_BOOL: Final = {
    "bool": "{0}",
    "dynamic": "__emulator.dyn_bool({0})",
    "int": "({0} <> 0)",
    "long": "({0} <> 0)",
    "real": "({0} <> 0)",
    "decimal": "({0} <> 0)",
    "string": "__emulator.bool_of_text({0})",
}
_TO_DATETIME: Final = {
    "datetime": "{0}",
    "dynamic": "__emulator.dt_of_text(__emulator.dyn_text({0}))",
    "string": "__emulator.dt_of_text({0})",
}
_TO_TIMESPAN: Final = {
    "bool": "{0}::BIGINT",
    "datetime": "{0}",
    "dynamic": "k_dynamic_timespan({0})",
    "int": "{0}::BIGINT",
    "long": "{0}",
    "real": f"__emulator.real_to_long({{0}}, {_LONG_LIMITS})",
    "string": "k_parse_timespan({0})",
    "timespan": "{0}",
}
_TO_GUID: Final = {
    "guid": "{0}",
    "string": "TRY_CAST(k_parse_guid({0}) AS UUID)",
    "dynamic": "TRY_CAST(k_parse_guid(__emulator.dyn_text({0})) AS UUID)",
}
_TO_DECIMAL: Final = {
    "decimal": "{0}",
    "int": "{0}::DECIMAL(38,9)",
    "long": "{0}::DECIMAL(38,9)",
    "real": "TRY_CAST({0} AS DECIMAL(38,9))",
    "bool": "{0}::INTEGER::DECIMAL(38,9)",
    "string": "TRY_CAST(trim({0}) AS DECIMAL(38,9))",
    "dynamic": "TRY_CAST(__emulator.dyn_text({0}) AS DECIMAL(38,9))",
}
_TABLES: Final = {
    "bool": _TO_BOOL,
    "datetime": _TO_DATETIME,
    "decimal": _TO_DECIMAL,
    "guid": _TO_GUID,
    "int": _TO_INT,
    "long": _TO_LONG,
    "real": _TO_REAL,
    "timespan": _TO_TIMESPAN,
}


def convert(value: Typed, kind: str, at: int = -1, function: str = "") -> Typed:
    """`value` as `to<kind>()` converts it; raises SemanticProblem when Kusto has no such cast."""
    if kind == "string":
        return to_string(value)
    if kind == "dynamic":
        return to_dynamic(value)
    if value.type == kind:
        return value
    if value.is_null:
        return null(kind).named(value.name)
    template = _TABLES[kind].get(value.type)
    if template is None:
        name = function or f"to{kind}"
        raise SemanticProblem(f"{name}(): cannot convert a {value.type}", at, "SEM0219")
    known = _known_value(value, kind)
    if known is not NOT_CONSTANT:
        return constant(kind, known).named(value.name)
    return Typed(template.format(value.sql), kind, windowed=value.windowed, name=value.name)


def _known_value(value: Typed, kind: str) -> object:
    if value.type == "string" and isinstance(value.constant, str):
        readers = {
            "datetime": literals.parse_datetime,
            "timespan": literals.parse_timespan,
            "guid": literals.parse_guid,
            "bool": literals.parse_bool,
            "long": lambda text: literals.parse_integer(text, 64),
            "int": lambda text: literals.parse_integer(text, 32),
            "real": literals.parse_real,
        }
        reader = readers.get(kind)
        return NOT_CONSTANT if reader is None else reader(value.constant)
    if value.type in ("int", "long") and isinstance(value.constant, int):
        if kind == "long":
            return value.constant
        if kind == "real":
            return float(value.constant)
    return NOT_CONSTANT


def element_typed(sql: str, kind: str) -> Typed:
    """An element of an array, whose JSON is `sql`, as `to typeof(kind)` converts it."""
    value = Typed(sql, "dynamic")
    if kind in ("", "dynamic"):
        return value
    if kind in ("long", "int", "real", "bool"):
        guard = (
            f"CASE WHEN json_type({sql}) IN ('UBIGINT','BIGINT','DOUBLE','BOOLEAN') THEN {sql} END"
        )
        if kind != "bool":
            guard = guard.replace(",'BOOLEAN'", "")
        else:
            guard = guard.replace(",'DOUBLE'", "")
        return convert(Typed(guard, "dynamic"), kind)
    return convert(value, kind)


def sql_type(kind: str) -> str:
    """The SQL type that holds a Kusto type."""
    return SQL_TYPES[kind]
