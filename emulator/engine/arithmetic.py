"""Operators on typed values: sums, comparisons, and text operators, by Kusto's rules.

Source: Kusto docs, "Numerical operators", "Null values", "String operators", "Datetime / timespan
arithmetic". Sums of ints are longs; a real divided by zero is infinite; an integer divided by
zero is null; two nulls are neither equal nor unequal, a null and a value are unequal.
"""

import re
from collections.abc import Callable
from typing import Final

from emulator.engine.conversion import convert, text_sql
from emulator.engine.problems import SemanticProblem, UnsupportedProblem
from emulator.engine.typed import INTEGERS, NOT_CONSTANT, NUMBERS, Typed, constant, quote

_RANK: Final = {"int": 0, "long": 1, "decimal": 2, "real": 3}


def _result(sql: str, kind: str, *parts: Typed) -> Typed:
    return Typed(sql, kind, windowed=any(part.windowed for part in parts))


def common_number(left: str, right: str) -> str:
    """The type of a sum of two numbers: ints give a long."""
    wider = left if _RANK[left] >= _RANK[right] else right
    return "long" if wider == "int" else wider


def arithmetic(operator: str, left: Typed, right: Typed, at: int) -> Typed:
    """`left operator right` for + - * / %."""
    pair = (left.type, right.type)
    if left.type in NUMBERS and right.type in NUMBERS:
        return _number_arithmetic(operator, left, right, at)
    rule = _TIME_RULES.get((operator, *pair))
    if rule is None and "dynamic" in pair:
        raise SemanticProblem(
            f"'{operator}' does not take a dynamic; write tolong(…), toreal(…) or another cast",
            at,
            "SEM0064",
        )
    if rule is None:
        raise SemanticProblem(
            f"'{operator}' does not take {left.type} and {right.type}", at, "SEM0064"
        )
    kind, template = rule
    return _result(template.format(left.sql, right.sql), kind, left, right)


def _number_arithmetic(operator: str, left: Typed, right: Typed, at: int) -> Typed:
    kind = common_number(left.type, right.type)
    folded = _fold(operator, left, right, kind)
    if folded is not None:
        return folded
    if kind == "decimal" and operator in ("/", "%"):
        raise UnsupportedProblem(f"'{operator}' of decimals", at, "cast them with toreal()")
    a, b = convert(left, kind).sql, convert(right, kind).sql
    if operator == "/":
        sql = f"({a} / {b})" if kind == "real" else f"({a} // nullif({b}, 0))"
    elif operator == "%":
        sql = f"__emulator.{'fmod2' if kind == 'real' else 'mod'}({a}, {b})"
    else:
        sql = f"({a} {operator} {b})"
    if kind == "decimal":
        sql = f"CAST({sql} AS DECIMAL(38,9))"
    return _result(sql, kind, left, right)


def _fold(operator: str, left: Typed, right: Typed, kind: str) -> Typed | None:
    a, b = left.constant, right.constant
    if kind != "long" or not isinstance(a, int) or not isinstance(b, int):
        return None
    if operator in "/%":
        return None
    value = a + b if operator == "+" else a - b if operator == "-" else a * b
    return constant("long", value) if -(2**63) <= value < 2**63 else None


def _time_rules() -> dict[tuple[str, str, str], tuple[str, str]]:
    rules = {
        ("+", "datetime", "timespan"): ("datetime", "__emulator.dt_valid({0} + {1})"),
        ("+", "timespan", "datetime"): ("datetime", "__emulator.dt_valid({0} + {1})"),
        ("-", "datetime", "timespan"): ("datetime", "__emulator.dt_valid({0} - {1})"),
        ("-", "datetime", "datetime"): ("timespan", "({0} - {1})"),
        ("+", "timespan", "timespan"): ("timespan", "({0} + {1})"),
        ("-", "timespan", "timespan"): ("timespan", "({0} - {1})"),
        ("/", "timespan", "timespan"): ("real", "({0}::DOUBLE / {1}::DOUBLE)"),
        ("%", "timespan", "timespan"): ("timespan", "__emulator.mod({0}, {1})"),
    }
    for number in INTEGERS:
        rules["*", "timespan", number] = ("timespan", "({0} * {1}::BIGINT)")
        rules["*", number, "timespan"] = ("timespan", "({0}::BIGINT * {1})")
        rules["/", "timespan", number] = ("timespan", "({0} // nullif({1}::BIGINT, 0))")
    rules["*", "timespan", "real"] = ("timespan", "trunc({0} * {1})::BIGINT")
    rules["*", "real", "timespan"] = ("timespan", "trunc({0} * {1})::BIGINT")
    rules["/", "timespan", "real"] = ("timespan", "trunc({0} / nullif({1}, 0))::BIGINT")
    return rules


_TIME_RULES: Final = _time_rules()


def negate(value: Typed, at: int) -> Typed:
    """`-value`."""
    if value.type not in (*NUMBERS, "timespan"):
        raise SemanticProblem(f"'-' does not take a {value.type}", at, "SEM0064")
    if isinstance(value.constant, int | float) and value.type != "decimal":
        return constant("long" if value.type == "int" else value.type, -value.constant)
    kind = "long" if value.type == "int" else value.type
    return _result(f"(-{convert(value, kind).sql})", kind, value)


# ----- comparisons


def comparable(left: Typed, right: Typed, operator: str, at: int) -> tuple[Typed, Typed]:
    """Both sides in one type that can be compared; raises SemanticProblem."""
    if left.type == right.type:
        if left.type == "dynamic":
            raise SemanticProblem(
                f"'{operator}' cannot compare dynamic with dynamic; cast them, as tostring(…)",
                at,
                "SEM0064",
            )
        return left, right
    if left.type in NUMBERS and right.type in NUMBERS:
        kind = common_number(left.type, right.type)
        return convert(left, kind), convert(right, kind)
    if "dynamic" in (left.type, right.type):
        return _with_dynamic(left, right)
    for one, other in ((left, right), (right, left)):
        castable = one.type in ("datetime", "timespan", "guid")
        if castable and other.type == "string" and other.is_constant:
            both = (one, convert(other, one.type))
            return both if one is left else (both[1], both[0])
    if {left.type, right.type} <= {"bool", "int", "long"}:
        return convert(left, "long"), convert(right, "long")
    raise SemanticProblem(
        f"Cannot compare values of types {left.type} and {right.type}. Try adding explicit casts.",
        at,
        "SEM0064",
    )


def _with_dynamic(left: Typed, right: Typed) -> tuple[Typed, Typed]:
    kind = right.type if left.type == "dynamic" else left.type
    kind = {"int": "real", "long": "real", "decimal": "real"}.get(kind, kind)
    if kind == "real":
        return _dynamic_number(left), _dynamic_number(right)
    return convert(left, kind), convert(right, kind)


def _dynamic_number(value: Typed) -> Typed:
    if value.type != "dynamic":
        return convert(value, "real")
    guarded = (
        f"CASE WHEN json_type({value.sql}) IN ('UBIGINT','BIGINT','DOUBLE') THEN {value.sql} END"
    )
    return Typed(f"TRY_CAST({guarded} AS DOUBLE)", "real", windowed=value.windowed)


def equality(
    operator: str, left: Typed, right: Typed, at: int, *, in_filter: bool = False
) -> Typed:
    """`==` or `!=`; `in_filter` when a null result counts as false."""
    left, right = comparable(left, right, operator, at)
    a, b = left.sql, right.sql
    if left.type == "string":
        return _result(f"({a} {'=' if operator == '==' else '<>'} {b})", "bool", left, right)
    if left.type == "real":
        return _real_equality(operator, left, right)
    if in_filter:
        sql = f"({a} = {b})" if operator == "==" else f"({a} IS DISTINCT FROM {b})"
        if operator == "!=":
            sql = f"({sql} AND NOT ({a} IS NULL AND {b} IS NULL))"
        return _result(sql, "bool", left, right)
    if any(side.is_constant and side.constant is not None for side in (left, right)):
        symbol, otherwise = ("=", "false") if operator == "==" else ("<>", "true")
        return _result(f"coalesce({a} {symbol} {b}, {otherwise})", "bool", left, right)
    return _result(
        f"__emulator.{'eq' if operator == '==' else 'ne'}({a}, {b})", "bool", left, right
    )


def _real_equality(operator: str, left: Typed, right: Typed) -> Typed:
    """NaN equals nothing, where DuckDB says that it equals itself."""
    a, b = left.sql, right.sql
    nan = f"(coalesce(isnan({a}), false) OR coalesce(isnan({b}), false))"
    if operator == "==":
        sql = f"(__emulator.eq({a}, {b}) AND NOT {nan})"
    else:
        sql = f"(__emulator.ne({a}, {b}) OR {nan})"
    if not any(
        isinstance(side.constant, float) and side.constant == side.constant
        for side in (left, right)
    ):
        return _result(sql, "bool", left, right)
    symbol, otherwise = ("=", "false") if operator == "==" else ("<>", "true")
    return _result(f"coalesce({a} {symbol} {b}, {otherwise})", "bool", left, right)


def relation(operator: str, left: Typed, right: Typed, at: int) -> Typed:
    """`<`, `<=`, `>` or `>=`."""
    left, right = comparable(left, right, operator, at)
    if left.type in ("string", "guid", "bool"):
        raise SemanticProblem(
            f"'{operator}' cannot compare {left.type} with {right.type}; strcmp() compares strings",
            at,
            "SEM0064",
        )
    sql = f"({left.sql} {operator} {right.sql})"
    if left.type == "real":
        sql = _without_nan(sql, left, right)
    return _result(sql, "bool", left, right)


def _without_nan(sql: str, left: Typed, right: Typed) -> str:
    """A comparison that a NaN makes false, where DuckDB puts NaN above every number."""
    a, b = left.sql, right.sql
    if _is_number(right):
        return f"({sql} AND NOT isnan({a}))"
    if _is_number(left):
        return f"({sql} AND NOT isnan({b}))"
    nan = f"isnan({a}) AND {b} IS NOT NULL OR isnan({b}) AND {a} IS NOT NULL"
    return f"CASE WHEN {nan} THEN false ELSE {sql} END"


def _is_number(value: Typed) -> bool:
    return isinstance(value.constant, float) and value.constant == value.constant


def between(value: Typed, low: Typed, high: Typed, at: int, *, negated: bool) -> Typed:
    """`value between (low .. high)`, both ends included."""
    if high.type == "timespan" and low.type == "datetime":
        high = arithmetic("+", low, high, at)
    unordered = value.type in ("string", "guid", "dynamic") or "string" in (low.type, high.type)
    if unordered and not (value.type == "datetime" and low.is_constant):
        raise SemanticProblem(f"'between' does not take a {value.type}", at, "SEM0208")
    low_side, high_side = relation(">=", value, low, at), relation("<=", value, high, at)
    sql = f"({low_side.sql} AND {high_side.sql})"
    return _result(f"(NOT {sql})" if negated else sql, "bool", value, low, high)


# ----- text


def text_operator(operator: str, left: Typed, right: Typed, at: int) -> Typed:
    """`has`, `contains`, `startswith`, … with their `!` and `_cs` forms, `=~` and `!~`."""
    for side in (left, right):
        if side.type not in ("string", "dynamic"):
            raise SemanticProblem(
                f"'{operator}' takes strings, not a {side.type}; write tostring(…)", at, "SEM0064"
            )
    if operator in ("=~", "!~"):
        sql = f"(lower({text_sql(left)}) {'=' if operator == '=~' else '<>'} {lowered(right)})"
        return _result(sql, "bool", left, right)
    negated, name = operator.startswith("!"), operator.lstrip("!")
    sensitive = name.endswith("_cs")
    name = name.removesuffix("_cs")
    if name in _PLAIN:
        a, b = text_sql(left), text_sql(right)
        if not sensitive:
            a, b = f"lower({a})", lowered(right)
        sql = _PLAIN[name].format(a, b)
    else:
        sql = term_match(name, left, right, sensitive=sensitive)
    return _result(f"(NOT {sql})" if negated else sql, "bool", left, right)


def lowered(value: Typed) -> str:
    """SQL for the lower case of a text."""
    if isinstance(value.constant, str) and value.type == "string":
        return quote(value.constant.lower())
    return f"lower({text_sql(value)})"


_PLAIN: Final = {
    "contains": "contains({0}, {1})",
    "startswith": "starts_with({0}, {1})",
    "endswith": "suffix({0}, {1})",
}
_BEFORE, _AFTER = r"(?:^|[^\pL\pN])", r"(?:[^\pL\pN]|$)"


def term_match(name: str, left: Typed, right: Typed, *, sensitive: bool) -> str:
    """SQL for `has`, `hasprefix` and `hassuffix`: a run of letters and digits is a term."""
    flag = "" if sensitive else "(?i)"
    lead, trail = name != "hassuffix", name != "hasprefix"
    text = text_sql(left)
    if isinstance(right.constant, str) and right.type == "string":
        return f"regexp_matches({text}, {quote(flag + term_pattern(right.constant, lead, trail))})"
    needle = text_sql(right)
    before = (
        f"CASE WHEN regexp_matches({needle}, '^[\\pL\\pN]') THEN '{_BEFORE}' ELSE '' END || "
        if lead
        else ""
    )
    after = (
        f" || CASE WHEN regexp_matches({needle}, '[\\pL\\pN]$') THEN '{_AFTER}' ELSE '' END"
        if trail
        else ""
    )
    return f"regexp_matches({text}, '{flag}' || {before}regexp_escape({needle}){after})"


def term_pattern(needle: str, lead: bool, trail: bool) -> str:
    """The RE2 pattern that finds `needle` as a term."""
    is_term: Callable[[str], bool] = lambda letter: letter.isalnum()  # noqa: E731
    before = _BEFORE if lead and needle and is_term(needle[0]) else ""
    after = _AFTER if trail and needle and is_term(needle[-1]) else ""
    return before + _re2_escape(needle) + after


def _re2_escape(text: str) -> str:
    return "".join(
        letter
        if letter.isalnum() or ord(letter) > 127 or letter == "_"
        else "\\" + letter
        if letter.isprintable()
        else f"\\x{{{ord(letter):x}}}"
        for letter in text
    )


def matches_regex(left: Typed, right: Typed, at: int) -> Typed:
    """`left matches regex right`."""
    if right.type != "string" or left.type not in ("string", "dynamic"):
        raise SemanticProblem("'matches regex' takes strings", at, "SEM0064")
    if isinstance(right.constant, str):
        check_regex(right.constant, at)
    return _result(f"regexp_matches({text_sql(left)}, {right.sql})", "bool", left, right)


def check_regex(pattern: str, at: int) -> None:
    """Raise for a pattern that cannot be read, or that RE2 does not have."""
    if re.search(r"\(\?<?[=!]", pattern):
        raise SemanticProblem(
            "the regular expression looks ahead or behind, which RE2 does not", at, "SEM0420"
        )


def logical(operator: str, left: Typed, right: Typed, at: int) -> Typed:
    """`and` or `or`."""
    left, right = truth(left, operator, at), truth(right, operator, at)
    return _result(f"({left.sql} {operator.upper()} {right.sql})", "bool", left, right)


def truth(value: Typed, operator: str, at: int) -> Typed:
    """`value` as a condition."""
    if value.type == "bool":
        return value
    if value.type in ("int", "long", "dynamic"):
        return convert(value, "bool")
    raise SemanticProblem(f"'{operator}' takes a bool, not a {value.type}", at, "SEM0064")


def fold_text(parts: list[Typed]) -> object:
    """The text of constants put together, NOT_CONSTANT when one is not."""
    if all(isinstance(part.constant, str) and part.type == "string" for part in parts):
        return "".join(str(part.constant) for part in parts)
    return NOT_CONSTANT
