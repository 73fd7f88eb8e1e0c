"""Operators that take texts apart: parse, parse-where, parse-kv."""

import re
from typing import TYPE_CHECKING, Any, Final

from emulator.engine import syntax
from emulator.engine.conversion import convert, to_string
from emulator.engine.expressions import ExpressionBinder
from emulator.engine.functions.registry import define
from emulator.engine.operators.columns import replaced
from emulator.engine.operators.steps import add_columns, with_hoisted
from emulator.engine.problems import SemanticProblem, UnsupportedProblem
from emulator.engine.relation import Relation
from emulator.engine.scope import Scope
from emulator.engine.typed import Typed, quote

if TYPE_CHECKING:
    from emulator.engine.compiler import Compiler

_NUMBER, _REAL = r"\s*[-+]?\d+", r"\s*[-+]?\d+(?:\.\d+)?"
_SHAPES: Final = {
    "int": _NUMBER,
    "long": _NUMBER,
    "real": _REAL,
    "decimal": _REAL,
    "bool": r"(?:true|false|\d+)",
    "guid": r"[0-9a-fA-F-]{36}",
    "datetime": r"\s*(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}/\d{1,2}/\d{1,4})"
    r"(?:[Tt ]\s*\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d*)?)?)?(?:[Zz]|[-+]\d{1,2}(?::\d{1,2})?)?",
    "timespan": r"\s*(?:-?\d+\.\d{1,2}:\d{1,2}:\d{1,2}|-?\d{1,2}:\d{1,2}(?::\d{1,2})?)(?:\.\d*)?",
}


def parse(compiler: "Compiler", relation: Relation, node: syntax.Parse, scope: Scope) -> Relation:
    """`parse` and `parse-where`."""
    if node.kind not in ("simple", "relaxed", "regex"):
        raise SemanticProblem(f"'{node.kind}' is not a kind of parse", node.at)
    if set(node.flags) - set("imsU"):
        raise UnsupportedProblem(f"the flags '{node.flags}' of 'parse'", node.at)
    binder = ExpressionBinder(compiler, scope, relation)
    text = to_string(binder.bind(node.value))
    columns = [segment for segment in node.segments if segment.column is not None]
    pattern = _pattern(node)
    names = compiler.environment.names
    groups = ", ".join(f"'g{number}'" for number in range(len(columns))) or "'g'"
    matched = names.fresh()
    pieces = names.fresh()
    relation = with_hoisted(relation, binder)
    body = pattern if columns else f"({pattern})"
    listed = (
        f"regexp_matches({text.sql}, {quote(pattern)}) AS {matched}, "
        f"regexp_extract({text.sql}, {quote(body)}, [{groups}]) AS {pieces}"
    )
    relation = relation.with_source(f"(SELECT *, {listed} FROM {relation.source})")
    values = [
        (str(segment.column), convert(Typed(f"{pieces}.g{number}", "string"), segment.type))
        for number, segment in enumerate(columns)
    ]
    relation, added = add_columns(compiler, relation, values)
    valid = " AND ".join(
        [matched, *(f"{column.sql} IS NOT NULL" for column in added if column.type != "string")]
    )
    if node.kind != "relaxed":
        fixed = []
        for column in added:
            empty = "''" if column.type == "string" else "NULL"
            fixed.append(
                (
                    column.name,
                    Typed(f"CASE WHEN {valid} THEN {column.sql} ELSE {empty} END", column.type),
                )
            )
        if any(column.type != "string" for column in added) and node.kind == "simple":
            relation, added = add_columns(compiler, relation, fixed)
    if node.filters:
        condition = valid if node.kind != "relaxed" else matched
        relation = relation.with_source(f"(SELECT * FROM {relation.source} WHERE {condition})")
    return relation.with_columns(replaced(relation.columns, added))


def _pattern(node: syntax.Parse) -> str:
    """The RE2 pattern of a `parse`; a column is a capture group."""
    flags = "".join(sorted(set(node.flags)))
    parts = [f"(?{flags})" if flags else ("(?s)" if node.kind != "regex" else "")]
    if node.kind != "regex":
        parts.append("^")
    segments = node.segments
    for number, segment in enumerate(segments):
        following = segments[number + 1] if number + 1 < len(segments) else None
        if segment.literal is not None:
            if not segment.literal:
                raise SemanticProblem(
                    "an empty text in the pattern of parse", segment.at, "SEM0476"
                )
            parts.append(
                _neutral(segment.literal) if node.kind == "regex" else re.escape(segment.literal)
            )
        elif segment.column is None:
            parts.append(".*?")
        else:
            parts.append(f"({_capture(node, segment, following)})")
    if node.kind != "regex" and (
        not segments or segments[-1].literal is not None or segments[-1].column is not None
    ):
        parts.append("$")
    return "".join(parts)


def _capture(
    node: syntax.Parse, segment: syntax.ParseSegment, following: syntax.ParseSegment | None
) -> str:
    if node.kind == "regex":
        return ".*" if segment.type == "string" else _SHAPES.get(segment.type, ".*")
    before_star = following is not None and following.literal is None and following.column is None
    if before_star and segment.type == "string":
        raise SemanticProblem(
            f"'*' after the string column '{segment.column}' in parse", segment.at, "SEM0476"
        )
    if before_star or (following is not None and following.column is not None):
        if segment.type == "string":
            raise SemanticProblem(
                "two string columns with no text between in parse", segment.at, "SEM0476"
            )
        shape = _SHAPES.get(segment.type)
        if shape is None:
            raise UnsupportedProblem(f"a {segment.type} before '*' in 'parse'", segment.at)
        return f"(?:{shape})?" if following is node.segments[-1] else shape
    return ".*" if following is None else ".*?"


def _neutral(pattern: str) -> str:
    """`pattern` with its groups not capturing."""
    return re.sub(r"(?<!\\)\((?!\?)", "(?:", pattern)


# ----- parse-kv


def _parse_kv(text: str, names: Any, options: Any) -> Any:  # noqa: ANN401 - JSON
    if options.get("regex"):
        pairs = re.findall(options["regex"], text)
        return dict(pairs)
    quotes = [part for part in (options.get("quote"),) if part]
    opening = options.get("quote", "")[:1]
    closing = options.get("quote", "")[-1:]
    pair, separator = options.get("pair_delimiter", " "), options.get("kv_delimiter", "=")
    escape = options.get("escape", "")
    del quotes
    if "pair_delimiter" not in options and "kv_delimiter" not in options:
        return _undelimited(text, names, opening, closing, escape)
    if options.get("greedy"):
        return _greedy(text, names, separator)
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        while at < len(text) and text[at] in pair:
            at += 1
        key, at = _piece(text, at, (separator, *pair), opening, closing, escape)
        if not text.startswith(separator, at):
            continue
        at += len(separator)
        value, at = _piece(text, at, tuple(pair), opening, closing, escape)
        found.setdefault(key.strip(), value)
    return found


def _undelimited(
    text: str, names: list[str], opening: str, closing: str, escape: str
) -> dict[str, str]:
    """With no delimiter given, every letter that is not alphanumeric is one."""
    found = {}
    for name in names:
        start = rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])"
        place = re.search(
            rf"{start}[^A-Za-z0-9]*?(?=[A-Za-z0-9]|{re.escape(opening) or '$^'})", text
        )
        if place is None:
            continue
        at = place.end()
        if opening and text[at : at + 1] == opening:
            found[name] = _piece(text, at, (), opening, closing, escape)[0]
        else:
            value = re.match(r"[A-Za-z0-9]*", text[at:])
            found[name] = value.group() if value else ""
    return found


def _piece(
    text: str, at: int, stops: tuple[str, ...], opening: str, closing: str, escape: str
) -> tuple[str, int]:
    piece = ""
    if opening and text[at : at + 1] == opening:
        at += 1
        while at < len(text):
            if escape and text[at] == escape and at + 1 < len(text):
                piece, at = piece + text[at + 1], at + 2
            elif text[at] == closing:
                return piece, at + 1
            else:
                piece, at = piece + text[at], at + 1
        return piece, at
    while at < len(text) and not any(stop and text.startswith(stop, at) for stop in stops):
        piece, at = piece + text[at], at + 1
    return piece, at


def _greedy(text: str, names: list[str], separator: str) -> dict[str, str]:
    pattern = "|".join(re.escape(name) for name in names)
    places = list(re.finditer(rf"(?:^|(?<=\W))({pattern}){re.escape(separator)}", text))
    found: dict[str, str] = {}
    for number, place in enumerate(places):
        end = places[number + 1].start() if number + 1 < len(places) else len(text)
        found.setdefault(place.group(1), text[place.end() : end].strip(" "))
    return found


define("parse_kv", "dynamic", ["string", "dynamic", "dynamic"], _parse_kv)


def parse_kv(
    compiler: "Compiler", relation: Relation, node: syntax.ParseKv, scope: Scope
) -> Relation:
    """`parse-kv value as (columns) with (options)`."""
    from emulator.engine.typed import constant  # noqa: PLC0415 - one use

    binder = ExpressionBinder(compiler, scope, relation)
    text = to_string(binder.bind(node.value))
    known = {"pair_delimiter", "kv_delimiter", "quote", "escape", "greedy", "regex"}
    options = dict(node.options)
    for name in options:
        if name not in known:
            raise UnsupportedProblem(f"the option '{name}' of 'parse-kv'", node.at)
    if options.get("greedy") and options.get("quote"):
        raise UnsupportedProblem("'greedy' with 'quote' in 'parse-kv'", node.at)
    names = constant("dynamic", [name for name, _ in node.columns]).sql
    bag = f"k_parse_kv({text.sql}, {names}, {constant('dynamic', options).sql})"
    relation = with_hoisted(relation, binder)
    relation, [pieces] = add_columns(compiler, relation, [("", Typed(bag, "dynamic"))])
    values = [
        (
            name,
            convert(
                Typed(
                    f"coalesce(json_extract_string({pieces.sql}, '$.\"{_safe(name, node)}\"'), '')",
                    "string",
                ),
                kind,
            ),
        )
        for name, kind in node.columns
    ]
    relation, added = add_columns(compiler, relation, values)
    return relation.with_columns(replaced(relation.columns, added))


def _safe(name: str, node: syntax.ParseKv) -> str:
    if '"' in name or "'" in name or "\\" in name:
        raise UnsupportedProblem(f"the column name {name!r} in 'parse-kv'", node.at)
    return name
