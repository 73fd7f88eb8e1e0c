"""Rules as people write them, and admission as the two stages of the webhook run it."""

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
    """A rule that is fine, with parts of its spec replaced (``...`` takes one out)."""
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
class Verdict:
    """What would be stored, and what was said."""

    object: Json
    violations: tuple[FieldError, ...]
    warnings: tuple[str, ...]

    @property
    def said(self) -> list[str]:
        """The refusals, as kubectl prints them."""
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
) -> Verdict:
    """Both stages of admission, the first left out where ``mutate`` says it was down."""
    sent = copy.deepcopy(new)
    if old is not None and "status" in old:
        sent["status"] = old["status"]
    warnings: tuple[str, ...] = ()
    if mutate:
        defaulted = apply_defaults(old, sent, user=user, worker=WORKER, now=now)
        sent, warnings = defaulted.object, defaulted.warnings
    found = review(old, sent, user=user, worker=WORKER, now=now, parse_cel=parse_cel)
    return Verdict(sent, found.violations, (*warnings, *found.warnings))


def parse_cel(expression: str) -> str | None:
    """Stands for the webhook's parser, which has tests of its own."""
    return "line 1, column 3: the expression ends too early" if "((" in expression else None


def stored(new: Json, **more: Any) -> Json:
    """The rule as admission stores it on CREATE, with further top-level parts such as status."""
    verdict = admit(new)
    assert verdict.violations == (), verdict.said
    return {**verdict.object, **copy.deepcopy(more)}
