"""Rules as users write them, and the two stages of admission that the webhook runs."""

import copy
from dataclasses import dataclass
from typing import Any

from summaryrule.admission.defaulting import apply_defaults
from summaryrule.admission.validation import review
from summaryrule.api.field_errors import FieldError
from summaryrule.api.instant import Instant

Json = dict[str, Any]

NOW = Instant.parse("2026-11-24T06:30:00Z")
WORKER = "system:serviceaccount:summaryrule-system:summaryrule-operator-worker"
BODY = (
    "Metrics\n"
    "| where Timestamp between (_startTime .. _endTime)\n"
    "| summarize avg(Value) by bin(Timestamp, 1h)\n"
)


def rule(backfill: Json | None = None, **spec: Any) -> Json:
    """A valid rule, with parts of its spec replaced (``...`` removes one)."""
    wanted: Json = {"database": "Telemetry", "table": "CpuHourly", "interval": "1h", "body": BODY}
    wanted |= {"ingestionDelay": "0s", **spec} | ({"backfill": backfill} if backfill else {})
    return {
        "apiVersion": "adx-mon.azure.com/v1",
        "kind": "SummaryRule",
        "metadata": {
            "name": "cpu-hourly",
            "namespace": "telemetry",
            "uid": "0c7e8a52-6f0e-4f7e-9d43-0a5c5a7f3b11",
            "creationTimestamp": "2026-11-24T00:00:00Z",
        },
        "spec": {name: value for name, value in wanted.items() if value is not ...},
    }


def span(start: str, end: str | None = None, **more: Any) -> Json:
    """A backfill."""
    return {"start": start, **({"end": end} if end else {}), **more}


@dataclass(frozen=True, slots=True)
class AdmissionResult:
    """The object that would be stored, and the messages."""

    object: Json
    violations: tuple[FieldError, ...]
    warnings: tuple[str, ...]

    @property
    def messages(self) -> list[str]:
        """The violations, as kubectl prints them."""
        return [str(violation) for violation in self.violations]

    @property
    def fields(self) -> list[str]:
        return [violation.field for violation in self.violations]

    @property
    def backfill(self) -> Json:
        found = self.object["spec"]["backfill"]
        assert isinstance(found, dict)
        return found


def admit(
    new: Json,
    old: Json | None = None,
    *,
    user: str = "alice",
    now: Instant = NOW,
    mutate: bool = True,
) -> AdmissionResult:
    """Both stages of admission; without ``mutate`` only the second."""
    sent = copy.deepcopy(new)
    if old is not None and "status" in old:
        sent["status"] = old["status"]
    warnings: tuple[str, ...] = ()
    if mutate:
        defaulted = apply_defaults(old, sent, user=user, worker=WORKER, now=now)
        sent, warnings = defaulted.object, defaulted.warnings
    found = review(old, sent, user=user, worker=WORKER, now=now, parse_cel=parse_cel)
    return AdmissionResult(sent, found.violations, (*warnings, *found.warnings))


def parse_cel(expression: str) -> str | None:
    """A fake of the webhook's parser, which has its own tests."""
    return "line 1, column 3: the expression ends too early" if "((" in expression else None


def stored(new: Json, **more: Any) -> Json:
    """The rule as admission stores it on CREATE, with further top-level parts such as status."""
    result = admit(new)
    assert result.violations == (), result.messages
    return {**result.object, **copy.deepcopy(more)}
