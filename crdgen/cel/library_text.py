"""CEL's functions on text: the strings extension (version 2) and Kubernetes' `find`."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from crdgen.cel import gotime
from crdgen.cel.values import (
    Duration,
    EvaluationError,
    Fields,
    Moment,
    UInt,
    Value,
    items_of,
    number,
    type_name,
)

_SPACE: Final = (
    " \t\n\v\f\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_DIRECTIVE: Final = re.compile(r"%(?:%|(?:\.(\d+))?([sdfebxXo])|(.?))")


def double_text(value: float) -> str:
    """A double as Go's `%g` with the fewest digits writes it."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    if value == 0 or 1e-4 <= abs(value) < 1e21:  # noqa: PLR2004 - Go's switch to an exponent
        text = repr(value)
        if "e" in text:
            text = f"{value:f}".rstrip("0").rstrip(".") if abs(value) < 1 else str(int(value))
        return text.removesuffix(".0")
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa.removesuffix('.0')}e{exponent[0]}{exponent[1:].zfill(2)}"


def index_of(text: str, part: str, start: int = 0) -> int:
    """Where `part` first stands in `text` at or after `start`, or -1."""
    if part == "":
        return start
    _inside(start, len(text))
    return text.find(part, start)


def last_index_of(text: str, part: str, start: int | None = None) -> int:
    """Where `part` last stands in `text` at or before `start`, or -1."""
    if start is None:
        return len(text) if part == "" else text.rfind(part)
    _inside(start, len(text))
    return start if part == "" else text.rfind(part, 0, start + len(part))


def _inside(index: int, length: int) -> None:
    if not 0 <= index <= length:
        raise EvaluationError(f"index out of range: {index}")


def _char_at(text: str, index: int) -> str:
    _inside(index, len(text))
    return text[index : index + 1]


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    return text.replace(old, new, count)


def _split(text: str, separator: str, count: int = -1) -> list[str]:
    if count in {0, 1}:
        return [text][:count]
    if separator:
        return text.split(separator, max(count - 1, -1))
    return list(text) if not 0 < count < len(text) else [*text[: count - 1], text[count - 1 :]]


def _substring(text: str, start: int, end: int | None = None) -> str:
    end = len(text) if end is None else end
    if start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    _inside(start, len(text))
    _inside(end, len(text))
    return text[start:end]


def _ascii(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(each) if each.isascii() else each for each in text)


def _join(parts: Value, separator: str = "") -> str:
    return separator.join(items_of(parts) or [])


def _quote(text: str) -> str:
    escapes = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
               "\v": "\\v", "\\": "\\\\", '"': '\\"'}  # fmt: skip
    return '"' + "".join(escapes.get(each, each) for each in text) + '"'


def _find(text: str, pattern: str) -> str:
    found = re.search(_as_python(pattern), text)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, count: int = -1) -> list[str]:
    found = [match[0] for match in re.finditer(_as_python(pattern), text)]
    return found if count < 0 else found[:count]


def _as_python(pattern: str) -> str:
    if error := _unsupported(pattern):
        raise EvaluationError(error)
    return re.sub(r"\\z", r"\\Z", pattern)


def _unsupported(pattern: str) -> str | None:
    from crdgen.regex import re2_error  # noqa: PLC0415 - loads a native library

    error = re2_error(pattern)
    return None if error is None else f"Illegal regex: {error}"


def _format(text: str, args: Value) -> str:
    values: Sequence[Value] = items_of(args) or []
    position = 0

    def one(match: re.Match[str]) -> str:
        nonlocal position
        if match[0] == "%%":
            return "%"
        if match[2] is None:
            raise EvaluationError(
                f'could not parse formatting clause: unrecognized formatting clause "{match[3]}"'
            )
        if position >= len(values):
            raise EvaluationError(f"index {position} out of range")
        value = values[position]
        position += 1
        return _CLAUSES[match[2]](value, int(match[1]) if match[1] else 6)

    return _DIRECTIVE.sub(one, text)


def show(value: Value) -> str:
    """A value as `%s` writes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (Fields, dict)):
        pairs = value if isinstance(value, dict) else {k: value.find(k)[1] for k in value.names()}
        return _show_map(pairs)
    items = items_of(value)
    if items is not None:
        return "[" + ", ".join(show(each) for each in items) + "]"
    return _show_scalar(value)


def _show_scalar(value: Value) -> str:
    match value:
        case str():
            return value
        case Duration():
            return gotime.duration_text(value.nanoseconds)
        case Moment():
            return gotime.moment_text(value.nanoseconds)
        case float():
            return double_text(value)
        case bytes():
            return value.decode(errors="replace")
    found = number(value)
    return str(found if found is not None else type_name(value))


def _show_map(value: dict[Any, Value]) -> str:
    pairs = sorted((show(key), show(each)) for key, each in value.items())
    return "{" + ", ".join(f"{key}: {each}" for key, each in pairs) + "}"


def _whole(value: Value) -> int:
    if isinstance(value, UInt):
        return value.value
    if isinstance(value, int):
        return int(value)
    raise EvaluationError("error during formatting: decimal clause can only be used on integers")


def _real(value: Value) -> float:
    found = number(value)
    if found is None:
        raise EvaluationError(
            "error during formatting: fixed-point clause can only be used on numbers"
        )
    return float(found)


def _hex(value: Value) -> str:
    if isinstance(value, str):
        return value.encode().hex()
    return value.hex() if isinstance(value, bytes) else f"{_whole(value):x}"


_CLAUSES: Final[dict[str, Callable[[Value, int], str]]] = {
    "s": lambda value, _: show(value),
    "d": lambda value, _: str(_whole(value)),
    "f": lambda value, precision: f"{_real(value):.{precision}f}",
    "e": lambda value, precision: f"{_real(value):.{precision}e}",
    "b": lambda value, _: f"{_whole(value):b}",
    "x": lambda value, _: _hex(value),
    "X": lambda value, _: _hex(value).upper(),
    "o": lambda value, _: f"{_whole(value):o}",
}
FUNCTIONS: Final[dict[str, Callable[..., Value]]] = {
    "contains": lambda text, part: part in text,
    "startsWith": lambda text, part: text.startswith(part),
    "endsWith": lambda text, part: text.endswith(part),
    "charAt": _char_at,
    "lowerAscii": lambda text: _ascii(text, str.lower),
    "upperAscii": lambda text: _ascii(text, str.upper),
    "replace": _replace,
    "split": _split,
    "substring": _substring,
    "trim": lambda text: text.strip(_SPACE),
    "format": _format,
    "strings.quote": _quote,
    "join": _join,
    "find": _find,
    "findAll": _find_all,
}
