"""One sentence, in Kusto's words where it has any, for what the engine and DuckDB complain of."""

import logging
import re
from collections.abc import Callable
from typing import Final

import duckdb

from emulator.engine.problems import Problem, SemanticProblem, SyntaxProblem, UnsupportedProblem
from emulator.errors import KustoError, KustoSemanticError, KustoSyntaxError, UnsupportedError

_LOG: Final = logging.getLogger("emulator")
_REFUSED_VALUE: Final = re.compile(r"executing the UDF: ValueError: (.*)")
"""What a function of the engine says of a value that it does not decide."""
_SENTENCES: Final[tuple[tuple[Callable[[duckdb.Error, str], bool], str], ...]] = (
    (
        lambda error, _: isinstance(error, duckdb.OutOfRangeException),
        "A number in the query does not fit its type: the local endpoint does not wrap around.",
    ),
    (
        lambda error, _: isinstance(error, duckdb.OutOfMemoryException),
        "Query execution lacks memory resources to complete (80DA0001): ask for less.",
    ),
    (
        lambda error, text: isinstance(error, duckdb.InvalidInputException) and "regex" in text,
        "The query has a regular expression that cannot be read.",
    ),
    (
        lambda _, text: "expression depth" in text or "expression tree is too deep" in text,
        "The query is nested too deeply for the local endpoint.",
    ),
)


def map_problem(problem: Problem, text: str) -> KustoError:
    """The error for a problem that the engine found in `text`."""
    line, position = _place(text, problem.at)
    if isinstance(problem, SyntaxProblem):
        return KustoSyntaxError(f"{problem.message}.", line, position)
    where = f" at [line:position={line}:{position}]" if problem.at >= 0 else ""
    if isinstance(problem, UnsupportedProblem):
        return UnsupportedError(f"{problem.message}{where}", problem.instead)
    code = problem.code if isinstance(problem, SemanticProblem) else "SEM0100"
    return KustoSemanticError(f"{problem.message}{where}", code)


def _place(text: str, at: int) -> tuple[int, int]:
    before = text[: max(at, 0)]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1)


def map_duckdb_error(error: duckdb.Error) -> KustoError:
    """The error for what DuckDB raised while it bound or ran a query."""
    first = str(error).splitlines()[0]
    if "assert() has failed" in first:
        return KustoError(first[first.index("assert()") :])
    refused = _REFUSED_VALUE.search(str(error))
    if refused:
        return UnsupportedError(refused[1])
    for fits, sentence in _SENTENCES:
        if fits(error, first.lower()):
            return KustoError(sentence)
    if isinstance(error, duckdb.IOException | duckdb.TransactionException | duckdb.FatalException):
        return KustoError(first)
    _LOG.error("DuckDB refused the SQL of a query: %s", error)
    return UnsupportedError(
        "this query as a whole", "simplify it; the endpoint's log says what failed"
    )
