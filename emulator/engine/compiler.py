"""Compiles a query: statements to bindings, pipelines to relations, the result to one SELECT."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from emulator.engine import calls, literals, sources, syntax, tabular
from emulator.engine.conversion import convert
from emulator.engine.expressions import ExpressionBinder
from emulator.engine.lexer import Kind, tokenize
from emulator.engine.operators import OPERATORS
from emulator.engine.problems import SemanticProblem, UnsupportedProblem
from emulator.engine.relation import Relation
from emulator.engine.scope import Binding, Environment, LetFunction, Scope, TableSchema
from emulator.engine.typed import Typed, constant


@dataclass(frozen=True)
class Compiled:
    """The SELECT of a query and the columns of its rows; `chart` is what `render` asks for."""

    sql: str
    columns: tuple[tuple[str, str], ...]
    chart: syntax.Render | None


class Compiler:
    """Compiles one query in its environment."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.group_keys: tuple[str, ...] = ()
        self.stored: dict[str, LetFunction] = {}

    def compile(self, query: syntax.Query, rows: Relation | None = None) -> Compiled:
        """The SELECT of `query`."""
        scope = Scope({ROWS: rows}) if rows is not None else Scope()
        for statement in query.statements:
            scope = self._statement(statement, scope)
        relation = self.pipeline(query.body, scope)
        columns = tuple((column.name, column.type) for column in relation.columns)
        return Compiled(self._select(relation), columns, self.environment.chart)

    def _select(self, relation: Relation) -> str:
        listed = ", ".join(column.sql for column in relation.columns) or "1"
        order = (
            f" ORDER BY {', '.join(relation.order)}"
            if relation.is_sorted and relation.order
            else ""
        )
        prefix = f"WITH {', '.join(self.environment.common)} " if self.environment.common else ""
        return f"{prefix}SELECT {listed} FROM {relation.source}{order}"

    # ----- statements

    def _statement(
        self, statement: "syntax.Let | syntax.SetOption | syntax.DeclareParameters", scope: Scope
    ) -> Scope:
        if isinstance(statement, syntax.Let):
            return scope.with_binding(statement.name, self.let(statement, scope))
        if isinstance(statement, syntax.SetOption):
            self._option(statement)
            return scope
        for parameter in statement.parameters:
            scope = scope.with_binding(parameter.name, self._parameter(parameter, statement.at))
        return scope

    def _option(self, statement: syntax.SetOption) -> None:
        value: Any = statement.value
        if statement.name == "query_now" and isinstance(value, int):
            self.environment.now = value
        if statement.name.startswith("query_bin_auto"):
            kind = (
                "datetime"
                if isinstance(value, int) and value > literals.DAY * 36500
                else "timespan"
            )
            value = constant(kind, value)
        self.environment.options[statement.name] = value

    def _parameter(self, parameter: syntax.Parameter, at: int) -> Typed:
        given = self.environment.parameters.get(parameter.name)
        if given is None:
            if parameter.default is None:
                raise SemanticProblem(
                    f"query parameter '{parameter.name}' has no value and no default", at
                )
            return constant(parameter.type, parameter.default.value)
        return parameter_value(parameter, given, at)

    def let(self, statement: syntax.Let, scope: Scope) -> Binding:
        """What a `let` binds."""
        if scope.get(statement.name) is not None:
            raise SemanticProblem(
                f"let '{statement.name}' was already used in this context", statement.at, "SEM0104"
            )
        value = statement.value
        if isinstance(value, syntax.Lambda):
            return LetFunction(value, scope, statement.name)
        relation = self.as_relation(value, scope)
        if relation is not None:
            return self.share(relation)
        binder = ExpressionBinder(self, scope)
        return binder.bind(value)  # type: ignore[arg-type]

    def share(self, relation: Relation) -> Relation:
        """`relation` as an entry of the WITH clause, for any number of references."""
        name = self.environment.names.fresh("t")
        self.environment.common.append(f"{name} AS (SELECT * FROM {relation.source})")
        return replace(relation, source=name)

    def reference(self, relation: Relation) -> Relation:
        """A reference to a shared relation, with SQL names of its own."""
        fresh = {column.sql: self.environment.names.fresh() for column in relation.columns}
        for item in (*relation.order, *relation.keys, relation.extent):
            if item:
                fresh.setdefault(item.split(" ")[0], self.environment.names.fresh())
        listed = ", ".join(f"{old} AS {new}" for old, new in fresh.items()) or "1 AS nothing"
        return replace(
            relation,
            source=f"(SELECT {listed} FROM {relation.source})",
            columns=tuple(replace(column, sql=fresh[column.sql]) for column in relation.columns),
            order=tuple(
                f"{fresh[item.split(' ')[0]]}{item[len(item.split(' ')[0]) :]}"
                for item in relation.order
            ),
            extent=fresh.get(relation.extent, ""),
        )

    # ----- tabular and scalar forms

    def as_relation(
        self, value: "syntax.Expression | syntax.Pipeline | syntax.Lambda", scope: Scope
    ) -> Relation | None:
        """The rows of `value` where it is tabular, None where it is a scalar."""
        return tabular.as_relation(self, value, scope)

    def stored_function(self, name: str) -> LetFunction | None:
        """The stored function of that name in the request's database."""
        return calls.stored_function(self, name)

    def call_scalar(
        self,
        function: LetFunction,
        arguments: Sequence[syntax.Argument],
        binder: ExpressionBinder,
        at: int,
    ) -> Typed:
        """The value of a call of a scalar function."""
        return calls.call_scalar(self, function, arguments, binder, at)

    def call_table(
        self,
        function: LetFunction,
        arguments: Sequence[syntax.Argument],
        piped: Relation | None,
        scope: Scope,
        at: int,
    ) -> Relation:
        """The rows of a call of a tabular function; `piped` is what `invoke` hands over."""
        return calls.call_table(self, function, arguments, piped, scope, at)

    def scalar_of(
        self,
        value: "syntax.Expression | syntax.Pipeline | syntax.Lambda",
        scope: Scope,
        binder: ExpressionBinder,
        at: int,
    ) -> Typed:
        """`toscalar(value)`: the first column of the first row, evaluated once."""
        relation = self.as_relation(value, scope)
        if relation is None:
            return binder.bind(value)  # type: ignore[arg-type]
        if not relation.columns:
            raise SemanticProblem("toscalar(): the expression has no column", at)
        first = relation.columns[0]
        order = f" ORDER BY {', '.join(relation.order)}" if relation.order else ""
        name, column = self.environment.names.fresh("t"), self.environment.names.fresh()
        self.environment.common.append(
            f"{name} AS MATERIALIZED "
            f"(SELECT {first.sql} AS {column} FROM {relation.source}{order} LIMIT 1)"
        )
        sql = f"(SELECT {column} FROM {name})"
        return Typed(f"coalesce({sql}, '')" if first.type == "string" else sql, first.type)

    # ----- pipelines

    def pipeline(
        self, node: syntax.Pipeline, scope: Scope, context: Relation | None = None
    ) -> Relation:
        """The rows of a pipeline; `context` is what its ContextSource reads."""
        for operator in node.operators:
            if type(operator) not in KNOWN_OPERATORS:
                raise UnsupportedProblem(f"the operator '{_operator_name(operator)}'", operator.at)
        relation = self.source(node.source, scope, context)
        for number, operator in enumerate(node.operators):
            following = node.operators[number + 1] if number + 1 < len(node.operators) else None
            if _filters_left(relation, operator, following):
                relation, _ = self.apply(relation, following, scope)  # type: ignore[arg-type]
            relation, scope = self.apply(relation, operator, scope)
        return relation

    def apply(
        self, relation: Relation, operator: syntax.Operator, scope: Scope
    ) -> tuple[Relation, Scope]:
        """The rows after one operator, and the scope that follows it."""
        if isinstance(operator, syntax.As):
            shared = replace(self.share(relation), label=operator.name)
            return self.reference(shared), scope.with_binding(operator.name, shared)
        if isinstance(operator, syntax.Invoke):
            return self._invoke(relation, operator, scope), scope
        found = OPERATORS[type(operator)](self, relation, operator, scope)
        if not isinstance(operator, syntax.Render):
            found = replace(found, label="")
        return found, scope

    def _invoke(self, relation: Relation, operator: syntax.Invoke, scope: Scope) -> Relation:
        call = operator.call
        binding = scope.get(call.name)
        function = binding if isinstance(binding, LetFunction) else self.stored_function(call.name)
        if function is None:
            raise SemanticProblem(f"Unknown function: '{call.name}'", call.at, "SEM0260")
        return self.call_table(function, call.arguments, relation, scope, call.at)

    def source(self, node: syntax.Source, scope: Scope, context: Relation | None) -> Relation:
        """The rows of a source."""
        return sources.source(self, node, scope, context)

    def find_table(self, name: str, database: str | None) -> TableSchema | None:
        """The table of that name, if there is one; raises SemanticProblem without its database."""
        found = self.environment.databases.get(database or self.environment.database)
        if found is None:
            raise SemanticProblem(f"Database '{database}' could not be found", -1)
        return found.tables.get(name)


KNOWN_OPERATORS: Final = frozenset((*OPERATORS, syntax.As, syntax.Invoke))
"""The operators that are compiled; the others are parsed to be refused by name."""


def _operator_name(operator: syntax.Operator) -> str:
    name = type(operator).__name__
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def _filters_left(
    relation: Relation, operator: syntax.Operator, following: syntax.Operator | None
) -> bool:
    """Whether a `where` after an innerunique join reads the left side alone.

    Kusto then filters before it picks the one row of each key.
    """
    if not isinstance(operator, syntax.Join) or operator.kind != "innerunique":
        return False
    if not isinstance(following, syntax.Where):
        return False
    names = _names_in(following.predicate)
    return bool(names) and all(relation.find(name) is not None for name in names)


def _names_in(node: object) -> set[str]:
    if isinstance(node, syntax.Name):
        return {node.name}
    if isinstance(node, tuple):
        return {name for item in node for name in _names_in(item)}
    fields = getattr(node, "__dataclass_fields__", None)
    return (
        set()
        if fields is None
        else {name for one in fields for name in _names_in(getattr(node, one))}
    )


def parameter_value(parameter: syntax.Parameter, given: Any, at: int) -> Typed:  # noqa: ANN401 - JSON
    """A query parameter's value, which a client gives as text or as JSON."""
    if not isinstance(given, str):
        return (
            convert(constant("dynamic", given), parameter.type)
            if parameter.type != "dynamic"
            else constant("dynamic", given)
        )
    if parameter.type == "string":
        tokens = tokenize(given)
        is_literal = len(tokens) == 2 and tokens[0].kind is Kind.STRING
        return constant("string", str(tokens[0].value) if is_literal else given)
    literal = given.strip()
    if literal.endswith(")") and "(" in literal:
        literal = literal[literal.index("(") + 1 : -1]
    value = convert(constant("string", literal), parameter.type, at)
    if parameter.type == "dynamic":
        from emulator.engine.functions.dynamic import parse_json  # noqa: PLC0415 - one use

        return constant("dynamic", parse_json(literal))
    if value.is_null and literal != "null":
        raise SemanticProblem(
            f"query parameter '{parameter.name}' is not a {parameter.type}: {given!r}", at
        )
    return value


ROWS: Final = "__rows__"
"""What a pipeline after a command calls the command's rows."""
