"""Statements, sources and pipelines: the text of a query into `syntax.Query`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from emulator.engine import literals, syntax
from emulator.engine.cursor import Cursor
from emulator.engine.expression_parser import ExpressionParser
from emulator.engine.lexer import Kind
from emulator.engine.operator_parser import OPERATORS, OperatorParser
from emulator.engine.problems import SyntaxProblem, UnsupportedProblem
from emulator.engine.search_parser import parse_search

_UNSUPPORTED_SOURCES: Final = ("externaldata", "external_data", "find")

_INSTEAD: Final = {
    "externaldata": "the endpoint reads no file and no network; put the rows into a table",
}


def parse(text: str) -> syntax.Query:
    """The syntax tree of `text`; raises SyntaxProblem or UnsupportedProblem."""
    return QueryParser(text).query()


def parse_function(text: str) -> syntax.Lambda:
    """The syntax tree of a stored function's `(parameters) { body }`."""
    parser = QueryParser(text)
    found = parser.lambda_()
    if parser.cursor.token.kind is not Kind.END:
        raise parser.cursor.error("the end of the function")
    return found


class QueryParser:
    """Reads one text."""

    def __init__(self, text: str) -> None:
        self.cursor = Cursor(text)
        self.expressions = ExpressionParser(self.cursor, self.pipeline, self.rest)
        self.operators = OperatorParser(self)

    def query(self) -> syntax.Query:
        """All statements up to the end of the text."""
        cursor, statements = self.cursor, []
        body: syntax.Pipeline | None = None
        while not cursor.is_at_end:
            if cursor.accept(";"):
                continue
            if body is not None:
                raise UnsupportedProblem(
                    "a second query in one request", cursor.at, "send it by itself"
                )
            statement = self._statement()
            if statement is None:
                body = self.pipeline()
            else:
                statements.append(statement)
            if not cursor.is_mark(";"):
                cursor.require_end("'|', ';' or the end of the query")
        if body is None:
            raise SyntaxProblem("the query has no tabular expression", len(cursor.text))
        return syntax.Query(tuple(statements), body)

    def _statement(self) -> "syntax.Let | syntax.SetOption | syntax.DeclareParameters | None":
        cursor = self.cursor
        if cursor.is_name("let") and cursor.is_identifier(1):
            return self.let()
        if cursor.is_name("set") and cursor.is_name(count=1):
            return self._set()
        if cursor.is_name("declare") and cursor.is_name("query_parameters", count=1):
            start = cursor.at
            cursor.skip(2)
            return syntax.DeclareParameters(start, self._parameters())
        if cursor.is_name("declare", "alias", "restrict") and cursor.is_name(count=1):
            raise UnsupportedProblem(
                f"the statement '{cursor.token.text} {cursor.ahead().text}'", cursor.at
            )
        return None

    def let(self) -> syntax.Let:
        """`let name = value`, without the semicolon."""
        start = self.cursor.expect_name("let").start
        name = self.cursor.identifier("a name after 'let'")
        self.cursor.expect("=")
        return syntax.Let(start, name, self._let_value())

    def _let_value(self) -> "syntax.Expression | syntax.Pipeline":
        cursor = self.cursor
        if cursor.is_name("view") and cursor.is_mark("(", 1):
            cursor.advance()
            return replace(self.lambda_(), is_view=True)
        if cursor.is_mark("(") and self._is_lambda():
            return self.lambda_()
        return self.expressions.tabular_or_scalar()

    def _is_lambda(self) -> bool:
        cursor = self.cursor
        if cursor.is_mark(")", 1):
            return cursor.is_mark("{", 2)
        width = 1 if cursor.ahead().kind is Kind.NAME else 3
        return cursor.is_identifier(1) and cursor.is_mark(":", 1 + width)

    def lambda_(self) -> syntax.Lambda:
        """`(parameters) { let …; body }`."""
        start = self.cursor.at
        parameters = self._parameters()
        self.cursor.expect("{")
        statements = []
        while self.cursor.is_name("let") and self.cursor.is_identifier(1):
            statements.append(self.let())
            self.cursor.expect(";")
        body = self.expressions.tabular_or_scalar()
        self.cursor.accept(";")
        self.cursor.expect("}")
        return syntax.Lambda(start, parameters, tuple(statements), body)

    def _parameters(self) -> tuple[syntax.Parameter, ...]:
        cursor = self.cursor
        cursor.expect("(")
        parameters = []
        while not cursor.is_mark(")"):
            parameters.append(self._parameter())
            if not cursor.accept(","):
                break
        cursor.expect(")")
        return tuple(parameters)

    def _parameter(self) -> syntax.Parameter:
        cursor = self.cursor
        name = cursor.identifier("a parameter")
        cursor.expect(":")
        if cursor.is_mark("("):
            return syntax.Parameter(name, "", self.columns())
        kind = self.type_name()
        default = None
        if cursor.accept("="):
            value = self.expressions.expression()
            if not isinstance(value, syntax.Literal):
                raise SyntaxProblem("the default of a parameter must be a literal", value.at)
            default = value
        return syntax.Parameter(name, kind, None, default)

    def columns(self) -> tuple[tuple[str, str], ...]:
        """`(name: type, …)`; empty for `(*)`."""
        cursor = self.cursor
        cursor.expect("(")
        columns: list[tuple[str, str]] = []
        if cursor.accept("*") and not cursor.accept(","):
            cursor.expect(")")
            return ()
        while not cursor.is_mark(")"):
            name = cursor.identifier("a column")
            cursor.expect(":")
            columns.append((name, self.type_name()))
            if not cursor.accept(","):
                break
        cursor.expect(")")
        return tuple(columns)

    def type_name(self) -> str:
        """The name of a Kusto type."""
        token = self.cursor.expect_name()
        found = literals.canonical_type(token.text)
        if found is None:
            raise SyntaxProblem(f"'{token.text}' is not a Kusto type", token.start)
        return found

    def _set(self) -> syntax.SetOption:
        start = self.cursor.expect_name("set").start
        name = self.cursor.identifier()
        value: object = True
        if self.cursor.accept("="):
            literal = self.expressions.expression()
            value = literal.value if isinstance(literal, syntax.Literal) else None
            if isinstance(literal, syntax.Name):
                value = literal.name
        return syntax.SetOption(start, name, value)

    def pipeline(self) -> syntax.Pipeline:
        """A source and its operators."""
        cursor = self.cursor
        cursor.depth += 1
        if cursor.depth > cursor.MAX_DEPTH:
            raise SyntaxProblem("the query is nested too deeply for the local endpoint", cursor.at)
        try:
            return self.rest(self.source())
        finally:
            cursor.depth -= 1

    def subquery(self) -> syntax.Pipeline:
        """`(operator | operator …)`: a pipeline over rows that the operator before gives."""
        braces = self.cursor.is_mark("{")
        start = self.cursor.expect("{" if braces else "(").start
        source: syntax.Source = syntax.ContextSource(start)
        if not self._starts_operator():
            found = self.pipeline()
        else:
            first = self.operators.operator()
            found = self.rest(source)
            found = syntax.Pipeline(start, source, (first, *found.operators))
        self.cursor.expect("}" if braces else ")")
        return found

    def _starts_operator(self) -> bool:
        name = self.cursor.dashed_name() if self.cursor.is_name() else ""
        return name in OPERATORS and name not in ("print", "range", "union", "search")

    def rest(self, source: syntax.Source) -> syntax.Pipeline:
        """The operators that follow `source`."""
        operators = []
        while self.cursor.is_mark("|"):
            pipe = self.cursor.advance().start
            operators.append(self.operators.operator(pipe))
        return syntax.Pipeline(source.at, source, tuple(operators))

    def source(self) -> syntax.Source:
        """What a pipeline reads."""
        cursor, at = self.cursor, self.cursor.at
        name = cursor.token.text if cursor.is_name() else ""
        if name in _UNSUPPORTED_SOURCES and not self._is_plain_table():
            raise UnsupportedProblem(f"the operator '{name}'", at, _INSTEAD.get(name, ""))
        if name == "evaluate" and cursor.is_name(count=1):
            return self._evaluate_source(at)
        reader = self._sources().get(name)
        if reader is not None and not self._is_plain_table():
            cursor.advance()
            return reader(at)
        if name and cursor.is_mark("*", 1) and cursor.ahead().start == cursor.token.end:
            cursor.skip(2)
            return syntax.TableSource(at, name + "*", None, is_pattern=True)
        if cursor.accept("*"):
            return syntax.TableSource(at, "*", None, is_pattern=True)
        return self.expressions.to_source(self.expressions.expression(), at)

    def _evaluate_source(self, at: int) -> syntax.Source:
        raise UnsupportedProblem(f"'evaluate {self.cursor.ahead().text}()' as a source", at)

    def _sources(self) -> dict[str, Callable[[int], syntax.Source]]:
        return {
            "datatable": self._datatable,
            "print": self._print,
            "range": self._range,
            "search": lambda at: syntax.SearchSource(at, parse_search(self.operators, at)),
            "union": lambda at: syntax.UnionSource(at, self.operators.union(at)),
        }

    def _is_plain_table(self) -> bool:
        following = self.cursor.ahead()
        return following.kind is Kind.END or (
            following.kind is Kind.MARK and following.text in ("|", ")", ";", ",")
        )

    def _datatable(self, at: int) -> syntax.Source:
        columns = self.columns()
        cursor, values = self.cursor, []
        if cursor.is_name("with"):
            raise UnsupportedProblem("'with' in 'datatable'", cursor.at)
        cursor.expect("[")
        while not cursor.is_mark("]"):
            values.append(self.expressions.expression())
            if not cursor.accept(","):
                break
        cursor.expect("]")
        return syntax.DataTableSource(at, columns, tuple(values))

    def _print(self, at: int) -> syntax.Source:
        return syntax.PrintSource(at, self.expressions.named_list())

    def _range(self, at: int) -> syntax.Source:
        name = self.cursor.identifier("a column")
        parts = []
        for word in ("from", "to", "step"):
            self.cursor.expect_name(word)
            parts.append(self.expressions.expression())
        return syntax.RangeSource(at, name, *parts)
