"""Admission reviews as the API server writes them, for every test of this room."""

import json
from copy import deepcopy
from typing import Any, Final

Json = dict[str, Any]

NOW: Final = "2026-11-24T06:00:00Z"
WORKER: Final = "system:serviceaccount:summaryrule-system:summaryrule-operator-worker"
UID: Final = "705ab4f5-6393-11e8-b7cc-42010a800002"
BODY: Final = """\
Metrics
| where Timestamp between (_startTime .. _endTime)
| where Name == "cpu_usage_percent" and Value > 0 and Value < 100
| summarize avg(Value), max(Value), min(Value) by bin(Timestamp, 1h), Pod, Namespace
"""
RULE: Final[Json] = {
    "apiVersion": "adx-mon.azure.com/v1",
    "kind": "SummaryRule",
    "metadata": {"name": "hourly-cpu-usage", "namespace": "telemetry"},
    "spec": {
        "database": "Metrics",
        "table": "CPUUsageHourly",
        "interval": "1h",
        "ingestionDelay": "0s",
        "body": BODY,
    },
}


def rule(**spec: object) -> Json:
    """A rule that is fine, with ``spec`` on top; None takes a field away."""
    made = deepcopy(RULE)
    made["spec"] |= spec
    made["spec"] = {key: value for key, value in made["spec"].items() if value is not None}
    return made


def review(new: object, old: object = None, **request: object) -> Json:
    """An AdmissionReview; ``request`` overrides members of the request."""
    resource = {"group": "adx-mon.azure.com", "version": "v1", "resource": "summaryrules"}
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": UID,
            "kind": {"group": "adx-mon.azure.com", "version": "v1", "kind": "SummaryRule"},
            "resource": resource,
            "requestResource": resource,
            "name": "hourly-cpu-usage",
            "namespace": "telemetry",
            "operation": "CREATE" if old is None else "UPDATE",
            "userInfo": {"username": "alice@example.com", "groups": ["system:authenticated"]},
            "object": new,
            "oldObject": old,
            "dryRun": False,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
            **request,
        },
    }


def as_go_writes(value: object) -> bytes:
    """JSON bytes as Go's encoder makes them: compact, HTML characters escaped, a newline."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode() + b"\n"
