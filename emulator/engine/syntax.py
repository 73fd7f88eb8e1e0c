"""The syntax tree of a query: expressions, operators and statements, as written.

Every node has `at`, its offset in the query's text.
"""

from dataclasses import dataclass

# ----- expressions


@dataclass(frozen=True)
class Expression:
    """A scalar expression; `at` is its offset."""

    at: int


@dataclass(frozen=True)
class Literal(Expression):
    """A literal of Kusto type `type`; `value` None is the type's null.

    A datetime or a timespan is a number of ticks, a dynamic is a JSON value.
    """

    type: str
    value: object


@dataclass(frozen=True)
class Name(Expression):
    """A column, a let name or a table."""

    name: str


@dataclass(frozen=True)
class Member(Expression):
    """`base.name` or `base[index]`."""

    base: Expression
    name: str | None
    index: Expression | None


@dataclass(frozen=True)
class Call(Expression):
    """`name(arguments)`; an argument may be `name = value` or `*`."""

    name: str
    arguments: tuple["Argument", ...]


@dataclass(frozen=True)
class Argument:
    """One argument; `name` None when it is given by position."""

    name: str | None
    value: "Expression | Pipeline | Lambda"


@dataclass(frozen=True)
class Star(Expression):
    """`*` as an argument or a list item, or a wildcard such as `a*`."""

    pattern: str = "*"


@dataclass(frozen=True)
class Unary(Expression):
    """`-x` or `+x`."""

    operator: str
    operand: Expression


@dataclass(frozen=True)
class Binary(Expression):
    """`left operator right`, the operator spelled as KQL does."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Between(Expression):
    """`value between (low .. high)`, or `!between`."""

    value: Expression
    low: Expression
    high: Expression
    negated: bool


@dataclass(frozen=True)
class InList(Expression):
    """`value in (items)`, and its relatives `in~`, `!in`, `has_any`, `has_all`."""

    operator: str
    value: Expression
    items: tuple["Expression | Pipeline", ...]


@dataclass(frozen=True)
class Lambda(Expression):
    """`(parameters) { statements; body }`; a let function, or `view () {…}`."""

    parameters: tuple["Parameter", ...]
    statements: tuple["Let", ...]
    body: "Expression | Pipeline"
    is_view: bool = False


@dataclass(frozen=True)
class Subquery(Expression):
    """A pipeline in brackets, where an expression may stand."""

    pipeline: "Pipeline"


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function: scalar of `type`, or tabular with `columns` (None for `(*)`)."""

    name: str
    type: str
    columns: tuple[tuple[str, str], ...] | None = None
    default: Literal | None = None


@dataclass(frozen=True)
class Named:
    """`name = expression`; several names for `(a, b) = expression`, none for a bare one."""

    at: int
    names: tuple[str, ...]
    value: Expression


# ----- pipelines


@dataclass(frozen=True)
class Operator:
    """One tabular operator; `at` is the offset of its name."""

    at: int


@dataclass(frozen=True)
class Pipeline:
    """A source and the operators after it."""

    at: int
    source: "Source"
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class Source:
    """What a pipeline reads."""

    at: int


@dataclass(frozen=True)
class TableSource(Source):
    """A table or tabular let by name; `database` None is the request's."""

    name: str
    database: str | None = None
    is_pattern: bool = False


@dataclass(frozen=True)
class CallSource(Source):
    """A call that gives rows: of a function, `table('T')`, `materialize(…)`."""

    call: Call


@dataclass(frozen=True)
class DataTableSource(Source):
    """`datatable (columns) [values]`."""

    columns: tuple[tuple[str, str], ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True)
class PrintSource(Source):
    """`print name = expression, …`."""

    items: tuple[Named, ...]


@dataclass(frozen=True)
class RangeSource(Source):
    """`range name from start to stop step step`."""

    name: str
    start: Expression
    stop: Expression
    step: Expression


@dataclass(frozen=True)
class UnionSource(Source):
    """`union …` at the head of a pipeline."""

    union: "Union"


@dataclass(frozen=True)
class SearchSource(Source):
    """`search …` at the head of a pipeline."""

    search: "Search"


@dataclass(frozen=True)
class NestedSource(Source):
    """`(pipeline)`."""

    pipeline: Pipeline


@dataclass(frozen=True)
class ContextSource(Source):
    """The rows that `mv-apply`, `partition` and `fork` hand to their subquery."""


# ----- operators


@dataclass(frozen=True)
class Where(Operator):
    """`where predicate`."""

    predicate: Expression


@dataclass(frozen=True)
class Extend(Operator):
    """`extend`, and `serialize` with expressions."""

    items: tuple[Named, ...]


@dataclass(frozen=True)
class Project(Operator):
    """`project`."""

    items: tuple[Named, ...]


@dataclass(frozen=True)
class ProjectAway(Operator):
    """`project-away` (`keep` false) and `project-keep`."""

    patterns: tuple[str, ...]
    keep: bool


@dataclass(frozen=True)
class ProjectRename(Operator):
    """`project-rename new = old`."""

    renames: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ProjectReorder(Operator):
    """`project-reorder pattern [asc|desc|granny-asc|granny-desc], …`."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ProjectByNames(Operator):
    """`project-by-names name, …` with names computed from constants."""

    items: tuple[Expression, ...]


@dataclass(frozen=True)
class SortKey:
    """One key: `nulls` is "", "first" or "last"."""

    value: Expression
    ascending: bool
    nulls: str


@dataclass(frozen=True)
class Sort(Operator):
    """`sort by` or `order by`."""

    keys: tuple[SortKey, ...]


@dataclass(frozen=True)
class Top(Operator):
    """`top n by key`."""

    count: Expression
    keys: tuple[SortKey, ...]


@dataclass(frozen=True)
class TopNestedLevel:
    """One level of `top-nested`."""

    at: int
    count: Expression | None
    value: Named
    others: Expression | None
    aggregate: Named
    ascending: bool


@dataclass(frozen=True)
class TopNested(Operator):
    """`top-nested …, top-nested …`."""

    levels: tuple[TopNestedLevel, ...]


@dataclass(frozen=True)
class Take(Operator):
    """`take`, `limit`; `sample` when `is_sample`."""

    count: Expression
    is_sample: bool = False


@dataclass(frozen=True)
class SampleDistinct(Operator):
    """`sample-distinct n of column`."""

    count: Expression
    value: Expression


@dataclass(frozen=True)
class Count(Operator):
    """`count`."""


@dataclass(frozen=True)
class Distinct(Operator):
    """`distinct`."""

    items: tuple[Named, ...]


@dataclass(frozen=True)
class Summarize(Operator):
    """`summarize aggregates by keys`; `bin_step` and the like are not modelled."""

    aggregates: tuple[Named, ...]
    keys: tuple[Named, ...]


@dataclass(frozen=True)
class Join(Operator):
    """`join kind=… (right) on conditions`; `lookup` when `is_lookup`."""

    kind: str
    right: Pipeline
    conditions: tuple[Expression, ...]
    is_lookup: bool


@dataclass(frozen=True)
class Union(Operator):
    """`union`, whose sides may be pipelines or table patterns."""

    kind: str
    with_source: str
    is_fuzzy: bool
    sides: tuple[Pipeline, ...]


@dataclass(frozen=True)
class MvItem:
    """One column of `mv-expand` or `mv-apply`."""

    item: Named
    type: str


@dataclass(frozen=True)
class MvExpand(Operator):
    """`mv-expand`."""

    items: tuple[MvItem, ...]
    index: str
    limit: Expression | None
    kind: str


@dataclass(frozen=True)
class MvApply(Operator):
    """`mv-apply … on (subquery)`."""

    items: tuple[MvItem, ...]
    index: str
    limit: Expression | None
    subquery: Pipeline


@dataclass(frozen=True)
class ParseSegment:
    """A literal text, a star, or a column of a `parse` pattern."""

    at: int
    literal: str | None = None
    column: str | None = None
    type: str = "string"


@dataclass(frozen=True)
class Parse(Operator):
    """`parse` and `parse-where`."""

    kind: str
    flags: str
    value: Expression
    segments: tuple[ParseSegment, ...]
    filters: bool


@dataclass(frozen=True)
class ParseKv(Operator):
    """`parse-kv value as (columns) with (options)`."""

    value: Expression
    columns: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, object], ...]


@dataclass(frozen=True)
class MakeSeries(Operator):
    """`make-series`."""

    aggregates: tuple[tuple[Named, Expression | None], ...]
    axis: Named
    start: Expression | None
    stop: Expression | None
    step: Expression
    keys: tuple[Named, ...]
    kind: str


@dataclass(frozen=True)
class Partition(Operator):
    """`partition by column (subquery)`."""

    key: Expression
    subquery: Pipeline


@dataclass(frozen=True)
class Serialize(Operator):
    """`serialize` without expressions."""


@dataclass(frozen=True)
class As(Operator):
    """`as name`."""

    name: str


@dataclass(frozen=True)
class Invoke(Operator):
    """`invoke function(arguments)`."""

    call: Call


@dataclass(frozen=True)
class GetSchema(Operator):
    """`getschema`."""


@dataclass(frozen=True)
class Render(Operator):
    """`render`, which changes no row; `chart` and `properties` go to the client."""

    chart: str
    properties: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True)
class Evaluate(Operator):
    """`evaluate plugin(arguments) : (columns)`; `keeps_columns` for a `*` before them."""

    call: Call
    columns: tuple[tuple[str, str], ...] | None = None
    keeps_columns: bool = False


@dataclass(frozen=True)
class Search(Operator):
    """`search in (sides) predicate`, the predicate as `where` would have it."""

    sides: tuple[Pipeline, ...]
    predicate: Expression


@dataclass(frozen=True)
class ScanStep:
    """One step of `scan`."""

    name: str
    is_optional: bool
    output: str
    condition: Expression
    assignments: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True)
class Scan(Operator):
    """`scan`."""

    match_id: str
    declared: tuple[tuple[str, str, Expression | None], ...]
    steps: tuple[ScanStep, ...]


# ----- statements


@dataclass(frozen=True)
class Let:
    """`let name = value`."""

    at: int
    name: str
    value: "Expression | Pipeline"


@dataclass(frozen=True)
class SetOption:
    """`set name = value`."""

    at: int
    name: str
    value: object


@dataclass(frozen=True)
class DeclareParameters:
    """`declare query_parameters (…)`."""

    at: int
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True)
class Query:
    """All statements of a text and the pipeline that gives its result."""

    statements: tuple["Let | SetOption | DeclareParameters", ...]
    body: "Pipeline"
