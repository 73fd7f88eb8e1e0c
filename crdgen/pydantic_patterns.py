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
_REFUSED: Final = frozenset({r"\b", r"\B", r"\<", r"\>"})
_REFUSED_INSIDE: Final = frozenset({r"\S", r"\W", "[", "&&", "--", "~~"})
_PYTHON: Final = frozenset({r"\w", r"\W", r"\s", r"\S"})
"""What Python's `re` takes for other characters than pydantic's own engine."""
_FLAGS: Final = ((re.IGNORECASE, "i"), (re.DOTALL, "s"), (re.MULTILINE, "m"))


def pattern_keywords(pattern: str | re.Pattern[str], *, by_python: bool) -> Schema:
    """`pattern` as a keyword for RE2, with its flags, or refused.

    `by_python` is whether the model has Python's `re` match texts; it always matches what is
    compiled.
    """
    if not by_python and not isinstance(pattern, re.Pattern):
        return _keyword(_translate(pattern, frozenset()), "")
    try:
        compiled = re.compile(pattern)
    except re.error:  # the model refuses every text
        return _keyword(None, "")
    text = re.sub(r"(?<!\\)((?:\\\\)*)\\Z", r"\1\\z", compiled.pattern)
    flags = "".join(letter for flag, letter in _FLAGS if compiled.flags & flag)
    if compiled.flags & re.VERBOSE:
        return unsupported("its pattern is verbose", "write it without re.VERBOSE")
    if not compiled.flags & re.ASCII:
        return _keyword(_translate(text, _PYTHON), flags)
    if "i" in flags:
        why = "its pattern takes both cases of ASCII letters only, which RE2 does not know"
        return unsupported(why, "write both cases out, or drop re.ASCII")
    return _keyword(text, flags)


def _keyword(found: str | None, flags: str) -> Schema:
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
