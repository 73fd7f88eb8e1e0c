"""Draws rule-shaped queries, each with the rows that the evaluator gives for it."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.emulator.fuzz import evaluator as kusto
from tests.emulator.fuzz.evaluator import Row, Table

SECOND = 10_000_000
MINUTE = 60 * SECOND
EPOCH = 639_000_000_000_000_000 // MINUTE * MINUTE
NULL_TEXT = {
    "long": "long(null)",
    "real": "real(null)",
    "bool": "bool(null)",
    "datetime": "datetime(null)",
}


@dataclass
class Expression:
    """KQL text, its type, and what it is for a row."""

    text: str
    kind: str
    of: Callable[[Row], Any]


@dataclass
class Query:
    """A query so far: its text, its columns with their types, its rows."""

    text: str
    columns: dict[str, str]
    rows: Table
    is_sorted: bool = False


def moment(ticks: int) -> str:
    at = datetime(1, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
    return f"datetime({at:%Y-%m-%dT%H:%M:%S}.{ticks % SECOND:07}Z)"


class Generator:
    """Draws with one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.names = 0

    # ----- values and tables

    def value(self, kind: str) -> Any:  # noqa: PLR0911 - one for each type
        draw = self.random
        if kind != "string" and draw.random() < 0.12:
            return None
        if kind == "long":
            return draw.choice([0, 1, 2, 3, 5, -1, -7, 100])
        if kind == "int":
            return draw.choice([0, 1, 2, -3, 60_000])
        if kind == "real":
            return draw.choice([0.0, 0.25, 1.5, -2.5, 4.0, 100.0])
        if kind == "bool":
            return draw.random() < 0.5
        if kind == "string":
            return draw.choice(["", "a", "b", "B", "error: disk", "warn", "12", "x-y"])
        if kind == "datetime":
            return EPOCH + draw.randrange(0, 180) * MINUTE + draw.choice([0, 1, 9_999_999])
        return draw.choice(
            [
                {"pod": "p1", "code": 200},
                {"pod": "p2", "code": 500, "le": 0.5},
                {"pod": "p1"},
                [1, 2, 3],
                ["a", "b"],
                [],
                "plain",
                7,
            ]
        )

    def literal(self, kind: str, value: Any) -> str:
        if value is None:
            return NULL_TEXT.get(kind, f"{kind}(null)")
        if kind == "string":
            return json.dumps(value)
        if kind == "bool":
            return "true" if value else "false"
        if kind == "datetime":
            return moment(value)
        if kind == "dynamic":
            return f"dynamic({json.dumps(value)})"
        return f"{kind}({value})" if kind in ("int", "long") else repr(value)

    def table(self) -> Query:
        kinds = {"k": "string", "n": "long", "r": "real", "t": "datetime"}
        if self.random.random() < 0.5:
            kinds["d"] = "dynamic"
        if self.random.random() < 0.4:
            kinds["i"] = "int"
        if self.random.random() < 0.3:
            kinds["b"] = "bool"
        rows = [
            {name: self.value(kind) for name, kind in kinds.items()}
            for _ in range(self.random.randrange(8))
        ]
        declared = ", ".join(f"{name}: {kind}" for name, kind in kinds.items())
        cells = ", ".join(
            self.literal(kinds[name], value) for row in rows for name, value in row.items()
        )
        return Query(f"datatable({declared})[{cells}]", kinds, rows)

    # ----- expressions

    def column(self, query: Query, *kinds: str) -> Expression | None:
        fitting = [name for name, kind in query.columns.items() if kind in kinds]
        if not fitting:
            return None
        name = self.random.choice(fitting)
        return Expression(name, query.columns[name], lambda row: row[name])

    def number(self, query: Query, depth: int = 0) -> Expression:
        draw = self.random.random()
        found = self.column(query, "long", "int", "real")
        if depth > 2 or draw < 0.4:
            if found is not None:
                return found
            value = self.random.choice([1, 2, 3])
            return Expression(str(value), "long", lambda _: value)
        if draw < 0.5:
            text = self.column(query, "string")
            if text is not None:
                return Expression(f"strlen({text.text})", "long", lambda row: len(text.of(row)))
        if draw < 0.6:
            bag = self.column(query, "dynamic")
            if bag is not None:
                return Expression(
                    f"tolong({bag.text}.code)",
                    "long",
                    lambda row: kusto.member(bag.of(row), "code"),
                )
        left, right = self.number(query, depth + 1), self.number(query, depth + 1)
        operator, compute = self.random.choice(
            [("+", kusto.add), ("-", kusto.subtract), ("*", kusto.multiply), ("/", kusto.divide)]
        )
        real = "real" in (left.kind, right.kind)
        if not real and self.random.random() < 0.2:
            operator, compute = "%", kusto.modulo

        def of(row: Row) -> Any:
            a, b = left.of(row), right.of(row)
            if real:
                a, b = (None if one is None else float(one) for one in (a, b))
            return compute(a, b)

        return Expression(f"({left.text} {operator} {right.text})", "real" if real else "long", of)

    def text(self, query: Query) -> Expression:  # noqa: PLR0911 - one for each form
        draw = self.random.random()
        found = self.column(query, "string")
        bag = self.column(query, "dynamic")
        if bag is not None and draw < 0.3:
            return Expression(
                f"tostring({bag.text}.pod)",
                "string",
                lambda row: kusto.text_of(kusto.member(bag.of(row), "pod"), "dynamic"),
            )
        if bag is not None and draw < 0.4:
            return Expression(
                f"tostring({bag.text})", "string", lambda row: kusto.text_of(bag.of(row), "dynamic")
            )
        if found is None or draw < 0.5:
            number = self.column(query, "long", "int", "bool", "real")
            if number is None:
                return Expression("'z'", "string", lambda _: "z")
            return Expression(
                f"tostring({number.text})",
                "string",
                lambda row: kusto.text_of(number.of(row), number.kind),
            )
        if draw < 0.6:
            return Expression(
                f"strcat({found.text}, '-')", "string", lambda row: found.of(row) + "-"
            )
        if draw < 0.7:
            return Expression(f"toupper({found.text})", "string", lambda row: found.of(row).upper())
        return found

    def condition(self, query: Query, depth: int = 0) -> Expression:
        draw = self.random.random()
        if depth < 2 and draw < 0.25:
            left, right = self.condition(query, depth + 1), self.condition(query, depth + 1)
            word, compute = self.random.choice([("and", kusto.both), ("or", kusto.either)])
            return Expression(
                f"({left.text} {word} {right.text})",
                "bool",
                lambda row: compute(left.of(row), right.of(row)),
            )
        if depth < 2 and draw < 0.3:
            inner = self.condition(query, depth + 1)
            return Expression(
                f"not({inner.text})", "bool", lambda row: kusto.negation(inner.of(row))
            )
        if draw < 0.5:
            return self.text_condition(query)
        if draw < 0.6:
            time = self.column(query, "datetime")
            if time is not None:
                low = EPOCH + self.random.randrange(0, 90) * MINUTE
                high = low + self.random.randrange(1, 90) * MINUTE - 1
                return Expression(
                    f"{time.text} between ({moment(low)} .. {moment(high)})",
                    "bool",
                    lambda row: kusto.between(time.of(row), low, high),
                )
        if draw < 0.66:
            any_column = self.column(query, "long", "real", "string", "datetime", "dynamic")
            if any_column is not None:
                return Expression(
                    f"isnull({any_column.text})",
                    "bool",
                    lambda row: any_column.kind != "string" and any_column.of(row) is None,
                )
        left, right = self.number(query, 1), self.number(query, 1)
        operator, compute = self.random.choice(
            [
                ("==", kusto.equal),
                ("!=", kusto.unequal),
                ("<", kusto.less),
                ("<=", kusto.at_most),
            ]
        )
        return Expression(
            f"{left.text} {operator} {right.text}",
            "bool",
            lambda row: compute(left.of(row), right.of(row)),
        )

    def text_condition(self, query: Query) -> Expression:
        text = self.text(query)
        needle = self.random.choice(["a", "error", "disk", "", "B", "p1"])
        checks: list[tuple[str, Callable[[str], bool]]] = [
            ("==", lambda value: value == needle),
            ("!=", lambda value: value != needle),
            ("=~", lambda value: value.lower() == needle.lower()),
            ("contains", lambda value: needle.lower() in value.lower()),
            ("!contains", lambda value: needle.lower() not in value.lower()),
            ("startswith", lambda value: value.lower().startswith(needle.lower())),
            ("endswith", lambda value: value.lower().endswith(needle.lower())),
        ]
        if needle:
            checks.append(("has", lambda value: kusto.has(value, needle)))
        operator, check = self.random.choice(checks)
        if self.random.random() < 0.15:
            return Expression(
                f"{text.text} in ('a', 'b', '')", "bool", lambda row: text.of(row) in ("a", "b", "")
            )
        return Expression(
            f"{text.text} {operator} '{needle}'", "bool", lambda row: check(text.of(row))
        )

    def any(self, query: Query) -> Expression:
        draw = self.random.random()
        if draw < 0.35:
            return self.number(query)
        if draw < 0.6:
            return self.text(query)
        if draw < 0.7:
            return self.condition(query)
        if draw < 0.8:
            condition, yes, no = self.condition(query), self.text(query), self.text(query)
            return Expression(
                f"iff({condition.text}, {yes.text}, {no.text})",
                "string",
                lambda row: yes.of(row) if condition.of(row) is True else no.of(row),
            )
        time = self.column(query, "datetime")
        if time is not None:
            return Expression(
                f"bin({time.text}, 1h)",
                "datetime",
                lambda row: kusto.binned(time.of(row), 60 * MINUTE),
            )
        one, other = self.text(query), self.text(query)
        return Expression(
            f"coalesce({one.text}, {other.text})",
            "string",
            lambda row: kusto.first_given(one.of(row), other.of(row)),
        )

    def fresh(self) -> str:
        self.names += 1
        return f"x{self.names}"

    # ----- operators

    def step(self, query: Query) -> Query:
        steps = [
            self.where, self.where, self.extend, self.extend, self.project,
            self.summarize, self.summarize, self.join,
            self.union, self.expand, self.series, self.sorted, self.distinct, self.count,
        ]  # fmt: skip
        return self.random.choice(steps)(query)

    def where(self, query: Query) -> Query:
        condition = self.condition(query)
        rows = [row for row in query.rows if condition.of(row) is True]
        return Query(
            f"{query.text}\n| where {condition.text}", query.columns, rows, query.is_sorted
        )

    def extend(self, query: Query) -> Query:
        value, name = self.any(query), self.fresh()
        rows = [row | {name: value.of(row)} for row in query.rows]
        return Query(
            f"{query.text}\n| extend {name} = {value.text}",
            query.columns | {name: value.kind},
            rows,
            query.is_sorted,
        )

    def project(self, query: Query) -> Query:
        kept = [name for name in query.columns if self.random.random() < 0.7] or list(
            query.columns
        )[:1]
        value, name = self.any(query), self.fresh()
        rows = [{one: row[one] for one in kept} | {name: value.of(row)} for row in query.rows]
        columns = {one: query.columns[one] for one in kept} | {name: value.kind}
        return Query(
            f"{query.text}\n| project {', '.join(kept)}, {name} = {value.text}",
            columns,
            rows,
            query.is_sorted,
        )

    def summarize(self, query: Query) -> Query:
        keys = [self.any(query) for _ in range(self.random.randrange(3))]
        named = [(self.fresh(), key) for key in keys if key.kind != "dynamic"]
        aggregates = [self.aggregate(query) for _ in range(self.random.randrange(1, 4))]
        text = ", ".join(f"{name} = {one}" for name, one, _, _ in aggregates)
        by = ", ".join(f"{name} = {key.text}" for name, key in named)
        rows = kusto.summarize(
            query.rows,
            [(name, key.of) for name, key in named],
            [(name, of) for name, _, _, of in aggregates],
        )
        columns = {name: key.kind for name, key in named}
        columns |= {name: kind for name, _, kind, _ in aggregates}
        return Query(f"{query.text}\n| summarize {text}{' by ' + by if by else ''}", columns, rows)

    def aggregate(self, query: Query) -> tuple[str, str, str, Callable[[Table], Any]]:
        name, number, text = self.fresh(), self.number(query, 1), self.text(query)
        condition = self.condition(query, 1)
        real = number.kind == "real"
        choices: list[tuple[str, str, Callable[[Table], Any]]] = [
            ("count()", "long", len),
            (
                f"countif({condition.text})",
                "long",
                lambda rows: sum(condition.of(row) is True for row in rows),
            ),
            (
                f"sum({number.text})",
                "real" if real else "long",
                lambda rows: kusto.total(
                    (number.of(row) for row in rows), "real" if real else "long"
                ),
            ),
            (
                f"avg({number.text})",
                "real",
                lambda rows: kusto.average(number.of(row) for row in rows),
            ),
            (f"dcount({text.text})", "long", lambda rows: len({text.of(row) for row in rows})),
            (
                f"min({text.text})",
                "string",
                lambda rows: kusto.extreme((text.of(row) for row in rows), min, "string"),
            ),
            (
                f"array_sort_asc(make_set({text.text}))",
                "dynamic",
                lambda rows: sorted({text.of(row) for row in rows}),
            ),
            (
                f"array_sort_asc(make_list({text.text}))",
                "dynamic",
                lambda rows: sorted(text.of(row) for row in rows),
            ),
        ]
        column = self.column(query, "long", "datetime")
        if column is not None:
            choices += [
                (
                    f"max({column.text})",
                    column.kind,
                    lambda rows: kusto.extreme((column.of(row) for row in rows), max, column.kind),
                ),
                (
                    f"percentile({column.text}, 50)",
                    column.kind,
                    lambda rows: kusto.percentile((column.of(row) for row in rows), 50),
                ),
                (
                    f"sumif({column.text}, {condition.text})",
                    "long",
                    lambda rows: kusto.total(
                        column.of(row) for row in rows if condition.of(row) is True
                    ),
                ),
            ]
            if column.kind == "datetime":
                choices.pop()
        found, kind, of = self.random.choice(choices)
        return name, found, kind, of

    def join(self, query: Query) -> Query:
        other = self.table()
        keys = [
            name for name in ("k", "n", "t") if query.columns.get(name) == other.columns.get(name)
        ]
        if not keys:
            return query
        key = self.random.choice(keys)
        kind = self.random.choice(
            ["inner", "leftouter", "rightouter", "fullouter", "leftsemi", "leftanti"]
        )
        if any(f"{name}1" in query.columns for name in other.columns):
            return query
        nulls = tuple(
            {name: "" if one == "string" else None for name, one in side.columns.items()}
            for side in (query, other)
        )
        rows = kusto.join(query.rows, other.rows, key, kind, (nulls[0], nulls[1]))
        columns = dict(query.columns)
        if kind not in ("leftsemi", "leftanti"):
            for name, one in other.columns.items():
                columns[f"{name}1" if name in query.columns else name] = one
        return Query(f"{query.text}\n| join kind={kind} ({other.text}) on {key}", columns, rows)

    def union(self, query: Query) -> Query:
        other = self.table()
        clashes = {
            name for name, kind in other.columns.items() if query.columns.get(name, kind) != kind
        }
        titles = [
            {
                name: f"{name}_{kind}" if name in clashes else name
                for name, kind in side.columns.items()
            }
            for side in (query, other)
        ]
        columns: dict[str, str] = {}
        for side, title in zip((query, other), titles, strict=True):
            for name, kind in side.columns.items():
                columns.setdefault(title[name], kind)
        empty = {name: "" if kind == "string" else None for name, kind in columns.items()}
        rows = [
            empty | {title[name]: value for name, value in row.items()}
            for side, title in zip((query, other), titles, strict=True)
            for row in side.rows
        ]
        return Query(f"{query.text}\n| union ({other.text})", columns, rows)

    def expand(self, query: Query) -> Query:
        bag = self.column(query, "dynamic")
        if bag is None:
            return query
        return Query(
            f"{query.text}\n| mv-expand {bag.text}",
            query.columns,
            kusto.expand(query.rows, bag.text),
        )

    def series(self, query: Query) -> Query:
        time, key = self.column(query, "datetime"), self.column(query, "string", "long")
        if time is None or key is None or self.random.random() < 0.5:
            return query
        start, stop, step = EPOCH, EPOCH + 180 * MINUTE, 30 * MINUTE
        rows = kusto.series(query.rows, key.text, time.text, (start, stop, step), len)
        text = (
            f"make-series counts = count() on {time.text} "
            f"from {moment(start)} to {moment(stop)} step 30m "
            f"by {key.text} | project {key.text}, counts"
        )
        rows = [{key.text: row[key.text], "counts": row["counts"]} for row in rows]
        return Query(f"{query.text}\n| {text}", {key.text: key.kind, "counts": "dynamic"}, rows)

    def sorted(self, query: Query) -> Query:
        names = [
            name
            for name, kind in query.columns.items()
            if kind in ("long", "int", "string", "datetime")
        ]
        if not names or len(names) != len(query.columns):
            return query
        ascending = self.random.random() < 0.5
        word = "asc" if ascending else "desc"
        keys = ", ".join(f"{name} {word}" for name in names)

        def order(row: Row) -> list[tuple[int, Any]]:
            return [(0, 0) if row[name] is None else (1, row[name]) for name in names]

        rows = sorted(query.rows, key=order, reverse=not ascending)
        count = self.random.randrange(1, 5)
        return Query(
            f"{query.text}\n| sort by {keys} | take {count}",
            query.columns,
            rows[:count],
            is_sorted=True,
        )

    def distinct(self, query: Query) -> Query:
        names = [name for name, kind in query.columns.items() if kind != "dynamic"][:3]
        if not names:
            return query
        rows = kusto.distinct([{name: row[name] for name in names} for row in query.rows])
        columns = {name: query.columns[name] for name in names}
        return Query(f"{query.text}\n| distinct {', '.join(names)}", columns, rows)

    def count(self, query: Query) -> Query:
        if self.random.random() < 0.7:
            return query
        return Query(f"{query.text}\n| count", {"Count": "long"}, [{"Count": len(query.rows)}])

    def query(self) -> Query:
        found = self.table()
        for _ in range(self.random.randrange(1, 6)):
            found = self.step(found)
        return found
