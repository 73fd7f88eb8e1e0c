"""RE2, the regular expressions of the API server (Go's `regexp` has the same syntax).

Python's `re` accepts look-around and back-references that the server refuses, so patterns are
compiled by the RE2 that comes with the CEL library.
"""

import re
from functools import cache
from typing import Any, Final

_WORDS: Final = {
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "missing )": "missing closing )",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
}


_PART: Final = re.compile(r"\\[pPx]\{[^}]*\}|\\.|\[:\^?\w+:\]|&&|--|~~|.", re.DOTALL)
_OUTSIDE: Final = {r"\D": r"\P{Nd}", r"\S": r"[^\s\x0b\x1c-\x1f\x85\p{Z}]"}
_NEGATED: Final = {r"\d": r"\p{Nd}", r"\s": r"\s\x0b\x1c-\x1f\x85\p{Z}"}
_OTHERWISE: Final = frozenset({r"\b", r"\B", r"\W"})
_CLASS_OTHERWISE: Final = frozenset({r"\D", r"\S", r"\W", "[", "&&", "--", "~~"})


def to_re2(pattern: str) -> str | None:
    r"""A pattern of pydantic's for RE2, which takes no more text; None when there is none.

    To pydantic, `\d`, `\w` and `\s` are those of Unicode, to RE2 those of ASCII. So what they
    exclude is written out.
    """
    found, inside, negated, opened = "", False, False, 0
    for part in _PART.findall(pattern):
        if not inside:
            if part in _OTHERWISE:
                return None
            found += _OUTSIDE.get(part, part)
            inside, negated = part == "[", False
            opened = len(found)
            continue
        if part in _CLASS_OTHERWISE or (negated and part == r"\w"):
            return None
        first = len(found) == opened + negated
        negated = negated or (part == "^" and len(found) == opened)
        found += _NEGATED.get(part, part) if negated else part
        inside = part != "]" or first
    return found


@cache
def re2_error(pattern: str) -> str | None:
    """Why RE2 does not compile `pattern`, in the words of Go's regexp, or None when it does."""
    try:
        matches(pattern, "")
    except RuntimeError as error:
        return _as_go(str(error))
    return None


def matches(pattern: str, text: str) -> bool:
    """Whether `pattern` is found anywhere in `text`.

    Raises:
        RuntimeError: RE2 does not compile it.
    """
    value = _program().eval(data={"text": text, "pattern": pattern}).value()
    if not isinstance(value, bool):
        raise RuntimeError(str(value))  # noqa: TRY004 - CEL hands errors over as values
    return value


def _as_go(error: str) -> str:
    text = error.removeprefix("INVALID_ARGUMENT: ").split(" [INVALID")[0]
    reason, _, part = text.removeprefix("invalid regular expression: ").rpartition(": ")
    return f"error parsing regexp: {_WORDS.get(reason, reason)}: `{part}`"


@cache
def _program() -> Any:  # noqa: ANN401 - the library is untyped
    from cel_expr_python import cel  # noqa: PLC0415 - loads a native library

    environment = cel.NewEnv(variables={"text": cel.Type.STRING, "pattern": cel.Type.STRING})
    return environment.compile("text.matches(pattern)")
