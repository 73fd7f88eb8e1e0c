"""Scalar expressions, by precedence: or, and, equality, relation, sum, product, text, sign."""

from collections.abc import Callable
from typing import Any, Final

from emulator.engine import literals, syntax
from emulator.engine.cursor import Cursor
from emulator.engine.lexer import Kind, Token
from emulator.engine.problems import SyntaxProblem, UnsupportedProblem

TEXT_OPERATORS: Final = frozenset(
    f"{negation}{name}{case}"
    for negation in ("", "!")
    for name in ("has", "hasprefix", "hassuffix", "contains", "startswith", "endswith")
    for case in ("", "_cs")
)
_OLDER_OPERATORS: Final = {
    "notcontains": "!contains",
    "notcontainscs": "!contains_cs",
    "containscs": "contains_cs",
}
LIST_OPERATORS: Final = ("in", "in~", "!in", "!in~", "has_any", "has_all")
_SOURCES: Final = ("datatable", "print", "union", "externaldata", "external_data", "search", "find")
_LITERAL_TYPES: Final = frozenset((*literals.TYPES, *literals.ALIASES)) - {"string"}

ParsePipeline = Callable[["ExpressionParser"], syntax.Pipeline]


class ExpressionParser:
    """Reads expressions; `pipeline` and `operators` read what stands between brackets."""

    def __init__(
        self,
        cursor: Cursor,
        pipeline: Callable[[], syntax.Pipeline],
        rest: Callable[[syntax.Source], syntax.Pipeline],
    ) -> None:
        self.cursor = cursor
        self._pipeline = pipeline
        self._rest = rest
        self._in_search = False

    def expression(self) -> syntax.Expression:
        """One expression."""
        cursor = self.cursor
        cursor.depth += 1
        if cursor.depth > cursor.MAX_DEPTH:
            raise SyntaxProblem("the query is nested too deeply for the local endpoint", cursor.at)
        try:
            return self._or()
        finally:
            cursor.depth -= 1

    def search_predicate(self) -> syntax.Expression:
        """The predicate of `search`, where `column:"text"` is allowed."""
        self._in_search = True
        try:
            return self.expression()
        finally:
            self._in_search = False

    def named(self) -> syntax.Named:
        """`name = expression`, `(a, b) = expression`, or an expression."""
        cursor, at = self.cursor, self.cursor.at
        if cursor.is_identifier():
            start = cursor.position
            name = cursor.identifier()
            if cursor.accept("="):
                return syntax.Named(at, (name,), self.expression())
            cursor.position = start
        elif cursor.is_mark("(") and self._is_tuple():
            cursor.advance()
            names = tuple(cursor.comma_separated(cursor.identifier))
            cursor.expect(")")
            cursor.expect("=")
            return syntax.Named(at, names, self.expression())
        if cursor.is_mark("*"):
            cursor.advance()
            return syntax.Named(at, (), syntax.Star(at))
        return syntax.Named(at, (), self.expression())

    def named_sum(self) -> syntax.Named:
        """`name = sum` or a sum, before a word such as `in` that is no operator there."""
        cursor, at = self.cursor, self.cursor.at
        if cursor.is_name() and cursor.is_mark("=", 1):
            name = cursor.identifier()
            cursor.advance()
            return syntax.Named(at, (name,), self._sum())
        return syntax.Named(at, (), self._sum())

    def named_list(self) -> tuple[syntax.Named, ...]:
        """One or more of `named`, separated by commas."""
        return tuple(self.cursor.comma_separated(self.named))

    def tabular_or_scalar(self) -> "syntax.Expression | syntax.Pipeline":
        """A pipeline where one starts, else an expression; `name` alone is an expression."""
        if self._starts_source():
            return self._pipeline()
        at = self.cursor.at
        value = self.expression()
        if self.cursor.is_mark("|"):
            return self._rest(self.to_source(value, at))
        return value

    def to_source(self, value: syntax.Expression, at: int) -> syntax.Source:
        """The source that an expression before `|` is."""
        if isinstance(value, syntax.Name):
            return syntax.TableSource(at, value.name)
        if isinstance(value, syntax.Call):
            return syntax.CallSource(at, value)
        if isinstance(value, syntax.Subquery):
            return syntax.NestedSource(at, value.pipeline)
        if isinstance(value, syntax.Member) and value.name is not None:
            return self._database_table(value, at)
        raise SyntaxProblem("expected a table or a tabular expression before '|'", at)

    def _database_table(self, value: syntax.Member, at: int) -> syntax.Source:
        base = value.base
        if isinstance(base, syntax.Member) or (
            isinstance(base, syntax.Call) and base.name == "cluster"
        ):
            raise UnsupportedProblem("'cluster()'", at, "name a database of this endpoint")
        if isinstance(base, syntax.Call) and base.name == "database" and len(base.arguments) == 1:
            name = base.arguments[0].value
            if isinstance(name, syntax.Literal) and isinstance(name.value, str):
                return syntax.TableSource(at, str(value.name), name.value)
        raise SyntaxProblem("expected a table or a tabular expression before '|'", at)

    def _starts_source(self) -> bool:
        cursor = self.cursor
        if cursor.is_name(*_SOURCES):
            following = cursor.ahead()
            if cursor.is_name("externaldata", "external_data"):
                return True
            return not (following.kind is Kind.MARK and following.text in (")", ",", "==", "."))
        return cursor.is_name("range") and cursor.is_identifier(1) and not cursor.is_mark("(", 1)

    def _is_tuple(self) -> bool:
        count = 1
        while self.cursor.is_identifier(count):
            count += 1 if self.cursor.ahead(count).kind is Kind.NAME else 3
            if self.cursor.is_mark(",", count):
                count += 1
                continue
            return (
                self.cursor.is_mark(")", count)
                and self.cursor.is_mark("=", count + 1)
                and count > 1
            )
        return False

    def _or(self) -> syntax.Expression:
        left = self._and()
        while self.cursor.is_name("or"):
            at = self.cursor.advance().start
            left = syntax.Binary(at, "or", left, self._and())
        return left

    def _and(self) -> syntax.Expression:
        left = self._equality()
        while self.cursor.is_name("and"):
            at = self.cursor.advance().start
            left = syntax.Binary(at, "and", left, self._equality())
        return left

    def _equality(self) -> syntax.Expression:
        left = self._relation()
        cursor, at = self.cursor, self.cursor.at
        if cursor.token.kind is Kind.MARK and cursor.token.text in ("==", "!=", "<>"):
            operator = "!=" if cursor.advance().text != "==" else "=="
            return syntax.Binary(at, operator, left, self._relation())
        operator = self._word_operator()
        if operator in LIST_OPERATORS:
            return self._list(at, operator, left)
        if operator in ("between", "!between"):
            return self._between(at, left, negated=operator[0] == "!")
        return left

    def _word_operator(self) -> str:
        """The operator spelled with letters at the cursor, not read."""
        cursor = self.cursor
        negated = cursor.is_mark("!")
        token = cursor.ahead(1 if negated else 0)
        if token.kind is not Kind.NAME:
            return ""
        tail = cursor.ahead(2 if negated else 1)
        tilde = "~" if token.text == "in" and tail.text == "~" and tail.start == token.end else ""
        return f"{'!' if negated else ''}{token.text}{tilde}"

    def _read_word_operator(self, operator: str) -> None:
        self.cursor.skip(1 + operator.startswith("!") + operator.endswith("~"))

    def _list(self, at: int, operator: str, left: syntax.Expression) -> syntax.Expression:
        self._read_word_operator(operator)
        cursor = self.cursor
        cursor.expect("(")
        items: list[syntax.Expression | syntax.Pipeline] = []
        while not cursor.is_mark(")"):
            items.append(self.tabular_or_scalar())
            if not cursor.accept(","):
                break
        cursor.expect(")")
        return syntax.InList(at, operator, left, tuple(items))

    def _between(self, at: int, left: syntax.Expression, *, negated: bool) -> syntax.Expression:
        self._read_word_operator("!between" if negated else "between")
        self.cursor.expect("(")
        low = self._sum()
        self.cursor.expect("..")
        high = self._sum()
        self.cursor.expect(")")
        return syntax.Between(at, left, low, high, negated)

    def _relation(self) -> syntax.Expression:
        left = self._sum()
        cursor = self.cursor
        if cursor.token.kind is Kind.MARK and cursor.token.text in ("<", "<=", ">", ">="):
            operator = cursor.advance()
            return syntax.Binary(operator.start, operator.text, left, self._sum())
        return left

    def _sum(self) -> syntax.Expression:
        left = self._product()
        while self.cursor.is_mark("+") or self.cursor.is_mark("-"):
            operator = self.cursor.advance()
            left = syntax.Binary(operator.start, operator.text, left, self._product())
        return left

    def _product(self) -> syntax.Expression:
        left = self._text()
        while self.cursor.token.kind is Kind.MARK and self.cursor.token.text in ("*", "/", "%"):
            operator = self.cursor.advance()
            left = syntax.Binary(operator.start, operator.text, left, self._text())
        return left

    def _text(self) -> syntax.Expression:
        left = self._sign()
        cursor, at = self.cursor, self.cursor.at
        if cursor.token.kind is Kind.MARK and cursor.token.text in ("=~", "!~"):
            return syntax.Binary(at, cursor.advance().text, left, self._sign())
        if self._in_search and cursor.accept(":"):
            return syntax.Binary(at, ":", left, self._sign())
        operator = self._word_operator()
        older = _OLDER_OPERATORS.get(operator)
        if older is not None:
            cursor.advance()
            return syntax.Binary(at, older, left, self._sign())
        if operator in TEXT_OPERATORS:
            self._read_word_operator(operator)
            return syntax.Binary(at, operator, left, self._sign())
        if cursor.is_name("matches") and cursor.is_name("regex", count=1):
            cursor.skip(2)
            return syntax.Binary(at, "matches regex", left, self._sign())
        if operator in ("like", "notlike", "!like"):
            raise UnsupportedProblem(f"the operator '{operator}'", at, "write 'matches regex'")
        return left

    def _sign(self) -> syntax.Expression:
        cursor = self.cursor
        if cursor.is_mark("-") or cursor.is_mark("+"):
            operator = cursor.advance()
            operand = self._sign()
            if isinstance(operand, syntax.Literal) and operator.text == "-" and _is_number(operand):
                return syntax.Literal(operator.start, operand.type, -operand.value)  # type: ignore[operator]
            return syntax.Unary(operator.start, operator.text, operand)
        return self._postfix()

    def _postfix(self) -> syntax.Expression:
        value = self._primary()
        cursor = self.cursor
        while True:
            at = cursor.at
            if cursor.is_mark(".") and (cursor.ahead().kind is Kind.NAME or cursor.is_mark("[", 1)):
                cursor.advance()
                if cursor.is_mark("["):
                    continue
                name = cursor.advance().text
                value = self._member(at, value, name)
            elif cursor.is_mark("[") and not isinstance(value, syntax.Star):
                cursor.advance()
                index = self.expression()
                cursor.expect("]")
                value = syntax.Member(at, value, None, index)
            else:
                return value

    def _member(self, at: int, base: syntax.Expression, name: str) -> syntax.Expression:
        if self.cursor.is_mark("(") and self.cursor.is_adjacent():
            self._arguments()
            root = base
            while isinstance(root, syntax.Member):
                root = root.base
            if isinstance(root, syntax.Call) and root.name == "cluster":
                at, name = root.at, root.name
            raise UnsupportedProblem(f"'{name}()'", at, "name a database of this endpoint")
        return syntax.Member(at, base, name, None)

    def _primary(self) -> syntax.Expression:
        cursor, token = self.cursor, self.cursor.token
        if token.kind is Kind.STRING:
            return self._string()
        if token.kind in (Kind.LONG, Kind.REAL, Kind.TIMESPAN):
            cursor.advance()
            _check_long(token)
            return syntax.Literal(token.start, token.kind.value, token.value)
        if cursor.is_mark("("):
            return self._brackets()
        if cursor.is_mark("["):
            return syntax.Name(token.start, cursor.identifier("an expression"))
        if cursor.is_mark("*"):
            cursor.advance()
            return syntax.Star(token.start)
        if token.kind is Kind.NAME:
            return self._name()
        raise cursor.error("an expression")

    def _string(self) -> syntax.Expression:
        start, parts = self.cursor.at, []
        while self.cursor.token.kind is Kind.STRING:
            parts.append(str(self.cursor.advance().value))
        return syntax.Literal(start, "string", "".join(parts))

    def _brackets(self) -> syntax.Expression:
        start = self.cursor.expect("(").start
        value = self.tabular_or_scalar()
        self.cursor.expect(")")
        return syntax.Subquery(start, value) if isinstance(value, syntax.Pipeline) else value

    def _name(self) -> syntax.Expression:
        cursor = self.cursor
        token = cursor.advance()
        if token.text in ("true", "false", "True", "False") and not cursor.is_mark("("):
            return syntax.Literal(token.start, "bool", token.text.lower() == "true")
        if token.text == "null":
            raise SyntaxProblem(
                "'null' has no type here; write int(null), dynamic(null) …", token.start
            )
        if not cursor.is_mark("("):
            if cursor.is_mark("*") and cursor.is_adjacent() and self._ends_pattern():
                cursor.advance()
                return syntax.Star(token.start, token.text + "*")
            return syntax.Name(token.start, token.text)
        if token.text in _LITERAL_TYPES:
            return self._typed_literal(token)
        if token.text == "toscalar" and cursor.is_name("kind", count=0):
            cursor.skip(3)
        return syntax.Call(token.start, token.text, self._arguments())

    def _ends_pattern(self) -> bool:
        following = self.cursor.ahead()
        return following.kind is Kind.END or (
            following.kind is Kind.MARK and following.text in (",", "|", ")", ";")
        )

    def _arguments(self) -> tuple[syntax.Argument, ...]:
        cursor = self.cursor
        cursor.expect("(")
        arguments = []
        while not cursor.is_mark(")"):
            arguments.append(self._argument())
            if not cursor.accept(","):
                break
        cursor.expect(")")
        return tuple(arguments)

    def _argument(self) -> syntax.Argument:
        cursor = self.cursor
        if cursor.is_name() and cursor.is_mark("=", 1):
            name = cursor.advance().text
            cursor.advance()
            return syntax.Argument(name, self.tabular_or_scalar())
        return syntax.Argument(None, self.tabular_or_scalar())

    def _typed_literal(self, token: Token) -> syntax.Expression:
        cursor = self.cursor
        opening = cursor.expect("(")
        kind = str(literals.canonical_type(token.text))
        if kind == "dynamic":
            value = self._dynamic()
            cursor.expect(")")
            return syntax.Literal(token.start, kind, value)
        return self._raw_literal(token, opening, kind)

    def _raw_literal(self, token: Token, opening: Token, kind: str) -> syntax.Expression:
        cursor = self.cursor
        first = cursor.token
        while not cursor.is_mark(")"):
            if cursor.token.kind is Kind.END:
                raise cursor.error("')'")
            cursor.advance()
        raw = cursor.text[opening.end : cursor.at].strip()
        cursor.advance()
        if first.kind is Kind.STRING and first.end - first.start == len(raw):
            raw = str(first.value)
        if raw == "null":
            return syntax.Literal(token.start, kind, None)
        return syntax.Literal(token.start, kind, _literal_value(kind, raw, token))

    def _dynamic(self) -> Any:  # noqa: ANN401 - JSON
        cursor, token = self.cursor, self.cursor.token
        if token.kind is Kind.STRING:
            return self._string().value  # type: ignore[attr-defined]
        if token.kind in (Kind.LONG, Kind.REAL):
            return cursor.advance().value
        if token.kind is Kind.TIMESPAN:
            cursor.advance()
            return literals.timespan_text(int(str(token.value)))
        if cursor.accept("-") or cursor.accept("+"):
            value = self._dynamic()
            return -value if token.text == "-" else value
        if cursor.accept("["):
            return self._dynamic_array()
        if cursor.accept("{"):
            return self._dynamic_bag()
        return self._dynamic_word()

    def _dynamic_word(self) -> Any:  # noqa: ANN401 - JSON
        cursor, token = self.cursor, self.cursor.token
        if token.kind is not Kind.NAME:
            raise cursor.error("a JSON value")
        cursor.advance()
        if token.text in ("null", "true", "false"):
            return {"null": None, "true": True, "false": False}[token.text]
        if token.text not in _LITERAL_TYPES or not cursor.is_mark("("):
            raise SyntaxProblem(f"'{token.text}' is not a JSON value", token.start)
        value = self._typed_literal(token)
        kind, plain = value.type, value.value  # type: ignore[attr-defined]
        if plain is None or kind not in ("datetime", "timespan"):
            return plain if kind != "decimal" else str(plain)
        text = literals.datetime_text if kind == "datetime" else literals.timespan_text
        return text(plain)

    def _dynamic_array(self) -> list[Any]:
        items = []
        while not self.cursor.is_mark("]"):
            items.append(self._dynamic())
            if not self.cursor.accept(","):
                break
        self.cursor.expect("]")
        return items

    def _dynamic_bag(self) -> dict[str, Any]:
        bag = {}
        while not self.cursor.is_mark("}"):
            if self.cursor.token.kind not in (Kind.STRING, Kind.NAME):
                raise self.cursor.error("a property name in quotes")
            token = self.cursor.advance()
            self.cursor.expect(":")
            bag[str(token.value)] = self._dynamic()
            if not self.cursor.accept(","):
                break
        self.cursor.expect("}")
        return bag


def _is_number(literal: syntax.Literal) -> bool:
    return literal.type in ("int", "long", "real", "timespan") and literal.value is not None


def _check_long(token: Token) -> None:
    if token.kind is Kind.LONG and not -(2**63) <= int(str(token.value)) <= 2**63:
        raise SyntaxProblem(f"{token.text} does not fit a long", token.start)


def _literal_value(kind: str, raw: str, token: Token) -> object:
    value = _parse_literal(kind, raw)
    if value is None:
        raise SyntaxProblem(_bad_literal(kind, raw), token.start)
    return value


def _bad_literal(kind: str, raw: str) -> str:
    if kind == "datetime":
        return f"datetime({raw}) is no time here; write it as datetime(2026-01-31T08:30:00Z)"
    return f"{kind}({raw[:60]}) is not a literal of type {kind}"


def _parse_literal(kind: str, raw: str) -> object:
    if kind == "datetime":
        parts = [part.strip() for part in raw.split(",")]
        if len(parts) in (2, 3) and all(part.isdigit() for part in parts):
            raw = "-".join([*parts, "1"][:3])
        return None if raw.isdigit() else literals.parse_datetime(raw)
    if kind in ("int", "long"):
        return literals.parse_integer(raw, 32 if kind == "int" else 64)
    readers: dict[str, Callable[[str], object]] = {
        "timespan": literals.parse_timespan,
        "real": literals.parse_real,
        "decimal": literals.parse_decimal,
        "bool": literals.parse_bool,
        "guid": literals.parse_guid,
    }
    return readers[kind](raw)
