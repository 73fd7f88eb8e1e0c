"""Text to tree: the CEL library's parser, then the macros that Kubernetes adds."""

import re
from functools import cache
from typing import Any, Final

from crdgen.cel import macros, wire
from crdgen.cel.tree import Expression

_QUOTED: Final = re.compile(
    r"[rR]?(\"\"\".*?\"\"\"|'''.*?'''|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')|//[^\n]*", re.DOTALL
)


class CelError(ValueError):
    """An expression does not parse or check; the message shows where."""


@cache
def parsed(text: str) -> Expression:
    """The tree of the expression `text`.

    Raises:
        CelError: it is not CEL; the message has line, column and the line itself.
    """
    backtick = _QUOTED.sub(lambda match: " " * len(match[0]), text).find("`")
    if backtick >= 0:
        raise CelError(located(text, backtick, "unsupported syntax '`'"))
    try:
        data = _environment().compile(text, disable_check=True).serialize()
    except RuntimeError as error:
        raise CelError(_message(error)) from None
    root, positions = wire.decoded(data)
    try:
        return Expression(text, *macros.expanded(root, positions))
    except macros.MacroError as error:
        raise CelError(located(text, positions.get(error.id, 0), str(error))) from None


def located(text: str, offset: int, message: str) -> str:
    """An error as CEL prints it: position, the line, and a caret under the place."""
    before = text[:offset]
    line = before.count("\n")
    column = offset - (before.rfind("\n") + 1)
    shown = text.split("\n")[line].replace("\t", " ")
    caret = "." * column + "^"
    return f"ERROR: <input>:{line + 1}:{column + 1}: {message}\n | {shown}\n | {caret}"


@cache
def _environment() -> Any:  # noqa: ANN401 - the library is untyped
    from cel_expr_python import cel  # noqa: PLC0415 - loads a native library
    from cel_expr_python.ext import ext_optional  # noqa: PLC0415

    return cel.NewEnv(extensions=[ext_optional.ExtOptional()])


def _message(error: RuntimeError) -> str:
    text = str(error).removeprefix("INVALID_ARGUMENT: ")
    return text.removesuffix(" [INVALID_ARGUMENT]")
