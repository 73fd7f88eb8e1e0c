"""Whether a rule's query is valid: what to ask the endpoint, and what the answer means.

The worker asks the endpoint once about each query. If the answer is not "valid", it asks again
later, because a missing table may have been created. The condition ``QueryValid`` has the answer.
``status.queryHash`` identifies the query that the answer is about. With both, a restarted worker
does not ask again about a valid query.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

from summaryrule.api.block_reason import BlockReason
from summaryrule.api.constants import QUERY_CONDITION
from summaryrule.api.v1 import Condition, SummaryRule, SummaryRuleStatus
from summaryrule.api.windows import next_window
from summaryrule.kql import quote_name
from summaryrule.planner.types import (
    Blocked,
    Column,
    EmitEvent,
    PlanContext,
    PlannerSettings,
    QueryAnswer,
    QueryCheck,
)
from summaryrule.window_command import bind_variables

VALID: Final = "Valid"
NOT_CHECKED: Final = "NotChecked"
_LISTED: Final = 5
"""Maximum number of differences that a message lists."""


def hash_of(rule: SummaryRule, settings: PlannerSettings) -> str:
    """The hash of everything that the answer depends on, as 16 hexadecimal digits.

    These are database, table, body, endpoint and cluster labels.
    """
    spec = rule.spec
    parts = [spec.database, spec.table, spec.body, settings.endpoints.get(spec.database, "")]
    text = json.dumps([*parts, sorted(settings.labels.items())], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def answer_about(context: PlanContext, key: str) -> QueryAnswer | None:
    """The newest answer about the query with this hash, observed or stored; None if there is none.

    An observed ``Unknown`` (the endpoint did not answer) does not replace a stored answer.
    """
    stored = context.stored
    condition = stored_condition(stored)
    known = None
    if condition is not None and stored.query_hash == key:
        known = QueryAnswer(key, condition.status, condition.reason, condition.message)
    observed = context.observed.query_answer
    if observed is None or observed.key != key:
        return known
    is_weaker = observed.status == "Unknown" and known is not None and known.status != "Unknown"
    return known if is_weaker else observed


def turned_off(context: PlanContext, key: str) -> QueryAnswer | None:
    """The answer of a worker with ``--query-checks=0``; None if no worker has asked before."""
    if stored_condition(context.stored) is None:
        return None
    return QueryAnswer(key, "Unknown", NOT_CHECKED, "the worker runs with --query-checks=0")


def check_for(context: PlanContext, key: str, answer: QueryAnswer | None) -> QueryCheck | None:
    """What to ask about the query; None if the last answer is ``Valid``.

    The query has the bounds of the last complete window.
    """
    if answer is not None and answer.reason == VALID:
        return None
    spec, labels = context.rule.spec, context.settings.labels
    window = next_window(context.now, spec.interval, spec.ingestion_delay, None)
    return QueryCheck(
        key,
        spec.database,
        spec.table,
        query=bind_variables(spec.body, window, labels),
        body=spec.body,
        body_line=bind_variables("", window, labels).count("\n") + 1,
        is_repeat=answer is not None,
    )


def blocked_by(answer: QueryAnswer | None) -> Blocked | None:
    """The block of a rule whose query is invalid: Kusto would refuse each of its windows."""
    if answer is None or answer.status != "False":
        return None
    return Blocked.because(BlockReason.QUERY_INVALID, cause=answer.message)


def event_for(context: PlanContext) -> tuple[EmitEvent, ...]:
    """An Event if the columns now differ from the table, or if the query is valid again.

    ``preconditions.event_for`` has the Event for a query that becomes invalid.
    """
    answer, stored = context.query_answer, stored_condition(context.stored)
    before = (stored.reason, stored.message) if stored is not None else ("", "")
    if answer is None or before == (answer.reason, answer.message):
        return ()
    if answer.reason == BlockReason.COLUMNS_DIFFER.value:
        return (EmitEvent("Warning", answer.reason, answer.message),)
    if answer.reason == VALID and before[0] in {
        BlockReason.QUERY_INVALID.value,
        BlockReason.COLUMNS_DIFFER.value,
    }:
        return (EmitEvent("Normal", QUERY_CONDITION, answer.message),)
    return ()


def stored_condition(status: SummaryRuleStatus) -> Condition | None:
    """The condition ``QueryValid``; None if the status does not have it."""
    return next((each for each in status.conditions if each.type == QUERY_CONDITION), None)


def invalid(check: QueryCheck, message: str) -> QueryAnswer:
    """The answer for a query that Kusto refuses, with Kusto's error as ``message``."""
    return QueryAnswer(check.key, "False", BlockReason.QUERY_INVALID.value, message)


def not_checked(check: QueryCheck, message: str) -> QueryAnswer:
    """The answer if the endpoint did not say whether the query is valid, with the reason."""
    return QueryAnswer(check.key, "Unknown", NOT_CHECKED, message)


def compare(
    check: QueryCheck, query: Sequence[Column] | None, table: Sequence[Column] | None
) -> QueryAnswer:
    """The answer for a valid query, from its columns and those of the table.

    Kusto matches columns by position and type. ``extend_schema`` adds the columns that the table
    lacks to its end (Kusto docs, "Ingest from query").

    Args:
        check: what was asked.
        query: the columns of the result; None if Kusto knows them only after it has run the query.
        table: the columns of the table; None if it does not exist.
    """
    name = check.table
    if query is None:
        return QueryAnswer(check.key, "True", VALID, "the query is valid")
    if table is None:
        text = f"the query is valid; table {name} did not exist yet: the first window creates it"
        return QueryAnswer(check.key, "True", VALID, text)
    differences = list(_differences(query, table, name))
    if differences:
        more = f"; and {len(differences) - _LISTED} more" if len(differences) > _LISTED else ""
        text = "; ".join(differences[:_LISTED]) + more
        return QueryAnswer(check.key, "True", BlockReason.COLUMNS_DIFFER.value, text)
    added = ", ".join(f"{each.name}:{each.type}" for each in query[len(table) :])
    text = f"the first window adds {added} to table {name}" if added else f"it fits table {name}"
    return QueryAnswer(check.key, "True", VALID, f"the query is valid; {text}")


def _differences(query: Sequence[Column], table: Sequence[Column], name: str) -> Iterator[str]:
    in_order = _in_order_of(table, query)
    if in_order != list(query):
        listed = ", ".join(quote_name(each.name) for each in in_order)
        yield f"columns match by position: end the query with | project {listed}"
    for number, (ours, theirs) in enumerate(zip_longest(in_order, table), start=1):
        if theirs is None or ours == theirs:
            continue
        if ours is None:
            yield f"the query lacks column {number} of table {name}, {theirs.name}:{theirs.type}"
            continue
        where = f"column {number} is {ours.name}:{ours.type}, and {theirs.name}:{theirs.type} in"
        change = "columns match by position, so rename it or put it elsewhere"
        if ours.type != theirs.type:
            change = f"write to{theirs.type}({quote_name(ours.name)})"
        yield f"{where} table {name}: {change}"


def _in_order_of(table: Sequence[Column], query: Sequence[Column]) -> list[Column]:
    """The columns of the query in the order of the table, then the others.

    If the query lacks a column of the table, the order is that of the query.
    """
    by_name = {each.name: each for each in query}
    wanted = [each.name for each in table]
    if not by_name.keys() >= set(wanted):
        return list(query)
    return [by_name[each] for each in wanted] + [each for each in query if each.name not in wanted]
