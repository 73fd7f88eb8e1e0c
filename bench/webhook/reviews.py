"""The reviews that every server gets: 3 KB creates as kubectl's client-side apply makes them."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final

Json = dict[str, Any]
COUNT: Final = 200
BODY: Final = """\
Metrics
| where Timestamp between (_startTime .. _endTime)
| where Name == "cpu_usage_percent" and Value > 0 and Environment == _environment
| summarize AvgCPU = avg(Value), MaxCPU = max(Value), P95 = percentile(Value, 95)
  by bin(Timestamp, 1h), Pod, Namespace, Cluster
"""
_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_REQUESTER: Final = "adx-mon.azure.com/backfill-requested-by"


def good(now: datetime) -> list[Json]:
    """Reviews that are allowed, no two alike: names, ranges, users and intervals differ."""
    return [review(_rule(number, now), number) for number in range(COUNT)]


def mixed(now: datetime) -> list[Json]:
    """Reviews whose answers differ: what to change, what to warn of, what to refuse."""
    ago = {days: _text(now - timedelta(days=days)) for days in (-40, -2, 1, 40, 45)}
    odd: list[dict[str, object]] = [
        {"ingestionDelay": None},
        {"body": "  // a comment\n.drop table x"},
        {"body": "// nothing"},
        {"body": "Metrics | count"},
        {"backfill": None},
        {"backfill": {"start": ago[40], "end": ago[1]}},
        {"backfill": {"start": ago[45], "end": ago[40]}},
        {"backfill": {"start": ago[1], "end": ago[-2]}},
        {"backfill": {"start": ago[1], "end": ago[-40]}},
        {"backfill": {"start": ago[1]}},
        {"backfill": {"start": ago[1], "end": ago[-2], "requestId": "again"}},
        {"backfill": {"start": "2026-11-01T02:30:00.0000001+05:30", "end": ago[1]}},
        {"backfill": {"start": ago[1], "end": ago[1], "operationId": "forged"}},
    ]
    made = []
    for number, change in enumerate(odd):
        rule = _rule(number, now)
        rule["spec"] |= change
        rule["spec"] = {key: value for key, value in rule["spec"].items() if value is not None}
        made.append(review(rule, number))
    return made


def review(rule: Json, number: int) -> Json:
    """The AdmissionReview of a create."""
    kind = {"group": "adx-mon.azure.com", "version": "v1", "kind": "SummaryRule"}
    resource = {"group": "adx-mon.azure.com", "version": "v1", "resource": "summaryrules"}
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": str(uuid.UUID(int=number)),
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "name": rule["metadata"]["name"],
            "namespace": "telemetry",
            "operation": "CREATE",
            "userInfo": {"username": _user(number), "groups": ["sre", "system:authenticated"]},
            "object": rule,
            "oldObject": None,
            "dryRun": False,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    }


def as_line(value: Json) -> bytes:
    """One line of JSON as Go's encoder writes it."""
    text = json.dumps(value, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()


def _rule(number: int, now: datetime) -> Json:
    hour = now.replace(minute=0, second=0, microsecond=0)
    spec: Json = {
        "backfill": {
            "end": _text(hour - timedelta(hours=24 + number % 48)),
            "start": _text(hour - timedelta(days=9, hours=number)),
        },
        "body": BODY,
        "database": "Metrics",
        "ingestionDelay": f"{number % 7}m0s",
        "interval": "1h",
        "table": f"CPUUsageHourly{number}",
    }
    applied = {"apiVersion": "adx-mon.azure.com/v1", "kind": "SummaryRule", "spec": spec}
    fields: Json = {"f:spec": {".": {}, **{f"f:{name}": {} for name in spec}}}
    entry = {
        "apiVersion": "adx-mon.azure.com/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:annotations": {".": {}, f"f:{_APPLIED}": {}}}, **fields},
        "manager": "kubectl-client-side-apply",
        "operation": "Update",
        "time": _text(now),
    }
    return {
        "apiVersion": "adx-mon.azure.com/v1",
        "kind": "SummaryRule",
        "metadata": {
            "annotations": {_APPLIED: json.dumps(applied), _REQUESTER: _user(number)},
            "creationTimestamp": _text(now),
            "generation": 1,
            "managedFields": [entry],
            "name": f"hourly-cpu-usage-{number}",
            "namespace": "telemetry",
            "uid": str(uuid.UUID(int=number)),
        },
        "spec": spec,
    }


def _user(number: int) -> str:
    return f"user-{number % 20}@example.com"


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
