r"""pydantic's patterns for RE2, which the API server uses.

To pydantic, `\d`, `\w` and `\s` are those of Unicode, to RE2 those of ASCII; so they are written
out. `\b`, classes within classes and what only one side knows have no counterpart.
"""

import re
from typing import Final

from crdgen.schema_keywords import Schema, unsupported

_PART: Final = re.compile(r"\\[pPx]\{[^}]*\}|\\.|\[:\^?\w+:\]|&&|--|~~|.", re.DOTALL)
_WORD: Final = (
    r"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200c}\x{200d}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}"
    r"\x{1f150}-\x{1f169}\x{1f170}-\x{1f189}"
)
_SPACE: Final = r"\s\x0b\x{85}\p{Z}"
_OUTSIDE: Final = {
    r"\d": r"\p{Nd}", r"\D": r"\P{Nd}", r"\s": f"[{_SPACE}]", r"\S": f"[^{_SPACE}]",
    r"\w": f"[{_WORD}]", r"\W": f"[^{_WORD}]",
}  # fmt: skip
_INSIDE: Final = {r"\d": r"\p{Nd}", r"\D": r"\P{Nd}", r"\s": _SPACE, r"\w": _WORD}
_REFUSED: Final = frozenset({r"\b", r"\B"})
_REFUSED_INSIDE: Final = frozenset({r"\S", r"\W", "[", "&&", "--", "~~"})
_PYTHON: Final = frozenset({r"\w", r"\W", r"\s", r"\S"})
"""What Python's `re` takes for other characters than pydantic's own engine."""
_FLAGS: Final = ((re.IGNORECASE, "i"), (re.DOTALL, "s"), (re.MULTILINE, "m"))


def pattern_keywords(pattern: str | re.Pattern[str]) -> Schema:
    """`pattern` as a keyword for RE2, with its flags, or refused."""
    text, flags, is_compiled = pattern, "", False
    if isinstance(pattern, re.Pattern):
        text, is_compiled = pattern.pattern, not pattern.flags & re.ASCII
        if pattern.flags & re.VERBOSE:
            return unsupported("its pattern is verbose", "write it without re.VERBOSE")
        flags = "".join(letter for flag, letter in _FLAGS if pattern.flags & flag)
        if pattern.flags & re.ASCII:
            return {"pattern": f"(?{flags})" * bool(flags) + text}
    found = _translate(str(text), _PYTHON if is_compiled else frozenset())
    if found is None:
        return unsupported(
            "its pattern means something else in RE2, which the API server uses",
            "write out what \\b, \\w, \\s or nested classes stand for, or compile it with re.ASCII",
        )
    return {"pattern": f"(?{flags})" * bool(flags) + found}


def _translate(pattern: str, refused: frozenset[str]) -> str | None:
    found, inside, opened = "", False, 0
    for part in _PART.findall(pattern):
        if part in refused | (_REFUSED_INSIDE if inside else _REFUSED):
            return None
        found += (_INSIDE if inside else _OUTSIDE).get(part, part)
        if not inside:
            inside, opened = part == "[", len(found)
        elif part == "]" and found[opened:] not in {"]", "^]"}:
            inside = False
    return found
