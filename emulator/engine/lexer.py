"""KQL text into tokens.

Source: Kusto docs, "The string data type", "The timespan data type", "Identifier naming rules".
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from emulator.engine.problems import SyntaxProblem


class Kind(StrEnum):
    """What a token is."""

    NAME = "name"
    STRING = "string"
    LONG = "long"
    REAL = "real"
    TIMESPAN = "timespan"
    MARK = "mark"
    END = "end"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Token:
    """One token: `text` as written, `value` decoded, `start` and `end` offsets in the text."""

    kind: Kind
    text: str
    start: int
    end: int
    value: object = None


TICKS: Final = {
    unit: ticks
    for units, ticks in (
        ("d day days", 864_000_000_000),
        ("h hr hrs hour hours", 36_000_000_000),
        ("m min minute minutes", 600_000_000),
        ("s sec second seconds", 10_000_000),
        ("ms milli millis millisecond milliseconds", 10_000),
        ("micro micros microsecond microseconds us", 10),
        ("tick ticks", 1),
    )
    for unit in units.split()
}
"""Ticks of 100 ns in each unit of a timespan literal."""

_UNITS: Final = "|".join(sorted(TICKS, key=len, reverse=True))
_PATTERN: Final = re.compile(
    rf"""(?P<blank>[\s\u200b\ufeff]+|//[^\n]*)
    |(?P<block>[hH]?(?:```(?:.|\n)*?```|~~~(?:.|\n)*?~~~))
    |(?P<verbatim>[hH]?@(?:"(?:[^"]|"")*"|'(?:[^']|'')*'))
    |(?P<string>[hH]?(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<timespan>\d+(?:\.\d+)?(?:{_UNITS})(?![A-Za-z0-9_]))
    |(?P<hex>0[xX][0-9a-fA-F]+(?![A-Za-z0-9_]))
    |(?P<real>\d+(?:\.\d*(?:[eE][+-]?\d+)?|[eE][+-]?\d+)(?![A-Za-z0-9_.]))
    |(?P<long>\d+(?![A-Za-z0-9_]))
    |(?P<name>[A-Za-z_$][A-Za-z0-9_]*|[0-9]+[A-Za-z_][A-Za-z0-9_]*)
    |(?P<digits>\d+\w*)
    |(?P<mark>\.\.|<\||=>|==|=~|!=|!~|<>|<=|>=|-->|<--|[-+*/%()\[\]{{}},;:.|=<>!?@~&])
    """,
    re.VERBOSE,
)
_SIMPLE_ESCAPES: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "0": "\0",
}
_ESCAPE: Final = re.compile(
    r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[0-7]{1,3}|.)", re.DOTALL
)


def tokenize(text: str) -> list[Token]:
    """The tokens of `text`, an END token last. Comments and white space are dropped."""
    tokens, at = [], 0
    while at < len(text):
        found = _PATTERN.match(text, at)
        if found is None:
            tokens.append(Token(Kind.UNKNOWN, text[at], at, at + 1))
            at += 1
            continue
        if found.lastgroup != "blank":
            tokens.append(_token(found))
        at = found.end()
    tokens.append(Token(Kind.END, "", len(text), len(text)))
    return tokens


def _token(found: re.Match[str]) -> Token:
    group, text, start, end = str(found.lastgroup), found.group(), found.start(), found.end()
    if group in ("string", "verbatim", "block"):
        return Token(Kind.STRING, text, start, end, _decode(group, text.lstrip("hH"), start))
    if group == "timespan":
        return Token(Kind.TIMESPAN, text, start, end, timespan_ticks(text))
    if group in ("long", "hex"):
        value = int(text, 16) if group == "hex" else int(text)
        value = value - 2**64 if group == "hex" and 2**63 <= value < 2**64 else value
        return Token(Kind.LONG, text, start, end, value)
    if group == "real":
        return Token(Kind.REAL, text, start, end, float(text))
    kind = {"name": Kind.NAME, "mark": Kind.MARK}.get(group, Kind.UNKNOWN)
    return Token(kind, text, start, end, text)


def timespan_ticks(text: str) -> int:
    """The ticks of a literal such as `1.5h`."""
    number = re.match(r"[\d.]+", text)
    digits = number.group() if number else "0"
    unit = TICKS[text[len(digits) :]]
    whole, _, fraction = digits.partition(".")
    scale = 10 ** len(fraction)
    return int(int(whole + fraction) * unit // scale)


def _decode(group: str, body: str, start: int) -> str:
    if group == "block":
        return body[3:-3]
    if group == "verbatim":
        quote = body[1]
        return body[2:-1].replace(quote * 2, quote)
    return _ESCAPE.sub(lambda found: _unescape(found[1], start), body[1:-1])


def _unescape(code: str, start: int) -> str:
    if code in _SIMPLE_ESCAPES:
        return _SIMPLE_ESCAPES[code]
    if code[0] in "uUx" and len(code) > 1:
        number = int(code[1:], 16)
        if number > 0x10FFFF:
            raise SyntaxProblem(f"'\\{code}' is not a character", start)
        return chr(number)
    if code.isdigit():
        return chr(int(code, 8))
    raise SyntaxProblem(
        f"'\\{code}' is not an escape; write '\\\\{code}' or a verbatim @ string", start
    )
