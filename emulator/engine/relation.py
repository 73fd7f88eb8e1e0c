"""Relations: the SQL of a pipeline so far, with its columns by name and Kusto type.

Every column has an SQL name of its own (`c1`, `c2`, …) that is unique in the whole statement. So no
text of a query becomes an identifier, names that differ only in case stay apart, and a step that
adds columns may keep those that are no longer visible.
"""

import itertools
from dataclasses import dataclass, field, replace

from emulator.engine.problems import SemanticProblem
from emulator.engine.typed import Typed


@dataclass(frozen=True)
class Column:
    """A visible column."""

    name: str
    type: str
    sql: str

    @property
    def typed(self) -> Typed:
        """The column as an expression."""
        return Typed(self.sql, self.type, name=self.name)


@dataclass(frozen=True)
class Relation:
    """Rows: `source` stands after FROM.

    `order` holds SQL sort items over columns of `source`; `is_sorted` says that a `sort` asked for
    them, so that the result and what depends on it follow them. `keys` are hidden columns that
    split the rows of a subquery (`mv-apply`, `partition`); every operator works inside a split.
    `extent` is a hidden column with the number of the extent that holds the row.
    """

    source: str
    columns: tuple[Column, ...]
    order: tuple[str, ...] = ()
    is_sorted: bool = False
    keys: tuple[str, ...] = ()
    base: str = ""
    label: str = ""
    extent: str = ""

    def find(self, name: str) -> Column | None:
        """The column of that name."""
        for column in self.columns:
            if column.name == name:
                return column
        return None

    def with_columns(self, columns: tuple[Column, ...]) -> "Relation":
        """The same rows with other visible columns."""
        return replace(self, columns=columns)

    def with_source(self, source: str) -> "Relation":
        """The same columns over another source."""
        return replace(self, source=source)


@dataclass
class Names:
    """Gives unique SQL names."""

    counter: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def fresh(self, prefix: str = "c") -> str:
        """A name that no other part of the statement has."""
        return f"{prefix}{next(self.counter)}"


def unique_names(names: list[str]) -> list[str]:
    """`names` with `1`, `2`, … after those that are there already."""
    taken: set[str] = set()
    found = []
    for base in names:
        name, number = base, 0
        while name in taken:
            number += 1
            name = f"{base}{number}"
        taken.add(name)
        found.append(name)
    return found


def require_distinct(names: list[str], operator: str, at: int) -> None:
    """Raise SemanticProblem when two columns that a query names are the same."""
    for name in names:
        if names.count(name) > 1:
            raise SemanticProblem(f"'{operator}' names two columns '{name}'", at, "SEM0034")
