"""Reads the words of a management command.

Commands have no published grammar file, so each family (`emulator.commands`) reads its own with
this: names, literals, punctuation, and what is left. Every error names line and position.
"""

import re
from collections.abc import Callable
from typing import Final, TypeVar
from uuid import UUID

from emulator.errors import KustoSyntaxError

T = TypeVar("T")
_BLANK: Final = re.compile(r"(?:\s+|//[^\n]*(?:\n|\Z))+")
_WORD: Final = re.compile(r"\.?[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z]+)*")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STRING: Final = re.compile(
    r"""[hH]?(?:@"(?:[^"]|"")*"|@'(?:[^']|'')*'|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
)
_BARE: Final = re.compile(r"[A-Za-z0-9_.:+-]+")
_CALL: Final = re.compile(
    r"(?:datetime|guid|time|timespan|bool|long|int)\s*\(([^)]*)\)", re.IGNORECASE
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_ENTITY: Final = re.compile(r"[A-Za-z0-9_.\- ]{1,1024}")


class Scanner:
    """A cursor over one command's text; white space and `//` comments separate, never matter."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.skip()

    @property
    def rest(self) -> str:
        """Everything not read yet."""
        return self.text[self.at :]

    def text_from(self, source: str = "") -> str:
        """What is left, after `source`, with blanks for what was read.

        So a position in it is the position in the whole text (unless `source` does not fit).
        """
        blank = re.sub(r"[^\n]", " ", self.text[: self.at])
        if source and blank.endswith(" " * len(source)):
            blank = blank[: -len(source)]
        return blank + source + self.rest

    @property
    def done(self) -> bool:
        """Whether nothing is left but a closing semicolon."""
        return self.rest.strip().rstrip(";").strip() == ""

    def skip(self) -> None:
        """Pass over white space and comments."""
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def error(self, expected: str) -> KustoSyntaxError:
        """The error for what stands here, with what belongs here instead."""
        before = self.text[: self.at]
        line = before.count("\n") + 1
        position = self.at - (before.rfind("\n") + 1)
        here = self.rest.split("\n", 1)[0][:40] or "the end of the command"
        return KustoSyntaxError(f"expected {expected}, found {here!r}.", line, position)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
            self.skip()
        return found

    def accept(self, *words: str) -> bool:
        """Read `words` if exactly they come next, in any case; else read nothing."""
        start = self.at
        for word in words:
            found = self._take(_WORD)
            if found is None or found.group().lower() != word:
                self.at = start
                return False
        return True

    def punctuation(self, mark: str) -> bool:
        """Read `mark` if it comes next."""
        return self._take(re.compile(re.escape(mark))) is not None

    def expect(self, mark: str) -> None:
        """Read `mark`; raises KustoSyntaxError for anything else."""
        if not self.punctuation(mark):
            raise self.error(f"'{mark}'")

    def string(self) -> str | None:
        """A string literal's value: plain, verbatim `@'…'` or hidden `h'…'`."""
        found = self._take(_STRING)
        return None if found is None else _decode(found.group())

    def name(self, what: str) -> str:
        """An entity's name: bare, or bracketed as `['x']` or `["x"]`."""
        if self.punctuation("["):
            name = self.string()
            if name is None:
                raise self.error(f"a quoted {what} name")
            self.expect("]")
        else:
            found = self._take(_NAME)
            if found is None:
                raise self.error(f"a {what} name")
            name = found.group()
        if not _ENTITY.fullmatch(name) or name != name.strip() or name.startswith("__"):
            raise self.error(f"a {what} name of letters, digits, '_', '.', '-' and inner spaces")
        return name

    def value(self, what: str) -> str:
        """A literal: a string, `datetime(…)`-like call, guid, number or word."""
        text = self.string()
        if text is not None:
            return text
        found = self._take(_CALL)
        if found:
            return found.group(1).strip().strip("'\"")
        found = self._take(_BARE)
        if found is None:
            raise self.error(what)
        return found.group()

    def guid(self, what: str) -> UUID:
        """A guid, quoted or not."""
        start = self.at
        text = self.value(what)
        try:
            return UUID(text)
        except ValueError:
            self.at = start
            raise self.error(f"{what} (a guid)") from None

    def listed(self, read: Callable[[], T]) -> list[T]:
        """`(ITEM, …)` with at least one item, each read by `read`."""
        self.expect("(")
        found = [read()]
        while self.punctuation(","):
            found.append(read())
        self.expect(")")
        return found

    def end(self) -> None:
        """Refuse whatever is left."""
        if not self.done:
            raise self.error("the end of the command")


def _decode(literal: str) -> str:
    body = literal.lstrip("hH")
    if body.startswith("@"):
        quote = body[1]
        return body[2:-1].replace(quote * 2, quote)
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), body[1:-1])
