"""KQL text to SQL that may be run: translated, resolved against the catalog, corrected.

Every query and every append goes through `translate`. What duckdb-kql cannot translate is refused
by name; a table reference is resolved here, so that no query reaches anything but Kusto tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from duckdb import DuckDBPyConnection
from duckdb_kql import ir
from duckdb_kql import translate as duckdb_translate
from duckdb_kql.entity_groups import effective_entity_groups
from duckdb_kql.errors import KqlError
from duckdb_kql.lower import lower, qualify
from duckdb_kql.params import bind

from emulator.ast import walk
from emulator.catalog import Catalog
from emulator.duckdb_kql_fixes import (
    blank_hidden_string_prefixes,
    refuse_unsound,
    with_exact_bounds,
    with_streamed_ranges,
)
from emulator.error_mapping import map_kql_error
from emulator.errors import KustoError, KustoSemanticError
from emulator.responses import Column, Table
from emulator.scalar import of_duckdb


@dataclass(frozen=True)
class Scope:
    """What a query runs against: names, the request's database, its `now()` and its parameters."""

    catalog: Catalog
    database: str
    now: datetime
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Statement:
    """SQL with the values of its placeholders."""

    sql: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """SQL for the rows of a command, for a KQL pipeline to go on from."""

    sql: str
    columns: tuple[str, ...]


ROWS: Final = "__rows__"
"""What a pipeline after a command calls the command's rows."""


def translate(text: str, scope: Scope, source: Rows | None = None) -> Statement:
    """SQL for the query `text`; with `source`, `text` reads these rows as the table `__rows__`.

    Raises KustoError: a syntax error with its position, an unknown name, or what is unsupported.
    """
    with duckdb_translate.clock(scope.now) as clock:
        try:
            query = _lowered(text, scope.database)
            _resolve(query, scope, source)
            if source is not None:
                begun = ir.CommandSource(source.sql, source.columns, "the command")
                query = ir.Query(begun, query.operators, query.lets)
            rendered = duckdb_translate.to_sql(query, scope.catalog.schema())
            values = _values(query, scope, rendered.slots)
        except KqlError as error:
            raise map_kql_error(error, text) from error
        except RecursionError:
            raise KustoError("The query is nested too deeply for the local endpoint.") from None
        if clock.used:
            values[duckdb_translate.CLOCK_SLOT] = clock.moment
        return Statement(str(rendered), values)


def _lowered(text: str, database: str) -> ir.Query:
    # NB: duckdb-kql 1.1.2 applies `set query_now` while it lowers, so such a text is not kept.
    return (_parsed if "query_now" in text else _kept)(text, database)


def _parsed(text: str, database: str) -> ir.Query:
    query = lower(
        blank_hidden_string_prefixes(text), effective_entity_groups(None), None, database, None
    )
    qualified: ir.Query = qualify(query, database, None)
    refuse_unsound(qualified)
    return with_streamed_ranges(with_exact_bounds(qualified))


_kept = lru_cache(maxsize=256)(_parsed)
"""Parsing takes most of a translation, and an async append is translated at submit and at run."""


def _resolve(query: ir.Query, scope: Scope, source: Rows | None) -> None:
    for node in walk(query):
        if isinstance(node, ir.TableRef) and node.database is not None:
            if source is not None and node.name == ROWS:
                continue
            if node.name not in scope.catalog.tables(node.database):
                raise KustoSemanticError(
                    f"Failed to resolve table or column expression named '{node.name}'"
                )
        if isinstance(node, ir.WildcardTableRef) and node.database is not None:
            scope.catalog.tables(node.database)


def _values(query: ir.Query, scope: Scope, slots: frozenset[str]) -> dict[str, Any]:
    if not query.parameters and not scope.parameters:
        return {}
    bound, missing = bind(query.parameters, dict(scope.parameters))
    if missing:
        raise KustoSemanticError(f"query parameter '{missing[0]}' has no value and no default")
    return {slot: value for slot, value in bound.items() if slot in slots}


def run(cursor: DuckDBPyConnection, statement: Statement) -> Table:
    """The rows of `statement`, all of them."""
    cursor.execute(statement.sql, statement.values or None)
    columns = [Column(name, of_duckdb(kind)) for name, kind, *_ in cursor.description or []]
    return Table(columns, cursor.fetchall())
