"""Calls of functions that a query or a database defines.

Source: Kusto docs, "User-defined functions", "Stored functions".
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.engine import syntax
from emulator.engine.conversion import convert
from emulator.engine.expressions import ExpressionBinder
from emulator.engine.problems import Problem, SemanticProblem
from emulator.engine.relation import Relation
from emulator.engine.scope import (
    MAX_CALLS,
    Binding,
    Environment,
    LetFunction,
    Scope,
    StoredFunction,
)
from emulator.engine.tabular import is_tabular
from emulator.engine.typed import Typed, constant

if TYPE_CHECKING:
    from emulator.engine.compiler import Compiler


def stored_function(compiler: "Compiler", name: str) -> LetFunction | None:
    """The stored function of that name in the request's database."""
    stored = compiler.environment.databases[compiler.environment.database].functions.get(name)
    if stored is None:
        return None
    if name not in compiler.stored:
        compiler.stored[name] = LetFunction(stored.definition, Scope(), name)
    return compiler.stored[name]


def _stored(compiler: "Compiler", function: LetFunction) -> StoredFunction | None:
    if compiler.stored.get(function.name) is not function:
        return None
    return compiler.environment.databases[compiler.environment.database].functions.get(
        function.name
    )


def call_scalar(
    compiler: "Compiler",
    function: LetFunction,
    arguments: Sequence[syntax.Argument],
    binder: ExpressionBinder,
    at: int,
) -> Typed:
    """The value of a call of a scalar function."""
    if is_tabular(compiler, function):
        raise SemanticProblem(f"'{function.name}' gives rows, where a value is expected", at)
    scope = _call_scope(compiler, function, arguments, None, binder, at)
    inner = ExpressionBinder(compiler, scope)
    with _Depth(compiler.environment, function.name, at), _Inside(_stored(compiler, function), at):
        for let in function.definition.statements:
            inner.scope = inner.scope.with_binding(
                let.name, compiler.let(let, _without(inner.scope, let.name))
            )
        found = inner.bind(function.definition.body)  # type: ignore[arg-type]
    binder.hoisted += inner.hoisted
    return found.named(None)


def call_table(
    compiler: "Compiler",
    function: LetFunction,
    arguments: Sequence[syntax.Argument],
    piped: Relation | None,
    scope: Scope,
    at: int,
) -> Relation:
    """The rows of a call of a tabular function; `piped` is what `invoke` hands over."""
    inner = _call_scope(compiler, function, arguments, piped, ExpressionBinder(compiler, scope), at)
    with _Depth(compiler.environment, function.name, at), _Inside(_stored(compiler, function), at):
        for let in function.definition.statements:
            inner = inner.with_binding(let.name, compiler.let(let, _without(inner, let.name)))
        body = function.definition.body
        relation = compiler.as_relation(body, inner)
        if relation is None:
            raise SemanticProblem(f"'{function.name}' gives a value, where rows are expected", at)
        return relation


def _call_scope(
    compiler: "Compiler",
    function: LetFunction,
    arguments: Sequence[syntax.Argument],
    piped: Relation | None,
    binder: ExpressionBinder,
    at: int,
) -> Scope:
    parameters = list(function.definition.parameters)
    scope = function.scope
    if piped is not None:
        if not parameters or parameters[0].columns is None:
            raise SemanticProblem(f"'{function.name}' has no tabular first parameter", at)
        scope = scope.with_binding(parameters[0].name, compiler.share(piped))
        parameters = parameters[1:]
    given = _assign(function.name, parameters, arguments, at)
    for parameter in parameters:
        scope = scope.with_binding(
            parameter.name, _bound(compiler, parameter, given.get(parameter.name), binder, at)
        )
    return scope


def _bound(
    compiler: "Compiler",
    parameter: syntax.Parameter,
    argument: syntax.Argument | None,
    binder: ExpressionBinder,
    at: int,
) -> Binding:
    if argument is None:
        default = parameter.default
        return constant(parameter.type, None if default is None else default.value)
    if parameter.columns is not None:
        relation = compiler.as_relation(argument.value, binder.scope)
        if relation is None:
            raise SemanticProblem(f"the argument '{parameter.name}' must be tabular", at)
        for name, kind in parameter.columns:
            column = relation.find(name)
            if column is None or column.type != kind:
                raise SemanticProblem(
                    f"the argument '{parameter.name}' has no column '{name}' of type {kind}", at
                )
        return compiler.share(relation)
    value = binder.bind(argument.value)  # type: ignore[arg-type]
    if value.type != parameter.type:
        implicit = {("int", "long"), ("long", "real"), ("int", "real"), ("long", "int")}
        if (
            (value.type, parameter.type) not in implicit
            and parameter.type != "dynamic"
            and value.type != "dynamic"
        ):
            raise SemanticProblem(
                f"the argument '{parameter.name}' must be a {parameter.type}, "
                f"and is a {value.type}",
                at,
            )
        value = convert(value, parameter.type)
    return value


def _without(scope: Scope, name: str) -> Scope:
    return Scope({key: value for key, value in scope.bindings.items() if key != name})


def _assign(
    name: str, parameters: list[syntax.Parameter], arguments: Sequence[syntax.Argument], at: int
) -> dict[str, syntax.Argument]:
    """Arguments by parameter: the named ones first, the others in order."""
    named = {argument.name: argument for argument in arguments if argument.name is not None}
    known = [parameter.name for parameter in parameters]
    for given in named:
        if given not in known:
            raise SemanticProblem(f"'{name}' has no parameter '{given}'", at)
    rest = [argument for argument in arguments if argument.name is None]
    free = [parameter.name for parameter in parameters if parameter.name not in named]
    if len(rest) > len(free):
        raise SemanticProblem(
            f"'{name}' takes {len(parameters)} arguments, and got {len(arguments)}", at
        )
    found: dict[str, syntax.Argument] = {str(key): value for key, value in named.items()}
    found |= dict(zip(free, rest, strict=False))
    for parameter in parameters:
        if parameter.name not in found and (
            parameter.default is None or parameter.columns is not None
        ):
            raise SemanticProblem(f"'{name}' needs an argument for '{parameter.name}'", at)
    return found


class _Depth:
    """Counts nested calls; raises SemanticProblem past the limit."""

    def __init__(self, environment: Environment, name: str, at: int) -> None:
        self._environment, self._name, self._at = environment, name, at

    def __enter__(self) -> None:
        self._environment.depth += 1
        if self._environment.depth > MAX_CALLS:
            raise SemanticProblem(
                f"'{self._name}' calls itself, or functions call too deeply", self._at
            )

    def __exit__(self, *_: object) -> None:
        self._environment.depth -= 1


class _Inside:
    """Gives a problem in a stored function the place of the call."""

    def __init__(self, stored: StoredFunction | None, at: int) -> None:
        self._stored, self._at = stored, at

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self._stored is not None and isinstance(error, Problem):
            prefix = f"in function '{self._stored.name}': "
            if not error.message.startswith("in function"):
                error.message = prefix + error.message
            error.at = self._at
