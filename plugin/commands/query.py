"""`query`: the rows that the body of a rule gives for one window; nothing is stored."""

import argparse
import json
import os
from typing import Any, Final

from plugin.console import Console
from plugin.formatting import dump, plural
from plugin.kubectl import Kubectl, RefusedError, Rule, UsageError
from plugin.kusto_query import QueryResult, run_query
from plugin.tables import table
from summaryrule.api.instant import Instant
from summaryrule.api.unstructured import as_str, ingestion_delay_of, interval_of, nested_dict
from summaryrule.api.windows import Window, next_window, window_at
from summaryrule.window_command import bind_variables

ENDPOINT: Final = "KUSTO_ENDPOINT"


def query(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Print the rows, or with --kql the query; exit code 0.

    Raises:
        UsageError: no endpoint is named.
        RefusedError: the rule has no valid interval, or the query failed.
    """
    rule = kubectl.rule(args.name)
    spec, window = nested_dict(rule, "spec"), _window(rule, args.window, console.now())
    labels = dict(args.cluster_label or ())
    text = bind_variables(as_str(spec.get("body")), window, labels)
    if args.kql:
        console.say([text])
        return 0
    endpoint = args.endpoint or os.environ.get(ENDPOINT)
    if not endpoint:
        raise UsageError(
            f"name the Kusto endpoint: --endpoint https://CLUSTER.REGION.kusto.windows.net, or set"
            f" {ENDPOINT}; --kql prints the query"
        )
    database, wanted = as_str(spec.get("database")), args.limit + 1
    result = run_query(endpoint, database, text, max_rows=wanted)
    _show(result, args, console, window)
    return 0


def _window(rule: Rule, start: Instant | None, now: Instant) -> Window:
    """The window that contains ``start``; without it, the last complete window."""
    spec = nested_dict(rule, "spec")
    interval = interval_of(spec)
    if interval is None:
        raise RefusedError(f"spec.interval of the rule is not valid: {spec.get('interval')!r}")
    if start is None:
        return next_window(now, interval, ingestion_delay_of(spec), None)
    return window_at(start, interval)


def _show(result: QueryResult, args: argparse.Namespace, console: Console, window: Window) -> None:
    rows = result.rows[: args.limit]
    if args.output in {"json", "yaml"}:
        objects = [dict(zip(result.columns, row, strict=True)) for row in rows]
        console.say(dump(objects, args.output))
    elif rows:
        cells = [[_cell(value) for value in row] for row in rows]
        console.say(table(result.columns, cells, width=console.table_width(args.output)))
    more = "; there are more: --limit shows them" if len(result.rows) > len(rows) else ""
    console.note(f"{args.name}: {plural(len(rows), 'row')} of window {window}{more}")


def _cell(value: Any) -> str:  # noqa: ANN401 - JSON
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
