"""Stored functions: `.create[-or-alter] function`, `.alter`, `.drop` and `.show function(s)`.

Source: Kusto docs, ".create-or-alter function", ".drop function", ".show functions".
"""

from dataclasses import dataclass
from typing import Final

from duckdb import DuckDBPyConnection

from emulator import catalog as catalogs
from emulator.catalog import Catalog, literal
from emulator.command_scanner import Scanner
from emulator.commands.show import typed_columns, with_pipeline
from emulator.context import Command, CommandContext, Request
from emulator.engine.lexer import Kind, tokenize
from emulator.engine.parser import parse_function
from emulator.engine.problems import Problem
from emulator.error_mapping import map_problem
from emulator.errors import EntityNotFoundError, KustoError
from emulator.kql import Rows
from emulator.properties import Properties
from emulator.properties import read as read_properties
from emulator.responses import Table

_COLUMNS: Final = typed_columns(
    Name="string", Parameters="string", Body="string", Folder="string", DocString="string"
)
_SELECT: Final = (
    'SELECT name AS "Name", parameters AS "Parameters", body AS "Body", '
    "coalesce(folder, '') AS \"Folder\", coalesce(docstring, '') AS \"DocString\" "
    "FROM __emulator.functions WHERE database = {0}"
)


_CHANGES: Final = (
    (".create-or-alter", "FunctionCreateOrAlter", None),
    (".create", "FunctionCreate", False),
    (".alter", "FunctionAlter", True),
)


@dataclass(frozen=True)
class FunctionChange:
    """Creates or replaces a function."""

    operation: str
    name: str
    parameters: str
    body: str
    properties: Properties
    needs: bool | None
    """True when it must exist before, False when it must not, None for either."""

    async def run(self, context: CommandContext, request: Request) -> Table:
        """The function as it is now."""
        text = f"{self.parameters} {self.body}"
        try:
            parse_function(text)
        except Problem as problem:
            raise map_problem(problem, text) from problem

        def work(cursor: DuckDBPyConnection) -> Table:
            catalog = catalogs.read(cursor)
            catalog.tables(request.database)
            exists = self.name in catalog.functions.get(request.database, {})
            if self.needs is True and not exists:
                raise EntityNotFoundError(self.name, "Function")
            if self.needs is False and exists:
                raise KustoError(f"Entity '{self.name}' of kind 'Function' already exists.")
            return self._write(cursor, request.database)

        return await context.store.write(work)

    def _write(self, cursor: DuckDBPyConnection, database: str) -> Table:
        folder, docstring = self.properties.folder or "", self.properties.docstring or ""
        row = (self.name, self.parameters, self.body, folder, docstring)
        _delete(cursor, database, self.name)
        cursor.execute(
            "INSERT INTO __emulator.functions VALUES (?, ?, ?, ?, ?, ?)", [database, *row]
        )
        catalogs.bump_version(cursor)
        return Table(_COLUMNS, [row])


@dataclass(frozen=True)
class FunctionDrop:
    """`.drop function NAME [ifexists]`."""

    name: str
    if_exists: bool
    operation: str = "FunctionDrop"

    async def run(self, context: CommandContext, request: Request) -> Table:
        """No row."""

        def work(cursor: DuckDBPyConnection) -> Table:
            functions = catalogs.read(cursor).functions.get(request.database, {})
            if self.name not in functions and not self.if_exists:
                raise EntityNotFoundError(self.name, "Function")
            _delete(cursor, request.database, self.name)
            catalogs.bump_version(cursor)
            return Table(_COLUMNS, [])

        return await context.store.write(work)


def _delete(cursor: DuckDBPyConnection, database: str, name: str) -> None:
    cursor.execute(
        "DELETE FROM __emulator.functions WHERE database = ? AND name = ?", [database, name]
    )


def parse(scanner: Scanner) -> Command | None:
    """The command of this family at the scanner's position."""
    for verb, operation, needs in _CHANGES:
        if scanner.accept(verb, "function"):
            if_missing = verb == ".create" and scanner.accept("ifnotexists")
            return _change(scanner, operation, None if if_missing else needs)
    if scanner.accept(".drop", "function"):
        name = scanner.name("function")
        if_exists = scanner.accept("ifexists")
        scanner.end()
        return FunctionDrop(name, if_exists)
    if scanner.accept(".show", "functions"):
        return _show(scanner, None)
    if scanner.accept(".show", "function"):
        return _show(scanner, scanner.name("function"))
    return None


def _change(scanner: Scanner, operation: str, needs: bool | None) -> Command:  # noqa: FBT001 - three cases
    properties = read_properties(scanner)
    name = scanner.name("function")
    parameters, body = _parts(scanner)
    return FunctionChange(operation, name, parameters, body, properties, needs)


def _parts(scanner: Scanner) -> tuple[str, str]:
    """The text of `(parameters)` and of `{ body }`."""
    text = scanner.rest
    tokens = tokenize(text)
    if not text.startswith("("):
        raise scanner.error("'(' and the parameters")
    depth, closed = 0, -1
    for token in tokens:
        if token.kind is Kind.MARK and token.text in "()":
            depth += 1 if token.text == "(" else -1
            if depth == 0:
                closed = token.end
                break
    body = text[closed:].strip()
    if closed < 0 or not body.startswith("{"):
        raise scanner.error("'(parameters) { body }'")
    return text[:closed], body.rstrip(";").rstrip()


def _show(scanner: Scanner, name: str | None) -> Command:
    def select(catalog: Catalog, context: CommandContext, request: Request) -> Rows:
        del context
        catalog.tables(request.database)
        sql = _SELECT.format(literal(request.database))
        if name is not None:
            if name not in catalog.functions.get(request.database, {}):
                raise EntityNotFoundError(name, "Function")
            sql += f" AND name = {literal(name)}"
        return Rows(f"{sql} ORDER BY name")

    return with_pipeline(scanner, "FunctionsShow", select)
