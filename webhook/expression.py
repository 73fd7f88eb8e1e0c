"""Does a ``criteriaExpression`` parse? Asked by validation, through `webhook.admission.Policy`.

The parser is loaded on the first question, since it is a large C++ library (8 MiB resident) that
most servers never need; that question waits some 25 ms for it.
"""

import re
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

_NOWHERE: Final = "4294967295"
_SYNTAX = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*)")
# NB: cel-expr-python 0.1.3 lists every token it would have taken; the list helps nobody.
_EXPECTED = re.compile(r" expecting \{.*\}?")
_REASON = re.compile(r"[A-Z_]+: (.*?)(?: \[[A-Z_]+\])?", re.DOTALL)


@lru_cache(maxsize=256)
def problem(expression: str) -> str | None:
    """What is wrong with a CEL expression and where, or None when it parses.

    Types and names are not checked: the variables are the cluster's labels, which differ from
    cluster to cluster (design, section 9). The parser refuses more than 100,000 characters, which
    bounds the time: 0.4 s for the worst found.
    """
    try:
        _environment().compile(expression, disable_check=True)
    except RuntimeError as error:
        return _explained(str(error))
    return None


@lru_cache(maxsize=1)
def _environment() -> Any:  # noqa: ANN401 - the library ships no types
    """The CEL environment without variables."""
    return import_module("cel_expr_python.cel").NewEnv()


def _explained(error: str) -> str:
    found = _SYNTAX.search(error)
    if found is None:
        reason = _REASON.fullmatch(error)
        return reason[1] if reason else error
    line, column, what = found.groups()
    what = _EXPECTED.sub("", what.removesuffix(" [INVALID_ARGUMENT]"))
    what = what.replace("mismatched input '<EOF>'", "the expression ends too early")
    what = what.replace("expecting <EOF>", "where the expression should end")
    # NB: cel-expr-python 0.1.3 gives line 4294967295 where it has no position.
    return what if line == _NOWHERE else f"line {line}, column {column}: {what}"
