"""Warnings as the API server will pass them on.

The server turns each into a ``Warning`` header and drops, silently, one with a control character;
past 4,096 characters it cuts each to 256 and then drops the rest (apiserver v0.37,
endpoints/filters/warning.go). So the cutting is done here, where it can be said.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

LONGEST: Final = 256
LONGEST_TOGETHER: Final = 4096

_SPACES = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_REST: Final = "more warnings were left out"


def sanitised(warnings: Collection[str]) -> tuple[str, ...]:
    """One line each, at most 256 characters; distinct; at most 4,096 characters in all."""
    if not warnings:
        return ()
    lines = tuple(dict.fromkeys(filter(None, map(_line, warnings))))
    if sum(map(len, lines)) <= LONGEST_TOGETHER:
        return lines
    return (*_fitting(lines, LONGEST_TOGETHER - len(_REST)), _REST)


def _line(text: str) -> str:
    line = _SPACES.sub(" ", text).strip()
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _fitting(lines: tuple[str, ...], room: int) -> Iterable[str]:
    for line in lines:
        room -= len(line)
        if room < 0:
            return
        yield line
