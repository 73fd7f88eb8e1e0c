"""`search`: the rows of one or more tables for which a predicate holds.

Source: Kusto docs, "search operator".
"""

from typing import TYPE_CHECKING, Final

from emulator.engine import syntax
from emulator.engine.operators.sides import union_of
from emulator.engine.problems import SemanticProblem, UnsupportedProblem
from emulator.engine.relation import Relation
from emulator.engine.scope import LetFunction, Scope
from emulator.engine.star import with_columns_for_stars

if TYPE_CHECKING:
    from emulator.engine.compiler import Compiler

_SOURCE: Final = "$table"


def search(compiler: "Compiler", relation: Relation, node: syntax.Search, scope: Scope) -> Relation:
    """`| search …`: the rows for which the predicate holds, after the name of their table."""
    if node.sides:
        raise SemanticProblem("'search in (…)' cannot follow '|'", node.at)
    if not relation.label:
        raise UnsupportedProblem(
            "'search' over rows that are not one table", node.at, "write 'where * has …'"
        )
    found = union_of(
        compiler, syntax.Union(node.at, "outer", _SOURCE, is_fuzzy=False, sides=()), relation, scope
    )
    return _filtered(compiler, found, node, scope)


def search_of(compiler: "Compiler", node: syntax.Search, scope: Scope) -> Relation:
    """`search …` at the head of a pipeline; without `in`, over every table and view."""
    sides = node.sides or _everything(compiler, node, scope)
    found = union_of(
        compiler, syntax.Union(node.at, "outer", _SOURCE, is_fuzzy=False, sides=sides), None, scope
    )
    _require_columns_everywhere(compiler, node, sides, scope)
    return _filtered(compiler, found, node, scope)


def _filtered(compiler: "Compiler", found: Relation, node: syntax.Search, scope: Scope) -> Relation:
    """The rows for which the predicate holds; no text is looked for in the name of the table."""
    own = found.with_columns(found.columns[1:])
    predicate = with_columns_for_stars(node.predicate, own)
    return compiler.apply(found, syntax.Where(node.at, predicate), scope)[0]


def _everything(
    compiler: "Compiler", node: syntax.Search, scope: Scope
) -> tuple[syntax.Pipeline, ...]:
    environment = compiler.environment
    names = sorted(environment.databases[environment.database].tables)
    names += [
        name
        for name, binding in scope.bindings.items()
        if isinstance(binding, LetFunction) and binding.definition.is_view
    ]
    if not names:
        raise SemanticProblem("search: the database has no table", node.at)
    return tuple(syntax.Pipeline(node.at, syntax.TableSource(node.at, name), ()) for name in names)


def _require_columns_everywhere(
    compiler: "Compiler", node: syntax.Search, sides: tuple[syntax.Pipeline, ...], scope: Scope
) -> None:
    """Refuse a column that a side lacks: Kusto leaves some of these sides out."""
    named = _columns_in(node.predicate)
    for side in sides if named else ():
        rows = union_of(
            compiler, syntax.Union(node.at, "outer", "", is_fuzzy=False, sides=(side,)), None, scope
        )
        for name in named:
            if rows.find(name) is None and scope.get(name) is None:
                raise UnsupportedProblem(
                    f"'search' for the column '{name}' in tables that lack it",
                    node.at,
                    "name the tables: search in (T) …",
                )


def _columns_in(node: object) -> set[str]:
    if isinstance(node, syntax.Name):
        return set() if node.name == _SOURCE else {node.name}
    if isinstance(node, tuple):
        return {name for item in node for name in _columns_in(item)}
    fields = getattr(node, "__dataclass_fields__", {})
    return {name for field in fields for name in _columns_in(getattr(node, field))}
