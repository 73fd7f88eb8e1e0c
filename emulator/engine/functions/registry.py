"""Scalar functions by name: how many arguments, of which types, and the SQL of a call.

A function is a SQL template, a Python function that DuckDB calls for each row, or a binder of its
own. Parameter types are Kusto's names and `any` (as a JSON value), `number`, `text` (a string, or a
dynamic that is unwrapped), and `castable` (the text of any value).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from emulator.engine import literals
from emulator.engine.conversion import convert, to_dynamic, to_string
from emulator.engine.problems import SemanticProblem
from emulator.engine.typed import NUMBERS, SQL_TYPES, Typed

if TYPE_CHECKING:
    from emulator.engine.expressions import ExpressionBinder


@dataclass(frozen=True)
class Call:
    """A call whose arguments are bound."""

    name: str
    at: int
    arguments: tuple[Typed, ...]
    binder: "ExpressionBinder"

    def result(self, sql: str, kind: str) -> Typed:
        """The value of the call."""
        return Typed(sql, kind, windowed=any(argument.windowed for argument in self.arguments))

    def error(self, message: str, code: str = "SEM0219") -> SemanticProblem:
        """The problem that the call has."""
        return SemanticProblem(f"{self.name}(): {message}", self.at, code)

    def argument(self, index: int, kind: str) -> Typed:
        """The argument as a value of `kind`; raises SemanticProblem when it does not fit."""
        return coerce(self.arguments[index], kind, self, index)


Bind = Callable[[Call], Typed]


@dataclass(frozen=True)
class Function:
    """One function; `most` is None when any number of arguments is taken."""

    name: str
    least: int
    most: int | None
    bind: Bind


@dataclass(frozen=True)
class PythonFunction:
    """A function that DuckDB calls: its SQL name, parameter and result types."""

    sql_name: str
    function: Callable[..., Any]
    parameters: tuple[str, ...]
    result: str


FUNCTIONS: Final[dict[str, Function]] = {}
PYTHON_FUNCTIONS: Final[list[PythonFunction]] = []
REAL_MACROS: Final[list[str]] = []
"""Macros that read the reals of Python functions."""


def coerce(value: Typed, kind: str, call: Call, index: int) -> Typed:
    """`value` as an argument of type `kind`, by the conversions that Kusto makes itself."""
    if kind == "any":
        return to_dynamic(value)
    if kind == "castable" or (kind == "text" and value.type in ("string", "dynamic")):
        return to_string(value)
    if value.type == kind or (kind == "number" and value.type in NUMBERS):
        return value
    if value.is_null and value.type == "dynamic" and kind != "text":
        return convert(value, "real" if kind == "number" else kind)
    if _widens(value, kind):
        return convert(value, kind)
    wanted = {"text": "a string", "number": "a number"}.get(kind, f"a {kind}")
    raise call.error(f"argument {index + 1} must be {wanted}, and is a {value.type}")


def _widens(value: Typed, kind: str) -> bool:
    """Whether Kusto converts `value` to `kind` by itself."""
    if kind in ("datetime", "timespan"):
        return value.type == "string" and value.is_constant
    sources = {"long": ("int", "bool"), "real": ("int", "long", "bool"), "decimal": ("int", "long")}
    return value.type in sources.get(kind, ())


def register(name: str, least: int, most: int | None = -1) -> Callable[[Bind], Bind]:
    """Decorate the binder of a function; `most` is `least` when it is not given."""

    def keep(bind: Bind) -> Bind:
        FUNCTIONS[name] = Function(name, least, least if most == -1 else most, bind)
        return bind

    return keep


def template(name: str, result: str, parameters: Sequence[str], sql: str) -> None:
    """A function that is the SQL `sql` with `{0}`, `{1}`, … for its arguments."""

    def bind(call: Call) -> Typed:
        values = [call.argument(index, kind).sql for index, kind in enumerate(parameters)]
        return call.result(sql.format(*values), result)

    FUNCTIONS[name] = Function(name, len(parameters), len(parameters), bind)


def python(
    name: str,
    result: str,
    parameters: Sequence[str],
    function: Callable[..., Any],
    optional: int = 0,
) -> None:
    """A function that DuckDB calls in Python; the last `optional` parameters may be left out.

    A dynamic or `any` arrives as a JSON value, a datetime or timespan as ticks, and a null as None.
    """
    sql_name = define(name, result, parameters, function)
    least = len(parameters) - optional

    def bind(call: Call) -> Typed:
        values = [
            call.argument(index, kind).sql
            for index, kind in enumerate(parameters[: len(call.arguments)])
        ]
        values += [f"NULL::{_sql_type(kind)}" for kind in parameters[len(call.arguments) :]]
        sql = f"{sql_name}({', '.join(values)})"
        return call.result(f"coalesce({sql}, '')" if result == "string" else sql, result)

    FUNCTIONS[name] = Function(name, least, len(parameters), bind)


def _as_is(value: Any) -> Any:  # noqa: ANN401 - a value of any Kusto type
    return value


def _from_json(value: str | None) -> Any:  # noqa: ANN401 - JSON
    return None if value is None else json.loads(value)


def _text(value: str | None) -> str:
    """NB: DuckDB 2.0.0 calls a function with NULL for rows of a CASE that are not its own."""
    return "" if value is None else value


_DECODERS: Final[dict[str, Callable[[Any], Any]]] = {
    "any": _from_json,
    "dynamic": _from_json,
    "castable": _text,
    "string": _text,
    "text": _text,
}


def define(name: str, result: str, parameters: Sequence[str], function: Callable[..., Any]) -> str:
    """Make `function` callable from SQL; returns its SQL name."""
    decoders = [_DECODERS.get(kind, _as_is) for kind in parameters]
    encodes = result == "dynamic"

    def call(*values: Any) -> Any:  # noqa: ANN401 - values of any Kusto type
        decoded = (decode(value) for decode, value in zip(decoders, values, strict=True))
        found = function(*decoded)
        return literals.to_json(found) if encodes and found is not None else found

    sql_name = f"k_{name}"
    if result == "real":
        _define_real(name, decoders, parameters, function)
        return sql_name
    PYTHON_FUNCTIONS.append(
        PythonFunction(
            sql_name,
            _with_arity(call, len(parameters)),
            tuple(_sql_type(kind) for kind in parameters),
            _sql_type(result),
        )
    )
    return sql_name


def _define_real(
    name: str,
    decoders: list[Callable[[Any], Any]],
    parameters: Sequence[str],
    function: Callable[..., Any],
) -> None:
    """NB: DuckDB 2.0.0 makes NULL of a NaN that Python returns, so reals come as text."""

    def call(*values: Any) -> str | None:  # noqa: ANN401 - values of any Kusto type
        decoded = (decode(value) for decode, value in zip(decoders, values, strict=True))
        found = function(*decoded)
        return None if found is None else repr(float(found))

    PYTHON_FUNCTIONS.append(
        PythonFunction(
            f"k_{name}_text",
            _with_arity(call, len(parameters)),
            tuple(_sql_type(kind) for kind in parameters),
            "VARCHAR",
        )
    )
    names = ", ".join("abcde"[: len(parameters)])
    REAL_MACROS.append(
        f"CREATE OR REPLACE MACRO k_{name}({names}) AS k_{name}_text({names})::DOUBLE"
    )


def _with_arity(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    """`function` with `count` parameters, which DuckDB counts."""
    wrapped: dict[int, Callable[..., Any]] = {
        1: lambda a: function(a),
        2: lambda a, b: function(a, b),
        3: lambda a, b, c: function(a, b, c),
        4: lambda a, b, c, d: function(a, b, c, d),
        5: lambda a, b, c, d, e: function(a, b, c, d, e),
        6: lambda a, b, c, d, e, f: function(a, b, c, d, e, f),
    }
    return wrapped[count]


def _sql_type(kind: str) -> str:
    return SQL_TYPES.get(
        {"any": "dynamic", "text": "string", "castable": "string", "number": "real"}.get(
            kind, kind
        ),
        kind,
    )


def alias(name: str, *others: str) -> None:
    """Other names of a function."""
    for other in others:
        FUNCTIONS[other] = FUNCTIONS[name]
