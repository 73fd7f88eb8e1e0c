"""`.show … extents`, for a table, several tables, a database or all.

Source: Kusto docs, ".show extents": `has` is equality with a tag, `contains` a case-insensitive
part of one, and every filter must hold.
"""

from emulator import extents
from emulator.catalog import Catalog, literal
from emulator.command_scanner import Scanner
from emulator.commands.show import with_pipeline
from emulator.context import Command, CommandContext, Request
from emulator.kql import Rows


def parse(scanner: Scanner) -> Command | None:
    """The command of this family at the scanner's position."""
    if scanner.accept(".show", "cluster", "extents"):
        return _show(scanner, None, [])
    if scanner.accept(".show", "extents"):
        return _show(scanner, "", [])
    if scanner.accept(".show", "database"):
        database = scanner.name("database")
        return _show(scanner, database, []) if scanner.accept("extents") else None
    tables = _tables(scanner)
    if not tables or not scanner.accept("extents"):
        return None
    return _show(scanner, "", tables)


def _tables(scanner: Scanner) -> list[str]:
    if scanner.accept(".show", "table"):
        return [scanner.name("table")]
    if not scanner.accept(".show", "tables") or not scanner.rest.startswith("("):
        return []
    return scanner.listed(lambda: scanner.name("table"))


def _show(scanner: Scanner, database: str | None, tables: list[str]) -> Command:
    """`database` is "" for the request's own, None for all."""
    filters = _ids(scanner)
    scanner.accept("hot")
    if scanner.accept("where"):
        filters.append(_tag_filter(scanner))
        while scanner.accept("and"):
            filters.append(_tag_filter(scanner))

    def select(catalog: Catalog, context: CommandContext, request: Request) -> Rows:
        del context
        conditions = list(filters)
        if database is not None:
            name = database or request.database
            catalog.tables(name)
            conditions.append(f"database = {literal(name)}")
        for table in tables:
            catalog.columns(request.database, table)
        if tables:
            conditions.append(f"table_name IN ({', '.join(map(literal, tables))})")
        where = " AND ".join(conditions) or "true"
        sql = f"SELECT {extents.SELECT} FROM __emulator.extents WHERE {where}"  # noqa: S608 - literals
        return Rows(sql)

    return with_pipeline(scanner, "ExtentsShow", select)


def _ids(scanner: Scanner) -> list[str]:
    if not scanner.rest.startswith("("):
        return []
    ids = [f"UUID '{one}'" for one in scanner.listed(lambda: scanner.guid("an extent id"))]
    return [f"extent_id IN ({', '.join(ids)})"]


def _tag_filter(scanner: Scanner) -> str:
    if not scanner.accept("tags"):
        raise scanner.error("'tags'")
    negated = "NOT " if scanner.punctuation("!") else ""
    if scanner.accept("has"):
        return f"{negated}list_contains(tags, {literal(scanner.value('a tag'))})"
    if not scanner.accept("contains"):
        raise scanner.error("'has', '!has', 'contains' or '!contains'")
    part = literal(scanner.value("part of a tag").lower())
    return f"{negated}len(list_filter(tags, lambda tag: contains(lower(tag), {part}))) > 0"
