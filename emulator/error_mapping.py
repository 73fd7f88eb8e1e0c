"""One sentence, in Kusto's words where it has any, for what duckdb-kql and DuckDB complain of."""

import re
from typing import Final

import duckdb
from duckdb_kql.errors import KqlError, KqlSchemaError, KqlSyntaxError, KqlUnsupportedError

from emulator.errors import KustoError, KustoSemanticError, KustoSyntaxError, UnsupportedError

_COLUMN: Final = re.compile(r'[Cc]olumn "([^"]+)" (?:not found|must appear)|column named "([^"]+)"')
_NOISE: Final = re.compile(r"^[A-Z][A-Za-z ]* Error:\s*|__emulator\.")
_RULE: Final = re.compile(r" \(R\d+\)")
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def map_kql_error(error: KqlError, text: str) -> KustoError:
    """The error for what duckdb-kql raised on `text`."""
    if isinstance(error, KqlSyntaxError):
        return _syntax(error, text)
    if isinstance(error, KqlUnsupportedError):
        where = f" at [line:position={error.span.line}:{error.span.column}]" if error.span else ""
        hint = "" if "wave" in (error.hint or "") else (error.hint or "")
        return UnsupportedError(f"{_construct(error.construct)}{where}", hint)
    if isinstance(error, KqlSchemaError) and error.name.startswith("cluster("):
        return UnsupportedError("cluster()", "it is one machine; name a database of it")
    if isinstance(error, KqlSchemaError) and error.hint:
        return KustoSemanticError(f"'{error.name}': {_RULE.sub('', error.hint)}")
    return KustoSemanticError(str(error))


def _construct(construct: str) -> str:
    """`source:FindOperator`, `function:f` and the like, in words."""
    kind, _, name = construct.rpartition(":")
    name = name.split(" — ", maxsplit=1)[0]
    if kind in ("function", "aggregate"):
        return f"the {kind} {name}()"
    if name.endswith(("Operator", "Expression")):
        stem = name.removesuffix("Operator").removesuffix("Expression")
        return f"the operator '{_HUMP.sub('-', stem).lower()}'"
    return f"'{name}'" if kind else f"{name!r}"


def _syntax(error: KqlSyntaxError, text: str) -> KustoSyntaxError:
    if not error.diagnostics:
        return KustoSyntaxError(str(error), 1, 0)
    first = error.diagnostics[0]
    lines = text.splitlines() or [""]
    line = lines[min(first.span.line, len(lines)) - 1]
    here = line[first.span.column :][:40].strip() or "the end of the line"
    said = first.message.split(" expecting ")[0]
    return KustoSyntaxError(f"{said}, at {here!r}.", first.span.line, first.span.column)


def map_duckdb_error(error: duckdb.Error) -> KustoError:
    """The error for what DuckDB raised while it bound or ran a query."""
    first = str(error).splitlines()[0]
    if isinstance(error, duckdb.BinderException):
        found = _COLUMN.search(first)
        if found:
            name = found[1] or found[2]
            return KustoSemanticError(f"Failed to resolve scalar expression named '{name}'")
        return KustoSemanticError(_NOISE.sub("", first), "SEM0001")
    return KustoError(_NOISE.sub("", first))
