"""docs/webhook.md says what the code says: each refusal, warning, metric and audit annotation."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import pytest

from runtime.cel import parse_error
from summaryrule.admission.context import AdmissionContext
from summaryrule.admission.defaulting import apply_defaults
from summaryrule.admission.validation import CHECKS
from summaryrule.admission.warnings import WARNINGS
from summaryrule.api import validation_rules
from summaryrule.api.instant import Instant
from summaryrule.api.validation_rules import ValidationRule
from tests.docs.clock import READ
from tests.webhook.page import PAGE, Example, examples
from tests.webhook.reviews import NOW, WORKER, as_go_writes, review, rule
from webhook.admission_review import decode
from webhook.handlers import AdmissionConfig, mutate, validate
from webhook.metrics import PREFIX, Metrics

TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = examples(TEXT)
# These need a stored rule; tests/admission has them.
OF_STORED_RULES = {
    "covers_again",
    "ends_running_backfill",
    "has_run_before",
    "starts_before_replaceable",
}
SENTENCES = {
    "VALID_INTERVAL": "must be a Go duration of at least 1m",
    "VALID_DELAY": "must be a Go duration of 0s or more",
    "VALID_TIME": "must be an RFC 3339 time",
    "NO_BRACKETS": "must be the bare name",
    "VALID_NAME": "must be 1 to 1024 ASCII letters",
    "START_BEFORE_END": "must be before end",
    "HAS_START": "write the start of the range",
    "HAS_END": "write the end of the range",
}


@pytest.mark.parametrize("at", READ)
@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=lambda n: EXAMPLES[n].shown[:60])
def test_the_page_shows_what_is_said(number: int, at: str) -> None:
    example = examples(TEXT, READ[at])[number]
    assert example.said == example.shown


@pytest.mark.parametrize("functions", [CHECKS, WARNINGS], ids=["checks", "warnings"])
def test_every_check_and_warning_has_an_example(
    functions: Sequence[Callable[[AdmissionContext], Any]],
) -> None:
    cases = [_case(example) for example in EXAMPLES]
    shown = {each.__name__ for each in functions for case in cases if _finds(each, case)}
    assert shown == {each.__name__ for each in functions} - OF_STORED_RULES


def test_every_rule_of_the_schema_has_an_example() -> None:
    shown = "\n".join(example.shown for example in EXAMPLES)
    names = {
        name for name, value in vars(validation_rules).items() if isinstance(value, ValidationRule)
    }
    assert names == SENTENCES.keys()
    assert [name for name, words in SENTENCES.items() if words not in shown] == []


def _case(example: Example) -> AdmissionContext:
    """As `/validate` gets it: as defaulted, but where the page says that nobody did that."""
    made, now = example.rule, Instant.parse(NOW)
    if not example.shown.startswith("The ") or example.is_refused:
        made = apply_defaults(None, made, user="alice", worker=WORKER, now=now).object
    return AdmissionContext({}, made, "alice", now, parse_error)


def _finds(function: Callable[[AdmissionContext], Any], case: AdmissionContext) -> bool:
    found = function(case)
    return bool(list(found) if isinstance(found, Iterator) else found)


def test_every_metric_is_listed() -> None:
    metrics = Metrics()
    metrics.watch_in_flight(int)
    for name, value in vars(Metrics).items():
        if isinstance(value, cached_property):
            getattr(metrics, name)
    lines = metrics.exposition().decode().splitlines()
    series = {line.split()[2].removeprefix(f"{PREFIX}_") for line in lines if line[:6] == "# TYPE"}
    listed = TEXT.partition("\n## Metrics\n")[2]
    assert len(series) > 10
    assert [name for name in series if f"`{name}" not in listed] == []


def test_every_audit_annotation_and_decision_is_listed() -> None:
    backfill = {"start": "2026-11-10T00:30:00Z", "end": "2026-11-11T00:00:00Z"}
    config = AdmissionConfig(WORKER, parse_error)
    asked = [
        decode(as_go_writes(review(rule(**spec))))
        for spec in ({"backfill": backfill}, {"body": ".show tables"}, {})
    ]
    answers = [
        decide(request, config, Instant.parse(NOW))[0]
        for request in asked
        for decide in (mutate, validate)
    ]
    section = TEXT.partition("\n## Where refusals are reported\n")[2].partition("\n## ")[0]
    names = {name for answer in answers for name in answer.audit}
    assert names == {"decision", "requested-range", "windows"}
    decisions = {answer.decision for answer in answers} | {"passed"}
    assert [word for word in names | decisions if f"`{word}`" not in section] == []
