"""The name that Kusto gives to a column that a query does not name.

Which functions keep their argument's name is a list, not a rule. It is the one that duckdb-kql
1.1.2 (MIT) measured on Kusto's own emulator.
"""

from typing import Final

from emulator.engine import syntax
from emulator.engine.problems import UnsupportedProblem

_KEEPS_NAME: Final = frozenset(
    [
        "tostring",
        "toint",
        "tolong",
        "todouble",
        "toreal",
        "tobool",
        "toboolean",
        "todatetime",
        "totimespan",
        "timespan",
        "toguid",
        "todecimal",
        "tohex",
        "todynamic",
        "parse_json",
        "split",
        "bin",
        "bin_at",
        "bin_auto",
        "floor",
        "ceiling",
        "round",
        "startofday",
        "abs",
        "sqrt",
        "log",
        "log10",
        "log2",
        "exp",
        "exp2",
        "gamma",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "atan2",
        "binary_and",
        "binary_or",
        "binary_xor",
        "binary_not",
        "binary_shift_left",
        "binary_shift_right",
        "format_datetime",
    ]
)
_PREFIXED: Final = {"strlen": "strlen", "gettype": "type"}
_SORTING: Final = ("array_sort_asc", "array_sort_desc")
AGGREGATE_PREFIXES: Final = {
    "any": "any",
    "arg_max": "max",
    "arg_min": "min",
    "make_bag": "bag",
    "make_bag_if": "bag",
    "make_list": "list",
    "make_list_if": "list",
    "make_list_with_nulls": "list",
    "make_set": "set",
    "make_set_if": "set",
    "makelist": "list",
    "makeset": "set",
    "percentiles_array": "percentiles",
    "percentilesw_array": "percentiles",
}
NAMELESS_ARGUMENT: Final = ("count", "countif")
NAMED_BY_ARGUMENT: Final = ("take_any", "take_anyif", "any", "anyif")


def expression_name(value: syntax.Expression, aggregates: frozenset[str]) -> str | None:
    """The name of an unnamed column that holds `value`, None for `ColumnN`."""
    if isinstance(value, syntax.Name):
        return value.name
    if isinstance(value, syntax.Member):
        return _member_name(value, aggregates)
    if not isinstance(value, syntax.Call):
        return None
    if value.name in aggregates:
        return _aggregate_name(value, aggregates)
    first = value.arguments[0].value if value.arguments else None
    if not isinstance(first, syntax.Expression):
        return None
    if value.name in _KEEPS_NAME:
        return expression_name(first, aggregates)
    if value.name in _PREFIXED:
        return f"{_PREFIXED[value.name]}_{expression_name(first, aggregates) or ''}"
    if value.name in _SORTING:
        return f"{first.name}_sorted" if isinstance(first, syntax.Name) else "array0_sorted"
    return None


def _member_name(value: syntax.Member, aggregates: frozenset[str]) -> str:
    base = expression_name(value.base, aggregates)
    if value.name is not None:
        step = value.name
    elif isinstance(value.index, syntax.Literal) and isinstance(value.index.value, int | str):
        step = str(value.index.value).replace("-", "_")
    else:
        raise UnsupportedProblem(
            "an unnamed column of a computed index", value.at, "name the column, as 'x = d[i]'"
        )
    return f"{base}_{step}" if base else step


def _aggregate_name(call: syntax.Call, aggregates: frozenset[str]) -> str:
    first = call.arguments[0].value if call.arguments else None
    inner = expression_name(first, aggregates) if isinstance(first, syntax.Expression) else None
    if call.name in NAMED_BY_ARGUMENT:
        return inner or call.name
    prefix = AGGREGATE_PREFIXES.get(call.name, call.name)
    if call.name in NAMELESS_ARGUMENT and not (call.name == "count" and inner):
        return f"{prefix}_"
    name = f"{prefix}_{inner or ''}"
    if call.name.startswith("covariance"):
        second = call.arguments[1].value if len(call.arguments) > 1 else None
        other = (
            expression_name(second, aggregates) if isinstance(second, syntax.Expression) else None
        )
        return f"{name}_{other or ''}"
    if call.name == "percentile" and len(call.arguments) > 1:
        name += percentile_suffix(call.arguments[1].value)
    return name


def percentile_suffix(value: object) -> str:
    """`_50` for 50, `_99_9` for 99.9."""
    number = value.value if isinstance(value, syntax.Literal) else value
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    return f"_{str(number).replace('.', '_')}" if isinstance(number, int | float) else ""


class Namer:
    """Names the columns of one operator, left to right."""

    def __init__(self, reserved: list[str], skip: list[str]) -> None:
        self._taken: set[str] = set()
        self._reserved = set(reserved)
        self._skip = set(skip)
        self._positional = 0

    def positional(self) -> str:
        """The next `ColumnN`."""
        self._positional += 1
        while f"Column{self._positional}" in self._skip:
            self._positional += 1
        return f"Column{self._positional}"

    def take(self, base: str) -> str:
        """`base`, or `base1`, `base2`, … when it is taken."""
        name, number = base, 0
        while name in self._taken or (number and name in self._reserved):
            number += 1
            name = f"{base}{number}"
        self._taken.add(name)
        return name
