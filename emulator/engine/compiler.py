"""Compiles a query: statements to bindings, pipelines to relations, the result to one SELECT."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Final

from emulator.engine import literals, syntax
from emulator.engine.conversion import convert
from emulator.engine.expressions import ExpressionBinder
from emulator.engine.lexer import Kind, tokenize
from emulator.engine.operators import OPERATORS, union_of
from emulator.engine.parser import parse
from emulator.engine.problems import Problem, SemanticProblem, UnsupportedProblem
from emulator.engine.relation import Column, Relation, unique_names
from emulator.engine.scope import (
    MAX_CALLS,
    Binding,
    Environment,
    LetFunction,
    Scope,
    StoredFunction,
    TableSchema,
)
from emulator.engine.typed import SQL_TYPES, Typed, constant, null


@dataclass(frozen=True)
class Compiled:
    """The SELECT of a query and the columns of its rows; `chart` is what `render` asks for."""

    sql: str
    columns: tuple[tuple[str, str], ...]
    chart: syntax.Render | None


def compile_query(text: str, environment: Environment, rows: Relation | None = None) -> Compiled:
    """Compile `text`; with `rows`, it is `| operators` over these rows. Raises a Problem."""
    return Compiler(environment).compile(parse(text), rows)


class Compiler:
    """Compiles one query in its environment."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.group_keys: tuple[str, ...] = ()
        self._stored: dict[str, LetFunction] = {}

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
            return scope.with_binding(statement.name, self._let(statement, scope))
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

    def _let(self, statement: syntax.Let, scope: Scope) -> Binding:
        if scope.get(statement.name) is not None:
            raise SemanticProblem(
                f"let '{statement.name}' was already used in this context", statement.at, "SEM0104"
            )
        value = statement.value
        if isinstance(value, syntax.Lambda):
            return LetFunction(value, scope, statement.name)
        relation = self.as_relation(value, scope)
        if relation is not None:
            return self._shared(relation)
        binder = ExpressionBinder(self, scope)
        return binder.bind(value)  # type: ignore[arg-type]

    def _shared(self, relation: Relation) -> Relation:
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
        if isinstance(value, syntax.Pipeline):
            return self.pipeline(value, scope)
        if isinstance(value, syntax.Subquery):
            return self.pipeline(value.pipeline, scope)
        if isinstance(value, syntax.Name):
            return self._named_relation(value, scope)
        if isinstance(value, syntax.Call) and self._is_tabular_call(value, scope):
            return self.source(syntax.CallSource(value.at, value), scope, None)
        if (
            isinstance(value, syntax.Member)
            and isinstance(value.base, syntax.Call)
            and value.base.name == "database"
        ):
            name = value.base.arguments[0].value
            database = str(name.value) if isinstance(name, syntax.Literal) else None
            return self.source(syntax.TableSource(value.at, str(value.name), database), scope, None)
        return None

    def _named_relation(self, value: syntax.Name, scope: Scope) -> Relation | None:
        binding = scope.get(value.name)
        if isinstance(binding, Relation):
            return self.reference(binding)
        if isinstance(binding, LetFunction):
            return (
                self.call_table(binding, (), None, scope, value.at)
                if self._is_tabular(binding)
                else None
            )
        if binding is None and (
            self._find_table(value.name, None) is not None
            or self.stored_function(value.name) is not None
        ):
            return self.source(syntax.TableSource(value.at, value.name), scope, None)
        return None

    def _is_tabular_call(self, value: syntax.Call, scope: Scope) -> bool:
        if value.name in ("materialize", "table", "view"):
            return True
        binding = scope.get(value.name)
        function = binding if isinstance(binding, LetFunction) else self.stored_function(value.name)
        return function is not None and self._is_tabular(function)

    def _is_tabular(self, function: LetFunction) -> bool:
        body = function.definition.body
        if isinstance(body, syntax.Pipeline | syntax.Subquery):
            return True
        names = {
            parameter.name
            for parameter in function.definition.parameters
            if parameter.columns is not None
        }
        lets = {let.name: let.value for let in function.definition.statements}
        if isinstance(body, syntax.Name):
            if body.name in names:
                return True
            if body.name in lets:
                return isinstance(lets[body.name], syntax.Pipeline)
            if any(parameter.name == body.name for parameter in function.definition.parameters):
                return False
            return self._is_tabular_name(body.name, function.scope)
        if isinstance(body, syntax.Call):
            local = lets.get(body.name)
            if isinstance(local, syntax.Lambda):
                return self._is_tabular(LetFunction(local, function.scope, body.name))
            return self._is_tabular_call(body, function.scope)
        return False

    def _is_tabular_name(self, name: str, scope: Scope) -> bool:
        binding = scope.get(name)
        if binding is not None:
            return isinstance(binding, Relation) or (
                isinstance(binding, LetFunction) and self._is_tabular(binding)
            )
        return self._find_table(name, None) is not None

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

    # ----- functions

    def stored_function(self, name: str) -> LetFunction | None:
        """The stored function of that name in the request's database."""
        stored = self.environment.databases[self.environment.database].functions.get(name)
        if stored is None:
            return None
        if name not in self._stored:
            self._stored[name] = LetFunction(stored.definition, Scope(), name)
        return self._stored[name]

    def _is_stored(self, function: LetFunction) -> StoredFunction | None:
        if self._stored.get(function.name) is not function:
            return None
        return self.environment.databases[self.environment.database].functions.get(function.name)

    def call_scalar(
        self,
        function: LetFunction,
        arguments: Sequence[syntax.Argument],
        binder: ExpressionBinder,
        at: int,
    ) -> Typed:
        """The value of a call of a scalar function."""
        if self._is_tabular(function):
            raise SemanticProblem(f"'{function.name}' gives rows, where a value is expected", at)
        scope = self._call_scope(function, arguments, None, binder, at)
        inner = ExpressionBinder(self, scope)
        with _Depth(self.environment, function.name, at), _Inside(self._is_stored(function), at):
            for let in function.definition.statements:
                inner.scope = inner.scope.with_binding(
                    let.name, self._let(let, _without(inner.scope, let.name))
                )
            found = inner.bind(function.definition.body)  # type: ignore[arg-type]
        binder.hoisted += inner.hoisted
        return found.named(None)

    def call_table(
        self,
        function: LetFunction,
        arguments: Sequence[syntax.Argument],
        piped: Relation | None,
        scope: Scope,
        at: int,
    ) -> Relation:
        """The rows of a call of a tabular function; `piped` is what `invoke` hands over."""
        inner = self._call_scope(function, arguments, piped, ExpressionBinder(self, scope), at)
        with _Depth(self.environment, function.name, at), _Inside(self._is_stored(function), at):
            for let in function.definition.statements:
                inner = inner.with_binding(let.name, self._let(let, _without(inner, let.name)))
            body = function.definition.body
            relation = self.as_relation(body, inner)
            if relation is None:
                raise SemanticProblem(
                    f"'{function.name}' gives a value, where rows are expected", at
                )
            return relation

    def _call_scope(
        self,
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
            scope = scope.with_binding(parameters[0].name, self._shared(piped))
            parameters = parameters[1:]
        given = _assign(function.name, parameters, arguments, at)
        for parameter in parameters:
            scope = scope.with_binding(
                parameter.name, self._bound(parameter, given.get(parameter.name), binder, at)
            )
        return scope

    def _bound(
        self,
        parameter: syntax.Parameter,
        argument: syntax.Argument | None,
        binder: ExpressionBinder,
        at: int,
    ) -> Binding:
        if argument is None:
            default = parameter.default
            return constant(parameter.type, None if default is None else default.value)
        if parameter.columns is not None:
            relation = self.as_relation(argument.value, binder.scope)
            if relation is None:
                raise SemanticProblem(f"the argument '{parameter.name}' must be tabular", at)
            for name, kind in parameter.columns:
                column = relation.find(name)
                if column is None or column.type != kind:
                    raise SemanticProblem(
                        f"the argument '{parameter.name}' has no column '{name}' of type {kind}", at
                    )
            return self._shared(relation)
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
            shared = replace(self._shared(relation), label=operator.name)
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

    # ----- sources

    def source(self, node: syntax.Source, scope: Scope, context: Relation | None) -> Relation:
        """The rows of a source."""
        if isinstance(node, syntax.ContextSource):
            if context is None:
                raise SemanticProblem("a subquery has no rows here", node.at)
            return context
        if isinstance(node, syntax.NestedSource):
            return self.pipeline(node.pipeline, scope, context)
        if isinstance(node, syntax.TableSource):
            return self._table_source(node, scope)
        if isinstance(node, syntax.CallSource):
            return self._call_source(node, scope)
        if isinstance(node, syntax.DataTableSource):
            return self._datatable(node, scope)
        if isinstance(node, syntax.PrintSource):
            return self._print(node, scope)
        if isinstance(node, syntax.RangeSource):
            return self._range(node, scope)
        if isinstance(node, syntax.UnionSource):
            return union_of(self, node.union, None, scope)
        raise UnsupportedProblem("this source", node.at)

    def _table_source(self, node: syntax.TableSource, scope: Scope) -> Relation:
        if node.is_pattern:
            raise UnsupportedProblem("a table pattern outside 'union'", node.at)
        binding = scope.get(node.name) if node.database is None else None
        if isinstance(binding, Relation):
            return self.reference(binding)
        if isinstance(binding, LetFunction):
            found = self.call_table(binding, (), None, scope, node.at)
            return replace(found, label=node.name if binding.definition.is_view else found.label)
        if isinstance(binding, Typed):
            raise SemanticProblem(f"'{node.name}' is a value, where rows are expected", node.at)
        function = self.stored_function(node.name) if node.database is None else None
        if function is not None:
            return self.call_table(function, (), None, scope, node.at)
        table = self._find_table(node.name, node.database)
        if table is None:
            raise SemanticProblem(
                f"Failed to resolve table or column expression named '{node.name}'", node.at
            )
        return self.scan(table, node.name)

    def _find_table(self, name: str, database: str | None) -> TableSchema | None:
        found = self.environment.databases.get(database or self.environment.database)
        if found is None:
            raise SemanticProblem(f"Database '{database}' could not be found", -1)
        return found.tables.get(name)

    def tables_like(self, node: syntax.TableSource) -> list[Relation]:
        """The tables whose names fit a pattern, by name."""
        found = self.environment.databases.get(node.database or self.environment.database)
        tables = {} if found is None else found.tables
        names = sorted(name for name in tables if fnmatchcase(name, node.name))
        if not names:
            raise SemanticProblem(
                f"Failed to resolve table expression named '{node.name}'", node.at
            )
        return [self.scan(tables[name], name) for name in names]

    def scan(self, table: TableSchema, name: str) -> Relation:
        """All rows of a stored table."""
        columns = tuple(
            Column(column, kind, self.environment.names.fresh())
            for column, kind, _ in table.columns
        )
        listed = [
            f"{sql} AS {column.sql}"
            for column, (_, _, sql) in zip(columns, table.columns, strict=True)
        ]
        extent = ""
        if table.extent:
            extent = self.environment.names.fresh()
            listed.append(f"{table.extent} AS {extent}")
        source = f"(SELECT {', '.join(listed)} FROM {table.sql})"
        return Relation(source, columns, label=name, extent=extent)

    def _call_source(self, node: syntax.CallSource, scope: Scope) -> Relation:
        call = node.call
        if call.name in ("materialize", "view") and len(call.arguments) == 1:
            relation = self.as_relation(call.arguments[0].value, scope)
            if relation is None:
                raise SemanticProblem(f"{call.name}() takes a tabular expression", node.at)
            return relation
        if call.name == "table" and call.arguments:
            name = call.arguments[0].value
            text = ExpressionBinder(self, scope).constant(name, "string", "table name")  # type: ignore[arg-type]
            return self._table_source(syntax.TableSource(node.at, str(text)), scope)
        if call.name in (
            "cluster",
            "external_table",
            "materialized_view",
            "stored_query_result",
            "externaldata",
        ):
            raise UnsupportedProblem(f"'{call.name}()'", node.at)
        binding = scope.get(call.name)
        function = binding if isinstance(binding, LetFunction) else self.stored_function(call.name)
        if function is None:
            raise SemanticProblem(f"Unknown function: '{call.name}'", node.at, "SEM0260")
        return self.call_table(function, call.arguments, None, scope, node.at)

    def _datatable(self, node: syntax.DataTableSource, scope: Scope) -> Relation:
        width = len(node.columns)
        if not width or len(node.values) % width:
            raise SemanticProblem(
                f"datatable has {width} columns and {len(node.values)} values", node.at, "SEM0041"
            )
        binder = ExpressionBinder(self, scope)
        cells = []
        for number, value in enumerate(node.values):
            kind = node.columns[number % width][1]
            typed = convert(binder.bind(value), kind, value.at)
            cells.append(typed.sql)
        names = unique_names([name for name, _ in node.columns])
        columns = tuple(
            Column(name, kind, self.environment.names.fresh())
            for name, (_, kind) in zip(names, node.columns, strict=True)
        )
        return self.values(columns, [cells[at : at + width] for at in range(0, len(cells), width)])

    def values(self, columns: tuple[Column, ...], rows: list[list[str]]) -> Relation:
        """A relation of SQL values, in their order."""
        order = self.environment.names.fresh()
        names = ", ".join([*(column.sql for column in columns), order])
        if rows:
            listed = ", ".join(
                f"({', '.join([*row, str(number)])})" for number, row in enumerate(rows)
            )
            source = f"(SELECT * FROM (VALUES {listed}) AS v({names}))"
        else:
            nulls = ", ".join(f"{null(column.type).sql} AS {column.sql}" for column in columns)
            source = f"(SELECT {nulls}, 0 AS {order} WHERE false)"
        casts = ", ".join(
            f"CAST({column.sql} AS {SQL_TYPES[column.type]}) AS {column.sql}" for column in columns
        )
        source = f"(SELECT {casts}, {order} FROM {source})"
        return Relation(source, columns, (f"{order} ASC",), is_sorted=True)

    def _print(self, node: syntax.PrintSource, scope: Scope) -> Relation:
        binder = ExpressionBinder(self, scope)
        columns, listed = [], []
        taken: list[str] = []
        for number, item in enumerate(node.items):
            values = binder.several(item.value)
            names = list(item.names)
            if not names:
                names = [value.name or f"print_{number}" for value in values]
                if len(values) == 1:
                    names = [f"print_{number}"]
            for name, value in zip(names, values, strict=False):
                column = Column(name, value.type, self.environment.names.fresh())
                columns.append(column)
                taken.append(name)
                listed.append(f"CAST({value.sql} AS {SQL_TYPES[value.type]}) AS {column.sql}")
        fixed = unique_names(taken)
        named = tuple(
            replace(column, name=name) for column, name in zip(columns, fixed, strict=True)
        )
        order = self.environment.names.fresh()
        return Relation(f"(SELECT {', '.join(listed)}, 0 AS {order})", named, (f"{order} ASC",))

    def _range(self, node: syntax.RangeSource, scope: Scope) -> Relation:
        binder = ExpressionBinder(self, scope)
        start, stop, step = (binder.bind(part) for part in (node.start, node.stop, node.step))
        kind = _range_type(start, stop, step, node.at)
        step_kind = "timespan" if kind in ("datetime", "timespan") else kind
        a, b = convert(start, kind).sql, convert(stop, kind).sql
        c = convert(step, step_kind).sql
        column = Column(node.name, kind, self.environment.names.fresh())
        if kind == "real":
            count = f"coalesce(floor(({b} - {a}) / nullif({c}, 0) + 1e-9)::BIGINT, -1)"
            item = f"{a} + i * {c}"
        else:
            count = (
                f"CASE WHEN {c} > 0 AND {b} >= {a} OR {c} < 0 AND {b} <= {a} "
                f"THEN ({b} - {a}) // {c} ELSE -1 END"
            )
            item = f"{a} + i * {c}"
        source = (
            f"(SELECT CAST({item} AS {SQL_TYPES[kind]}) AS {column.sql} "
            f"FROM (SELECT unnest(generate_series(0, {count}))) AS g(i))"
        )
        if all(part.is_constant for part in (start, stop, step)) and kind != "real":
            source = _constant_range(column.sql, a, c, start, stop, step, kind)
        direction = (
            "DESC" if isinstance(step.constant, int | float) and step.constant < 0 else "ASC"
        )
        return Relation(source, (column,), (f"{column.sql} {direction}",))


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


def _constant_range(
    name: str, a: str, c: str, start: Typed, stop: Typed, step: Typed, kind: str
) -> str:
    first, last, by = start.constant, stop.constant, step.constant
    if first is None or last is None or not by or (last - first) // by < 0:
        return f"(SELECT NULL::{SQL_TYPES[kind]} AS {name} WHERE false)"
    count = (last - first) // by
    return (
        f"(SELECT CAST({a} + i * {c} AS {SQL_TYPES[kind]}) AS {name} "
        f"FROM range({count + 1}) AS g(i))"
    )


def _range_type(start: Typed, stop: Typed, step: Typed, at: int) -> str:
    types = {start.type, stop.type}
    if types == {"datetime"}:
        return "datetime"
    if types == {"timespan"}:
        return "timespan"
    if types | {step.type} <= {"int", "long"}:
        return "int" if types | {step.type} == {"int"} else "long"
    if types | {step.type} <= {"int", "long", "real"}:
        return "real"
    raise SemanticProblem("range takes numbers, datetimes or timespans of one type", at, "SEM0230")


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


ROWS: Final = "__rows__"
"""What a pipeline after a command calls the command's rows."""
