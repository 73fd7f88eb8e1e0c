"""RE2, the regular expressions of the API server (Go's `regexp` has the same syntax).

Python's `re` accepts look-around and back-references that the server refuses, so patterns are
compiled by the RE2 that comes with the CEL library.
"""

from functools import cache
from typing import Any, Final

_WORDS: Final = {
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "missing )": "missing closing )",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
}


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
