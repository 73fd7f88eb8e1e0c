"""What names mean at a place in a query: lets, functions and parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from emulator.engine import syntax
from emulator.engine.relation import Names, Relation
from emulator.engine.typed import Typed


@dataclass(frozen=True)
class TableSchema:
    """A stored table: its SQL name, and each column's name, Kusto type and SQL expression.

    `extent` is the SQL of the number of a row's extent, empty when the query does not need it.
    """

    sql: str
    columns: tuple[tuple[str, str, str], ...]
    extent: str = ""


@dataclass(frozen=True)
class StoredFunction:
    """A stored function: its text and what that parses to."""

    name: str
    definition: syntax.Lambda
    text: str


@dataclass(frozen=True)
class Database:
    """The tables and functions of one database."""

    tables: Mapping[str, TableSchema]
    functions: Mapping[str, StoredFunction] = field(default_factory=dict)


@dataclass
class Environment:
    """One query's surroundings; `common` collects the WITH clauses of tabular lets.

    `read` runs SQL in the transaction of the query, for columns that come from the data.
    """

    databases: Mapping[str, Database]
    database: str
    now: int
    parameters: Mapping[str, Any]
    read: Callable[[str], list[tuple[Any, ...]]] | None = None
    names: Names = field(default_factory=Names)
    options: dict[str, Any] = field(default_factory=dict)
    common: list[str] = field(default_factory=list)
    depth: int = 0
    chart: syntax.Render | None = None


@dataclass(frozen=True)
class LetFunction:
    """A function with the scope that it was declared in."""

    definition: syntax.Lambda
    scope: "Scope"
    name: str


Binding = Typed | Relation | LetFunction


@dataclass(frozen=True)
class Scope:
    """The let names at a place, the latest first."""

    bindings: Mapping[str, Binding] = field(default_factory=dict)

    def with_binding(self, name: str, binding: Binding) -> "Scope":
        """This scope with one more name."""
        return Scope({**self.bindings, name: binding})

    def get(self, name: str) -> Binding | None:
        """What `name` is bound to."""
        return self.bindings.get(name)


MAX_CALLS: Final = 24
"""How deeply functions may call each other."""
