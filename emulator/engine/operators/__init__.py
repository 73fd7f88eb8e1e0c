"""The tabular operators: from a relation and a syntax node to the relation after it."""

from collections.abc import Callable
from typing import Any, Final

from emulator.engine import syntax
from emulator.engine.operators import (
    columns,
    groups,
    make_series,
    parsing,
    plugins,
    rows,
    search,
    sides,
    splits,
)
from emulator.engine.operators.plugins import PLUGINS
from emulator.engine.operators.search import search_of
from emulator.engine.operators.sides import union_of

Apply = Callable[[Any, Any, Any, Any], Any]
OPERATORS: Final[dict[type[syntax.Operator], Apply]] = {
    syntax.Count: rows.count,
    syntax.Distinct: rows.distinct,
    syntax.Evaluate: plugins.evaluate,
    syntax.Extend: columns.extend,
    syntax.GetSchema: columns.getschema,
    syntax.Join: sides.join,
    syntax.MakeSeries: make_series.make_series,
    syntax.MvApply: splits.mv_apply,
    syntax.MvExpand: splits.mv_expand,
    syntax.Parse: parsing.parse,
    syntax.ParseKv: parsing.parse_kv,
    syntax.Partition: splits.partition,
    syntax.Project: columns.project,
    syntax.ProjectAway: columns.project_away,
    syntax.ProjectByNames: columns.project_by_names,
    syntax.ProjectRename: columns.project_rename,
    syntax.ProjectReorder: columns.project_reorder,
    syntax.Render: columns.render,
    syntax.SampleDistinct: rows.sample_distinct,
    syntax.Search: search.search,
    syntax.Serialize: rows.serialize,
    syntax.Sort: rows.sort,
    syntax.Summarize: groups.summarize,
    syntax.Take: rows.take,
    syntax.Top: rows.top,
    syntax.Union: sides.union,
    syntax.Where: rows.where,
}

__all__ = ["OPERATORS", "PLUGINS", "search_of", "union_of"]
