"""Evaluates ``criteriaExpression``: CEL over cluster labels, each a string variable.

Google's CEL in C++ (cel-expr-python), as upstream uses Google's in Go. Each expression is
evaluated once for a set of labels: neither changes while the worker runs.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from summaryrule.planner.criteria import ExpressionError

_POSITION: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)")


def evaluate(expression: str, labels: Mapping[str, str]) -> bool:
    """Whether the expression holds for these labels.

    Raises:
        ExpressionError: it does not compile, names an unknown label, or yields no bool.
    """
    return _evaluated(expression, tuple(sorted(labels.items())))


@lru_cache(maxsize=4096)
def _evaluated(expression: str, labels: tuple[tuple[str, str], ...]) -> bool:
    # Imported here: half of all workers see no expression, and the library is 50 MB.
    from cel_expr_python import cel  # noqa: PLC0415

    environment = cel.NewEnv(variables={name: cel.Type.STRING for name, _ in labels})
    try:
        compiled = environment.compile(expression)
    except RuntimeError as error:
        raise ExpressionError(_sentence(str(error))) from error
    if compiled.return_type() != cel.Type.BOOL:
        raise ExpressionError(f"yields {compiled.return_type()}, not a bool")
    result = compiled.eval(data=dict(labels))
    if result.type() != cel.Type.BOOL:
        raise ExpressionError(str(result.value()))
    return bool(result.value())


def _sentence(error: str) -> str:
    found = _POSITION.search(error)
    if found is None:
        return error.split("\n", 1)[0]
    line, column, what = found.groups()
    return (
        f"{what.removesuffix(' (in container ' + chr(39) * 2 + ')')} (line {line}, column {column})"
    )
