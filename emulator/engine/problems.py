"""Problems found in a query, each with its offset in the query's text.

`emulator.kql` turns a problem into the error of the protocol, with line and column.
"""


class Problem(Exception):  # noqa: N818 - the base of three kinds, each named for what it says
    """A query that is not answered; `at` is an offset in its text, or -1 when there is none."""

    def __init__(self, message: str, at: int = -1) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


class SyntaxProblem(Problem):
    """The text does not follow KQL's grammar."""


class SemanticProblem(Problem):
    """The text parses but means nothing: an unknown name, types that do not fit."""

    def __init__(self, message: str, at: int = -1, code: str = "SEM0100") -> None:
        super().__init__(message, at)
        self.code = code


class UnsupportedProblem(Problem):
    """Kusto may answer it; this engine does not. `message` names the operator or function."""

    def __init__(self, what: str, at: int = -1, instead: str = "") -> None:
        super().__init__(what, at)
        self.instead = instead
