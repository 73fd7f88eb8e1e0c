"""The data of the views of one rule and of one window: what is known, and what can be done."""

import gzip
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from summaryrule.api import timeline
from summaryrule.api.block_reason import remedy_for
from summaryrule.api.instant import Instant
from summaryrule.api.schema_validation import MalformedError, parse_rule
from summaryrule.api.summary import as_json
from summaryrule.api.timeline import Lane, Segment
from summaryrule.api.tokens import window_token
from summaryrule.api.unstructured import as_str, nested_dict, nested_list
from summaryrule.api.v1 import SummaryRule
from summaryrule.api.windows import Window, window_at
from summaryrule.kql import quote_name
from summaryrule.planner.types import PlannerSettings
from summaryrule.window_command import append_command, bind_variables, ingest_tag
from worker.ports import RawRule
from worker.status_page.rule_list import STRIP, summarize_stored, why_malformed

Command = dict[str, str]


def rule_as_json(rule: RawRule, now: Instant, settings: PlannerSettings) -> dict[str, Any]:
    """The view of one rule: summary, conditions with remedies, spec, lanes, commands to copy."""
    spec = nested_dict(rule, "spec")
    metadata = nested_dict(rule, "metadata")
    conditions = nested_list(nested_dict(rule, "status"), "conditions")
    lanes, summary = timeline.lanes(rule, now), summarize_stored(rule, now, settings.ownership)
    target = _target(metadata)
    reasons = [*(each.reason for each in summary.problems), summary.reason]
    remedies = {reason: remedy_for(reason, target) for reason in reasons}
    return {
        "summary": {**as_json(summary), "strip": timeline.strip(lanes, now, STRIP)},
        "remedy": next(filter(None, remedies.values()), ""),
        "remedies": remedies,
        "malformed": why_malformed(rule),
        "created": as_str(metadata.get("creationTimestamp")),
        "labels": nested_dict(metadata, "labels"),
        "conditions": [_condition(each, target) for each in conditions],
        "spec": spec,
        "endpoint": settings.endpoints.get(as_str(spec.get("database"))),
        "lanes": [timeline.as_json(lane) for lane in lanes],
        "commands": list(_commands(rule)),
    }


def _condition(condition: Mapping[str, Any], target: str) -> dict[str, str]:
    reason = as_str(condition.get("reason"))
    return {
        "type": as_str(condition.get("type")),
        "status": as_str(condition.get("status")),
        "reason": reason,
        "message": as_str(condition.get("message")),
        "since": as_str(condition.get("lastTransitionTime")),
        "remedy": "" if condition.get("status") == "True" else remedy_for(reason, target),
    }


def _commands(rule: RawRule) -> Iterator[Command]:
    """What can be done to the rule now, as commands of the kubectl plugin."""
    metadata, spec = nested_dict(rule, "metadata"), nested_dict(rule, "spec")
    status = nested_dict(rule, "status")
    target = _target(metadata)
    failed = any(nested_list(nested_dict(status, k), "failed") for k in ("schedule", "backfill"))
    backfill = nested_dict(spec, "backfill")
    if failed:
        yield _command("Retry all failed windows", f"retry {target} --all")
    if backfill:
        paused = backfill.get("suspend") is True
        verb = "resume" if paused else "pause"
        yield _command(f"{verb.title()} the backfill", f"{verb} {target}")
        yield _command("Cancel the backfill", f"cancel {target}")
    else:
        yield _command("Backfill the last 7 days", f"backfill {target} --last 7d --wait")
    verb = "resume" if spec.get("suspend") is True else "pause"
    yield _command(f"{verb.title()} the schedule", f"{verb} {target} --schedule")
    yield _command("Explain why it does not run", f"explain {target}")


def _target(metadata: Mapping[str, Any]) -> str:
    return f"{as_str(metadata.get('name'))} -n {as_str(metadata.get('namespace'))}"


def _command(label: str, words: str) -> Command:
    return {"label": label, "command": f"kubectl summaryrule {words}"}


def window_as_json(
    rule: RawRule, at: Instant, lane_index: int, settings: PlannerSettings, now: Instant
) -> dict[str, Any] | None:
    """The view of the window that contains ``at``: bounds, state, command to Kusto, links.

    ``lane_index`` counts the lanes of ``rule_as_json``. None if there is no such lane.
    """
    lanes = timeline.lanes(rule, now)
    if not 0 <= lane_index < len(lanes):
        return None
    lane = lanes[lane_index]
    window, segment = _window_at(lane, at)
    known: Mapping[str, Any] = {} if segment is None else timeline.segment_as_json(segment)
    found = {
        **known,
        "lane": lane_index,
        "state": "not covered" if segment is None else segment.state,
        "start": str(window.start),
        "end": str(window.end),
        "queryEnd": str(window.query_end),
        "commands": list(_window_commands(rule, window, segment)),
    }
    try:
        parsed = parse_rule(rule)
    except MalformedError as error:
        return {**found, "malformed": str(error)}
    return {**found, **_kusto(parsed, lane, window, known, settings)}


def _window_at(lane: Lane, at: Instant) -> tuple[Window, Segment | None]:
    segment = lane.segment_at(at)
    if segment is not None and segment.window:
        return Window(segment.start, segment.end), segment
    return window_at(at, lane.interval), segment


def _window_commands(rule: RawRule, window: Window, segment: Segment | None) -> Iterator[Command]:
    target = _target(nested_dict(rule, "metadata"))
    state = None if segment is None else segment.state
    if state == "failed":
        yield _command("Retry this window", f"retry {target} --window {window.start}")
        yield _command("Skip this window", f"skip {target} --window {window.start}")
    elif state in (None, "not run"):
        between = f"--start {window.start} --end {window.end}"
        yield _command("Backfill this window", f"backfill {target} {between}")


def _kusto(
    rule: SummaryRule,
    lane: Lane,
    window: Window,
    known: Mapping[str, Any],
    settings: PlannerSettings,
) -> dict[str, Any]:
    """The command of the window with its token, and links to its query and its rows."""
    spec, labels = rule.spec, settings.labels
    run = (lane.key if spec.replaces else lane.request_id) or None
    token = known.get("token") or window_token(rule, window, run)
    rows = f"{quote_name(spec.table)}\n| where extent_tags() has '{ingest_tag(token)}'"
    query = bind_variables(spec.body, window, labels)
    endpoint = known.get("endpoint") or settings.endpoints.get(spec.database, "")
    return {
        "token": token,
        "command": append_command(rule, window, labels, token=token, replaces=spec.replaces),
        "queryLink": _web_link(endpoint, spec.database, query),
        "rowsLink": _web_link(endpoint, spec.database, rows),
    }


def _web_link(endpoint: str, database: str, query: str) -> str:
    """A deep link into the web editor of Azure Data Explorer; empty for a local endpoint.

    The form is that of the Kusto docs, "UI deep links": the query is compressed, then in base64.
    """
    if not endpoint.startswith("https://"):
        return ""
    packed = quote(b64encode(gzip.compress(query.encode(), mtime=0)).decode(), safe="")
    return f"{endpoint.rstrip('/')}/{quote(database)}?web=1&query={packed}"
