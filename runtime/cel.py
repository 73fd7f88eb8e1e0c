"""CEL: evaluates a ``criteriaExpression`` over cluster labels, and checks that one parses.

Google's implementation in C++ (cel-expr-python). It is loaded on first use: it takes 50 MB of the
disk, 8 MiB of memory and 25 ms, and most processes see no expression.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from summaryrule.planner.preconditions import ExpressionError

_POSITION: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)")
_CONTAINER: Final = " (in container '')"
_NO_LINE: Final = "4294967295"
# NB: cel-expr-python 0.1.3 lists every token that the parser would take; the list is of no use.
_EXPECTED: Final = re.compile(r" expecting \{.*\}?")
_REASON: Final = re.compile(r"[A-Z_]+: (.*?)(?: \[[A-Z_]+\])?", re.DOTALL)


def evaluate(expression: str, labels: Mapping[str, str]) -> bool:
    """Whether the expression holds for these labels; each label is a string variable.

    Raises:
        ExpressionError: it does not compile, names an unknown label, yields no bool, or fails while
            it runs (a division by zero, more iterations than the library allows).
    """
    return _evaluate(expression, tuple(sorted(labels.items())))


@lru_cache(maxsize=4096)
def _evaluate(expression: str, labels: tuple[tuple[str, str], ...]) -> bool:
    cel = _library()
    environment = cel.NewEnv(variables={name: cel.Type.STRING for name, _ in labels})
    try:
        compiled = environment.compile(expression)
    except RuntimeError as error:
        raise ExpressionError(_compile_message(str(error))) from error
    if compiled.return_type() != cel.Type.BOOL:
        raise ExpressionError(f"yields {compiled.return_type()}, not a bool")
    try:
        result = compiled.eval(data=dict(labels))
    except RuntimeError as error:
        raise ExpressionError(_without_code(str(error))) from error
    if result.type() != cel.Type.BOOL:
        raise ExpressionError(str(result.value()))
    return bool(result.value())


@lru_cache(maxsize=256)
def parse_error(expression: str) -> str | None:
    """The first syntax error of a CEL expression with its line and column; None if it parses.

    Types and names are not checked: the variables are the cluster's labels, which differ from
    cluster to cluster. The parser refuses more than 100,000 characters, which bounds the time:
    0.4 s for the worst expression found.
    """
    try:
        _empty_environment().compile(expression, disable_check=True)
    except RuntimeError as error:
        return _parse_message(str(error))
    return None


def _library() -> Any:  # noqa: ANN401 - the library ships no types
    return import_module("cel_expr_python.cel")


@lru_cache(maxsize=1)
def _empty_environment() -> Any:  # noqa: ANN401 - as above
    return _library().NewEnv()


def _compile_message(error: str) -> str:
    found = _POSITION.search(error)
    if found is None:
        return error.split("\n", 1)[0]
    line, column, what = found.groups()
    return f"{what.removesuffix(_CONTAINER)} (line {line}, column {column})"


def _parse_message(error: str) -> str:
    found = _POSITION.search(error)
    if found is None:
        return _without_code(error)
    line, column, what = found.groups()
    what = what.removeprefix("Syntax error: ").removesuffix(" [INVALID_ARGUMENT]")
    what = _EXPECTED.sub("", what)
    what = what.replace("mismatched input '<EOF>'", "the expression ends too early")
    what = what.replace("expecting <EOF>", "where the expression should end")
    # NB: cel-expr-python 0.1.3 gives line 4294967295 where it has no position.
    return what if line == _NO_LINE else f"line {line}, column {column}: {what}"


def _without_code(error: str) -> str:
    """The message of the library without the status code around it."""
    reason = _REASON.fullmatch(error)
    return reason[1] if reason else error
