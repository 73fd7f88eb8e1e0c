"""A cursor over tokens, shared by the parsers of expressions, operators and statements."""

from collections.abc import Callable
from typing import TypeVar

from emulator.engine.lexer import Kind, Token, tokenize
from emulator.engine.problems import SyntaxProblem

T = TypeVar("T")


class Cursor:
    """Reads tokens one after the other; every reader leaves it after what it read."""

    MAX_DEPTH = 150

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.position = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        """The token at the cursor."""
        return self.tokens[self.position]

    @property
    def is_at_end(self) -> bool:
        """Whether every token is read."""
        return self.token.kind is Kind.END

    @property
    def at(self) -> int:
        """The offset of the token at the cursor."""
        return self.token.start

    def ahead(self, count: int = 1) -> Token:
        """The token `count` places on, the END token past the end."""
        return self.tokens[min(self.position + count, len(self.tokens) - 1)]

    def advance(self) -> Token:
        """Read one token."""
        token = self.token
        if token.kind is not Kind.END:
            self.position += 1
        return token

    def is_mark(self, mark: str, count: int = 0) -> bool:
        """Whether the token `count` places on is the punctuation `mark`."""
        token = self.ahead(count)
        return token.kind is Kind.MARK and token.text == mark

    def is_name(self, *names: str, count: int = 0) -> bool:
        """Whether the token `count` places on is one of `names`, or any name when none is given."""
        token = self.ahead(count)
        return token.kind is Kind.NAME and (not names or token.text in names)

    def accept(self, mark: str) -> bool:
        """Read `mark` if it is here."""
        if self.is_mark(mark):
            self.position += 1
            return True
        return False

    def accept_name(self, *names: str) -> bool:
        """Read one of `names` if it is here."""
        if names and self.is_name(*names):
            self.position += 1
            return True
        return False

    def expect(self, mark: str) -> Token:
        """Read `mark`; raises SyntaxProblem for anything else."""
        if not self.is_mark(mark):
            raise self.error(f"'{mark}'")
        return self.advance()

    def expect_name(self, *names: str) -> Token:
        """Read one of `names`; raises SyntaxProblem for anything else."""
        if not self.is_name(*names):
            raise self.error(" or ".join(f"'{name}'" for name in names) or "a name")
        return self.advance()

    def error(self, expected: str) -> SyntaxProblem:
        """The problem that `expected` is not what stands here."""
        token = self.token
        found = "the end of the query" if token.kind is Kind.END else repr(token.text[:40])
        if token.kind is Kind.UNKNOWN and token.text[:1] in "'\"`":
            return SyntaxProblem("the string that starts here does not end", token.start)
        return SyntaxProblem(f"expected {expected}, found {found}", token.start)

    def require_end(self, expected: str) -> None:
        """Raise SyntaxProblem when there is one more token."""
        if not self.is_at_end:
            raise self.error(expected)

    def identifier(self, what: str = "a name") -> str:
        """A name, bare or as `['name']`."""
        if self.is_mark("[") and self.ahead().kind is Kind.STRING:
            self.advance()
            name = str(self.advance().value)
            self.expect("]")
            return name
        if self.token.kind is not Kind.NAME:
            raise self.error(what)
        return self.advance().text

    def is_identifier(self, count: int = 0) -> bool:
        """Whether an identifier starts `count` places on."""
        if self.ahead(count).kind is Kind.NAME:
            return True
        return self.is_mark("[", count) and self.ahead(count + 1).kind is Kind.STRING

    def is_adjacent(self) -> bool:
        """Whether no white space stands before the token at the cursor."""
        return self.position > 0 and self.tokens[self.position - 1].end == self.token.start

    def dashed_name(self) -> str:
        """The longest `a-b-c` without white space that starts here, not read."""
        parts = [self.token.text]
        count = 1
        while (
            self.is_mark("-", count)
            and self.ahead(count).start == self.ahead(count - 1).end
            and self.ahead(count + 1).kind is Kind.NAME
            and self.ahead(count + 1).start == self.ahead(count).end
        ):
            parts.append(self.ahead(count + 1).text)
            count += 2
        return "-".join(parts)

    def skip(self, count: int) -> None:
        """Read `count` tokens."""
        self.position = min(self.position + count, len(self.tokens) - 1)

    def comma_separated(self, read: Callable[[], T]) -> list[T]:
        """What `read` gives, once or more, separated by commas."""
        items = [read()]
        while self.accept(","):
            items.append(read())
        return items
