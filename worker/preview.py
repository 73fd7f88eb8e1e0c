"""``worker decide``: prints the very Plan that a run would execute, of files or of a cluster."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from summaryrule.admission.defaulting import apply_defaults
from summaryrule.api.constants import KIND
from summaryrule.api.instant import Instant
from summaryrule.api.schema_validation import MalformedError, parse_rule
from summaryrule.planner.explain import explain
from summaryrule.planner.plan import decide
from summaryrule.planner.types import Observations, PlannerSettings
from worker.expression import evaluate


class UnreadableError(ValueError):
    """A file that holds no SummaryRules; the message says which and why."""


def preview(
    rules: Iterable[Mapping[str, Any]], *, now: Instant, settings: PlannerSettings, output: str
) -> Iterator[str]:
    """The lines to print; where ``settings`` name no endpoint, any database counts as served."""
    planned = [_planned(rule, now, settings) for rule in rules]
    if output == "json":
        yield json.dumps(planned, indent=2, ensure_ascii=False)
        return
    for each in planned:
        yield from _text(each)


def _planned(rule: Mapping[str, Any], now: Instant, given: PlannerSettings) -> dict[str, Any]:
    name = str((rule.get("metadata") or {}).get("name", ""))
    # A file has not been through admission: a missing end is filled as the webhook would.
    stored = (
        apply_defaults(rule, rule, user="worker decide", worker="", now=now).object
        if _lacks_end(rule)
        else rule
    )
    try:
        read_rule = parse_rule(stored)
    except MalformedError as error:
        held = [{"reason": "Malformed", "message": str(error)}]
        counts = {"interval": 0, "backfill": 0}
        told = {"count": counts, "estimate": {}, "held": held, "interval": [], "backfill": []}
        return {"name": name, **told}
    endpoints = given.endpoints or {read_rule.spec.database: ""}
    settings = replace(given, endpoints=endpoints)
    return explain(
        read_rule, decide(read_rule, Observations(), now, settings, evaluate), now, settings
    )


def _lacks_end(rule: Mapping[str, Any]) -> bool:
    spec = rule.get("spec")
    backfill = spec.get("backfill") if isinstance(spec, dict) else None
    return isinstance(backfill, dict) and backfill.get("end") is None


def is_file(word: str) -> bool:
    """Whether a word of the command line means a file, and not the name of a rule.

    A rule's name may hold dots, so only what looks like YAML or JSON, or is there, is a file.
    """
    looks = word == "-" or "/" in word or Path(word).suffix in (".yaml", ".yml", ".json")
    return looks or Path(word).is_file()


def in_file(file: str) -> Iterator[Mapping[str, Any]]:
    """The rules in a file; ``-`` is standard input.

    Raises:
        UnreadableError: it cannot be read, or holds something else.
    """
    found = 0
    for document in _documents(file):
        if not isinstance(document, dict) or document.get("kind") not in (
            KIND,
            "List",
            f"{KIND}List",
        ):
            raise UnreadableError(f"{file}: holds an object that is no {KIND}")
        items = [document] if document["kind"] == KIND else document.get("items") or []
        found += len(items)
        yield from items
    if not found:
        raise UnreadableError(f"{file}: holds no {KIND}")


def _documents(file: str) -> list[Any]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return [document for document in yaml.safe_load_all(text) if document is not None]
    except OSError as error:
        raise UnreadableError(f"{file}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        told = " ".join(str(error).split())
        raise UnreadableError(f"{file}: is no YAML: {told}") from error


def _text(each: Mapping[str, Any]) -> Iterator[str]:
    runs, past = each["count"]["interval"], each["count"]["backfill"]
    yield f"{each['name']}: {runs} interval and {past} backfill windows due"
    for kind, estimate in each["estimate"].items():
        yield f"  {kind} estimate: {estimate['duration']} ({estimate['from']})"
    for held in each["held"]:
        yield f"  held: {held['reason']}: {held['message']}"
    for kind in ("interval", "backfill"):
        for window in each[kind]:
            yield f"  {kind:8} [{window['start']}, {window['end']})  token {window['token']}"
            yield from (f"    | {line}" for line in window["command"].splitlines())
    if each.get("more"):
        yield f"  and {each['more']} more"
