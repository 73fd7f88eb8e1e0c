"""The operators that follow a `|`, one method each."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from emulator.engine import syntax
from emulator.engine.lexer import Kind
from emulator.engine.problems import SyntaxProblem, UnsupportedProblem
from emulator.engine.search_parser import parse_search

if TYPE_CHECKING:
    from emulator.engine.parser import QueryParser

JOIN_KINDS: Final = (
    *("innerunique", "inner", "leftouter", "rightouter", "fullouter"),
    *("leftanti", "anti", "leftantisemi", "rightanti", "rightantisemi", "leftsemi", "rightsemi"),
)
UNSUPPORTED: Final = frozenset(
    {
        "consume",
        "execute_and_cache",
        "facet",
        "find",
        "fork",
        "graph-mark-components",
        "graph-match",
        "graph-shortest-paths",
        "graph-to-table",
        "graph-where-edges",
        "graph-where-nodes",
        "macro-expand",
        "make-graph",
        "reduce",
        "assert-schema",
    }
)
OPERATORS: Final = UNSUPPORTED | frozenset(
    [
        "as",
        "count",
        "distinct",
        "evaluate",
        "extend",
        "filter",
        "getschema",
        "invoke",
        "join",
        "limit",
        "lookup",
        "make-series",
        "mv-apply",
        "mv-expand",
        "mvapply",
        "mvexpand",
        "order",
        "parse",
        "parse-kv",
        "parse-where",
        "partition",
        "project",
        "project-away",
        "project-by-names",
        "project-keep",
        "project-rename",
        "project-reorder",
        "render",
        "sample",
        "sample-distinct",
        "scan",
        "search",
        "serialize",
        "sort",
        "summarize",
        "take",
        "top",
        "top-nested",
        "union",
        "where",
        "top-hitters",
    ]
)


class OperatorParser:
    """Reads operators with the expressions and pipelines of `parser`."""

    def __init__(self, parser: "QueryParser") -> None:
        self._parser = parser
        self.cursor = parser.cursor
        self.expressions = parser.expressions
        self._readers: dict[str, Callable[[int], syntax.Operator]] = {
            "as": self._as,
            "count": syntax.Count,
            "distinct": self._distinct,
            "evaluate": self._evaluate,
            "extend": self._extend,
            "filter": self._where,
            "getschema": syntax.GetSchema,
            "invoke": self._invoke,
            "join": self._join,
            "limit": self._take,
            "lookup": self._lookup,
            "make-series": self._make_series,
            "mv-apply": self._mv_apply,
            "mvapply": self._mv_apply,
            "mv-expand": self._mv_expand,
            "mvexpand": self._mv_expand,
            "order": self._sort,
            "parse": self._parse,
            "parse-kv": self._parse_kv,
            "parse-where": self._parse_where,
            "partition": self._partition,
            "project": self._project,
            "project-away": self._project_away,
            "project-by-names": self._project_by_names,
            "project-keep": self._project_keep,
            "project-rename": self._project_rename,
            "project-reorder": self._project_reorder,
            "render": self._render,
            "sample": self._sample,
            "sample-distinct": self._sample_distinct,
            "scan": self._scan,
            "search": lambda at: parse_search(self, at),
            "serialize": self._serialize,
            "sort": self._sort,
            "summarize": self._summarize,
            "take": self._take,
            "top": self._top,
            "top-nested": self._top_nested,
            "union": self.union,
            "where": self._where,
        }

    def operator(self, pipe: int = -1) -> syntax.Operator:
        """The operator at the cursor; `pipe` is where the `|` before it stands."""
        cursor, at = self.cursor, self.cursor.at
        if cursor.token.kind is not Kind.NAME:
            raise cursor.error("an operator")
        name = cursor.dashed_name()
        reader = self._readers.get(name)
        if reader is None:
            if name in OPERATORS:
                raise UnsupportedProblem(f"the operator '{name}'", at)
            raise SyntaxProblem(f"'{name}' is not an operator", at if pipe < 0 else pipe)
        cursor.skip(1 + 2 * name.count("-"))
        return reader(at)

    # ----- options: `hint.strategy=shuffle`, `kind=inner`

    def options(self, *names: str) -> dict[str, str]:
        """The `name = value` options here; those named `hint.…` are read and dropped."""
        cursor, found = self.cursor, dict[str, str]()
        while cursor.is_name():
            count, name = 1, cursor.token.text
            while cursor.is_mark(".", count) and cursor.ahead(count + 1).kind is Kind.NAME:
                name += "." + cursor.ahead(count + 1).text
                count += 2
            if not cursor.is_mark("=", count) or not (name in names or name.startswith("hint.")):
                break
            cursor.skip(count + 1)
            value = cursor.advance()
            found[name] = str(value.value if value.kind is Kind.STRING else value.text)
            cursor.accept(",") if name.startswith("hint.") and cursor.is_name() else None
        return found

    # ----- rows and columns

    def _where(self, at: int) -> syntax.Operator:
        return syntax.Where(at, self.expressions.expression())

    def _extend(self, at: int) -> syntax.Operator:
        return syntax.Extend(at, self.expressions.named_list())

    def _project(self, at: int) -> syntax.Operator:
        if self._ends():
            return syntax.Project(at, ())
        return syntax.Project(at, self.expressions.named_list())

    def _ends(self) -> bool:
        token = self.cursor.token
        return token.kind is Kind.END or (token.kind is Kind.MARK and token.text in "|);")

    def _pattern(self) -> str:
        """A column name or a pattern with `*`."""
        cursor = self.cursor
        parts = [] if cursor.is_mark("*") else [cursor.identifier("a column")]
        while not parts or cursor.is_adjacent():
            if not cursor.is_mark("*") and cursor.token.kind not in (Kind.NAME, Kind.LONG):
                break
            parts.append(cursor.advance().text)
        return "".join(parts)

    def _project_away(self, at: int) -> syntax.Operator:
        return syntax.ProjectAway(at, tuple(self.cursor.comma_separated(self._pattern)), keep=False)

    def _project_keep(self, at: int) -> syntax.Operator:
        return syntax.ProjectAway(at, tuple(self.cursor.comma_separated(self._pattern)), keep=True)

    def _project_by_names(self, at: int) -> syntax.Operator:
        return syntax.ProjectByNames(
            at, tuple(self.cursor.comma_separated(self.expressions.expression))
        )

    def _project_rename(self, at: int) -> syntax.Operator:
        def rename() -> tuple[str, str]:
            new = self.cursor.identifier("a new name")
            self.cursor.expect("=")
            return new, self.cursor.identifier("a column")

        return syntax.ProjectRename(at, tuple(self.cursor.comma_separated(rename)))

    def _project_reorder(self, at: int) -> syntax.Operator:
        def item() -> tuple[str, str]:
            pattern = self._pattern()
            direction = self.cursor.dashed_name() if self.cursor.is_name() else ""
            if direction in ("asc", "desc", "granny-asc", "granny-desc"):
                self.cursor.skip(1 + 2 * direction.count("-"))
                return pattern, direction
            return pattern, ""

        return syntax.ProjectReorder(at, tuple(self.cursor.comma_separated(item)))

    def _serialize(self, at: int) -> syntax.Operator:
        if self._ends():
            return syntax.Serialize(at)
        return syntax.Extend(at, self.expressions.named_list())

    def _as(self, at: int) -> syntax.Operator:
        self.options("hint.materialized")
        return syntax.As(at, self.cursor.identifier())

    def _distinct(self, at: int) -> syntax.Operator:
        self.options()
        return syntax.Distinct(at, self.expressions.named_list())

    # ----- order and number

    def _sort_key(self) -> syntax.SortKey:
        cursor = self.cursor
        value = self.expressions.expression()
        ascending = cursor.accept_name("asc", "granny-asc")
        if not ascending:
            cursor.accept_name("desc")
        nulls = ""
        if cursor.accept_name("nulls"):
            nulls = cursor.expect_name("first", "last").text
        return syntax.SortKey(value, ascending, nulls)

    def _sort(self, at: int) -> syntax.Operator:
        self.options()
        self.cursor.expect_name("by")
        return syntax.Sort(at, tuple(self.cursor.comma_separated(self._sort_key)))

    def _top(self, at: int) -> syntax.Operator:
        self.options()
        count = self.expressions.expression()
        self.cursor.expect_name("by")
        return syntax.Top(at, count, (self._sort_key(),))

    def _take(self, at: int) -> syntax.Operator:
        return syntax.Take(at, self.expressions.expression())

    def _sample(self, at: int) -> syntax.Operator:
        return syntax.Take(at, self.expressions.expression(), is_sample=True)

    def _sample_distinct(self, at: int) -> syntax.Operator:
        count = self.expressions.expression()
        self.cursor.expect_name("of")
        return syntax.SampleDistinct(at, count, self.expressions.expression())

    def _top_nested(self, at: int) -> syntax.Operator:
        levels = [self._top_nested_level(at)]
        while self.cursor.accept(","):
            start = self.cursor.at
            if self.cursor.dashed_name() == "top-nested":
                self.cursor.skip(3)
            levels.append(self._top_nested_level(start))
        return syntax.TopNested(at, tuple(levels))

    def _top_nested_level(self, at: int) -> syntax.TopNestedLevel:
        cursor, expressions = self.cursor, self.expressions
        count = None if cursor.is_name("of") else expressions.expression()
        cursor.expect_name("of")
        value, others = expressions.named(), None
        if cursor.accept_name("with"):
            cursor.expect_name("others")
            cursor.expect("=")
            others = expressions.expression()
        cursor.expect_name("by")
        aggregate = expressions.named()
        ascending = cursor.accept_name("asc")
        if not ascending:
            cursor.accept_name("desc")
        return syntax.TopNestedLevel(at, count, value, others, aggregate, ascending)

    # ----- groups and sides

    def _summarize(self, at: int) -> syntax.Operator:
        self.options()
        aggregates: tuple[syntax.Named, ...] = ()
        if not self.cursor.is_name("by") and not self._ends():
            aggregates = self.expressions.named_list()
        keys: tuple[syntax.Named, ...] = ()
        if self.cursor.accept_name("by"):
            keys = self.expressions.named_list()
        return syntax.Summarize(at, aggregates, keys)

    def _join(self, at: int) -> syntax.Operator:
        options = self.options("kind")
        kind = options.get("kind", "innerunique")
        if kind not in JOIN_KINDS:
            raise SyntaxProblem(f"'{kind}' is not a kind of join", at)
        return self._sides(at, kind, is_lookup=False)

    def _lookup(self, at: int) -> syntax.Operator:
        kind = self.options("kind").get("kind", "leftouter")
        if kind not in ("leftouter", "inner"):
            raise SyntaxProblem(f"'{kind}' is not a kind of lookup", at)
        return self._sides(at, kind, is_lookup=True)

    def _sides(self, at: int, kind: str, *, is_lookup: bool) -> syntax.Operator:
        cursor = self.cursor
        if cursor.accept("("):
            right = self._parser.pipeline()
            cursor.expect(")")
        else:
            right = syntax.Pipeline(cursor.at, self._parser.source(), ())
        self.options()
        if cursor.is_name("where"):
            raise UnsupportedProblem(
                "'where' in 'join'", cursor.at, "write 'on' and a 'where' after it"
            )
        conditions: tuple[syntax.Expression, ...] = ()
        if cursor.accept_name("on"):
            conditions = tuple(cursor.comma_separated(self.expressions.expression))
        return syntax.Join(at, kind, right, conditions, is_lookup)

    def union(self, at: int) -> syntax.Union:
        """`union` with its options and sides."""
        options = self.options("kind", "withsource", "with_source", "isfuzzy")
        kind = options.get("kind", "outer")
        if kind not in ("inner", "outer"):
            raise SyntaxProblem(f"'{kind}' is not a kind of union", at)
        with_source = options.get("withsource", options.get("with_source", ""))
        sides = tuple(self.cursor.comma_separated(self.side))
        return syntax.Union(at, kind, with_source, options.get("isfuzzy") == "true", sides)

    def side(self) -> syntax.Pipeline:
        """A side of `union` or `search`: a pipeline in brackets, a table or a pattern."""
        cursor = self.cursor
        if cursor.accept("("):
            side = self._parser.pipeline()
            cursor.expect(")")
            return side
        return syntax.Pipeline(cursor.at, self._parser.source(), ())

    def _partition(self, at: int) -> syntax.Operator:
        self.options()
        self.cursor.expect_name("by")
        cursor = self.cursor
        key: syntax.Expression = syntax.Name(cursor.at, cursor.identifier("a column"))
        return syntax.Partition(at, key, self._parser.subquery())

    def _invoke(self, at: int) -> syntax.Operator:
        call = self.expressions.expression()
        if not isinstance(call, syntax.Call):
            raise SyntaxProblem("expected a function call after 'invoke'", at)
        return syntax.Invoke(at, call)

    def _evaluate(self, at: int) -> syntax.Operator:
        self.options()
        call = self.expressions.expression()
        if not isinstance(call, syntax.Call):
            raise SyntaxProblem("expected a plugin call after 'evaluate'", at)
        if not self.cursor.accept(":"):
            return syntax.Evaluate(at, call)
        keeps = self.cursor.is_mark("*", 1)
        return syntax.Evaluate(at, call, self._parser.columns(), keeps)

    # ----- arrays, text, series

    def _mv_items(self) -> tuple[syntax.MvItem, ...]:
        def item() -> syntax.MvItem:
            named, kind = self.expressions.named(), ""
            if self.cursor.is_name("to") and self.cursor.is_name("typeof", count=1):
                self.cursor.skip(2)
                self.cursor.expect("(")
                kind = self._parser.type_name()
                self.cursor.expect(")")
            return syntax.MvItem(named, kind)

        return tuple(self.cursor.comma_separated(item))

    def _limit(self) -> syntax.Expression | None:
        return self.expressions.expression() if self.cursor.accept_name("limit") else None

    def _mv_expand(self, at: int) -> syntax.Operator:
        options = self.options("bagexpansion", "kind", "with_itemindex")
        items = self._mv_items()
        kind = options.get("bagexpansion", options.get("kind", "bag"))
        return syntax.MvExpand(at, items, options.get("with_itemindex", ""), self._limit(), kind)

    def _mv_apply(self, at: int) -> syntax.Operator:
        options = self.options("with_itemindex", "bagexpansion", "kind")
        items, limit = self._mv_items(), self._limit()
        self.cursor.expect_name("on")
        subquery = self._parser.subquery()
        return syntax.MvApply(at, items, options.get("with_itemindex", ""), limit, subquery)

    def _parse(self, at: int) -> syntax.Operator:
        return self._pattern_operator(at, filters=False)

    def _parse_where(self, at: int) -> syntax.Operator:
        return self._pattern_operator(at, filters=True)

    def _pattern_operator(self, at: int, *, filters: bool) -> syntax.Operator:
        options = self.options("kind", "flags")
        value = self.expressions.expression()
        self.cursor.expect_name("with")
        segments = []
        while not self._ends():
            segments.append(self._segment())
        kind, flags = options.get("kind", "simple"), options.get("flags", "")
        return syntax.Parse(at, kind, flags, value, tuple(segments), filters)

    def _segment(self) -> syntax.ParseSegment:
        cursor, at = self.cursor, self.cursor.at
        if cursor.accept("*"):
            return syntax.ParseSegment(at)
        if cursor.token.kind is Kind.STRING:
            return syntax.ParseSegment(at, literal=str(cursor.advance().value))
        name, kind = cursor.identifier("a text, a column or '*'"), "string"
        if cursor.accept(":"):
            kind = self._parser.type_name()
        return syntax.ParseSegment(at, column=name, type=kind)

    def _parse_kv(self, at: int) -> syntax.Operator:
        value = self.expressions.expression()
        self.cursor.expect_name("as")
        columns = self._parser.columns()
        options = self._properties() if self.cursor.accept_name("with") else ()
        return syntax.ParseKv(at, value, columns, options)

    def _properties(self) -> tuple[tuple[str, object], ...]:
        cursor = self.cursor
        cursor.expect("(")
        found: list[tuple[str, object]] = []
        while not cursor.is_mark(")"):
            name = cursor.identifier("an option")
            cursor.expect("=")
            value = self.expressions.expression()
            plain = (
                value.value if isinstance(value, syntax.Literal) else getattr(value, "name", None)
            )
            found.append((name, plain))
            if not cursor.accept(","):
                break
        cursor.expect(")")
        return tuple(found)

    def _make_series(self, at: int) -> syntax.Operator:
        options = self.options("kind")
        aggregates = self.cursor.comma_separated(self._series_aggregate)
        cursor, expressions = self.cursor, self.expressions
        cursor.expect_name("on")
        axis = expressions.named_sum()
        start = stop = None
        if cursor.accept_name("from"):
            start = expressions.expression()
        if cursor.accept_name("to"):
            stop = expressions.expression()
        if cursor.is_name("in") and cursor.is_name("range", count=1):
            start, stop, step = self._series_range()
        else:
            cursor.expect_name("step")
            step = expressions.expression()
        keys = expressions.named_list() if cursor.accept_name("by") else ()
        return syntax.MakeSeries(
            at, tuple(aggregates), axis, start, stop, step, keys, options.get("kind", "")
        )

    def _series_range(self) -> list[syntax.Expression]:
        """`in range(start, stop, step)`, where the stop is included."""
        cursor = self.cursor
        cursor.skip(2)
        cursor.expect("(")
        start, stop, step = (self.expressions.expression(), *self._more(2))
        cursor.expect(")")
        after = syntax.Binary(stop.at, "+", stop, syntax.Literal(stop.at, "timespan", 1))
        return [start, after, step]

    def _more(self, count: int) -> list[syntax.Expression]:
        found = []
        for _ in range(count):
            self.cursor.expect(",")
            found.append(self.expressions.expression())
        return found

    def _series_aggregate(self) -> tuple[syntax.Named, syntax.Expression | None]:
        named, default = self.expressions.named(), None
        if self.cursor.accept_name("default"):
            self.cursor.expect("=")
            default = self.expressions.expression()
        return named, default

    def _render(self, at: int) -> syntax.Operator:
        chart = self.cursor.identifier("a kind of chart")
        if self.cursor.accept_name("with"):
            return syntax.Render(at, chart, self._properties())
        older = self.options("title", "kind", "accumulate")
        return syntax.Render(at, chart, tuple(older.items()))

    def _scan(self, at: int) -> syntax.Operator:
        cursor = self.cursor
        match_id = self.options("with_match_id").get("with_match_id", "")
        declared: list[tuple[str, str, syntax.Expression | None]] = []
        if cursor.accept_name("declare"):
            cursor.expect("(")
            declared = cursor.comma_separated(self._declared)
            cursor.expect(")")
        cursor.expect_name("with")
        cursor.expect("(")
        steps = []
        while cursor.is_name("step"):
            steps.append(self._step())
        cursor.expect(")")
        return syntax.Scan(at, match_id, tuple(declared), tuple(steps))

    def _declared(self) -> tuple[str, str, syntax.Expression | None]:
        name = self.cursor.identifier()
        self.cursor.expect(":")
        kind = self._parser.type_name()
        default = self.expressions.expression() if self.cursor.accept("=") else None
        return name, kind, default

    def _step(self) -> syntax.ScanStep:
        cursor = self.cursor
        cursor.expect_name("step")
        name = cursor.identifier("a step's name")
        optional = cursor.accept_name("optional")
        output = self.options("output").get("output", "all")
        cursor.expect(":")
        condition = self.expressions.expression()
        assignments: list[tuple[str, syntax.Expression]] = []
        if cursor.accept("=>"):
            assignments = cursor.comma_separated(self._assignment)
        cursor.expect(";")
        return syntax.ScanStep(name, optional, output, condition, tuple(assignments))

    def _assignment(self) -> tuple[str, syntax.Expression]:
        name = self.cursor.identifier()
        self.cursor.expect("=")
        return name, self.expressions.expression()
