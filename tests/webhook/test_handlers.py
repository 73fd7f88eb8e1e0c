"""What the two paths answer, whatever comes in."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonpatch import apply_patch
from msgspec import to_builtins

from runtime.cel import parse_error
from summaryrule.api.instant import Instant
from tests.webhook.documents import JSON, rules
from tests.webhook.reviews import BODY, NOW, WORKER, Json, as_go_writes, review, rule
from webhook.admission_review import AdmissionRequest, AdmissionResponse, decode
from webhook.handlers import AdmissionConfig, mutate, validate

CONFIG = AdmissionConfig(WORKER, parse_error)
AT = Instant.parse(NOW)
ANNOTATION = "adx-mon.azure.com/backfill-requested-by"


def request_for(new: object, old: object = None, **request: object) -> AdmissionRequest:
    return decode(as_go_writes(review(new, old, **request)))


def mutated(new: object, old: object = None, **request: object) -> AdmissionResponse:
    return mutate(request_for(new, old, **request), CONFIG, AT)[0]


def validated(new: object, old: object = None, **request: object) -> AdmissionResponse:
    return validate(request_for(new, old, **request), CONFIG, AT)[0]


def refusal(answer: AdmissionResponse) -> Json:
    assert answer.status is not None
    return answer.status


BACKFILL = {"start": "2026-11-10T00:30:00Z", "end": "2026-11-11T00:00:00Z"}
USERS = st.sampled_from(["alice@example.com", WORKER, ""])


@given(rules() | JSON.filter(lambda value: isinstance(value, dict)), st.none() | rules(), USERS)
@settings(max_examples=300)
def test_mutate_never_refuses_and_a_second_pass_changes_nothing(
    new: Json, old: Json | None, user: str
) -> None:
    who = {"username": user}
    once = mutated(new, old, userInfo=who)
    assert once.allowed
    again = mutated(apply_patch(new, to_builtins(once.patch)), old, userInfo=who)
    assert (again.allowed, again.patch) == (True, ())


@given(rules() | JSON.filter(lambda value: isinstance(value, dict)), st.none() | rules(), USERS)
@settings(max_examples=300)
def test_validate_answers_anything_with_causes_that_have_a_field(
    new: Json, old: Json | None, user: str
) -> None:
    answer = validated(new, old, userInfo={"username": user})
    if answer.allowed:
        assert answer.status is None
    else:
        causes = refusal(answer)["details"]["causes"]
        assert causes
        assert all(cause["field"] and cause["message"] for cause in causes)


@given(rules(), st.none() | rules())
@settings(max_examples=200)
def test_a_decision_does_not_change_the_request(new: Json, old: Json | None) -> None:
    request = request_for(new, old)
    before = json.dumps([request.object, request.old])
    mutate(request, CONFIG, AT)
    validate(request, CONFIG, AT)
    assert json.dumps([request.object, request.old]) == before


def test_mutate_defaults_aligns_and_says_so() -> None:
    new = rule(ingestionDelay=None, backfill=BACKFILL)
    answer = mutated(new)
    stored = apply_patch(new, to_builtins(answer.patch))
    assert stored["spec"]["ingestionDelay"] == "0s"
    assert stored["spec"]["backfill"]["start"] == "2026-11-10T00:00:00Z"
    assert stored["metadata"]["annotations"][ANNOTATION] == "alice@example.com"
    assert answer.audit == {"decision": "patched"}
    assert any("2026-11-10T00:30:00Z" in warning for warning in answer.warnings)


def test_a_patch_touches_only_what_changed() -> None:
    new = rule(backfill=BACKFILL)
    new["metadata"]["annotations"] = {"other": "kept"}
    assert sorted(step.path for step in mutated(new).patch) == [
        "/metadata/annotations/adx-mon.azure.com~1backfill-requested-by",
        "/spec/backfill/start",
    ]


def test_a_refusal_reads_as_the_api_servers_own() -> None:
    answer = validated(rule(table="__x", body=".drop table x"))
    status = refusal(answer)
    causes = status["details"].pop("causes")
    assert status.pop("message") == (
        'SummaryRule.adx-mon.azure.com "hourly-cpu-usage" is invalid: '
        f"[spec.table: {causes[0]['message']}, spec.body: {causes[1]['message']}]"
    )
    assert status == {
        "status": "Failure",
        "code": 422,
        "reason": "Invalid",
        "details": {
            "group": "adx-mon.azure.com",
            "kind": "SummaryRule",
            "name": "hourly-cpu-usage",
        },
    }
    assert {cause["reason"] for cause in causes} == {"FieldValueInvalid"}
    assert causes[1]["message"].startswith('Invalid value: ".drop table x": ')
    assert answer.audit["decision"] == "denied"


def test_one_violation_stands_without_brackets() -> None:
    message = refusal(validated(rule(criteriaExpression="a b")))["message"]
    assert " is invalid: spec.criteriaExpression: Invalid value: " in message
    assert "line 1, column 3" in message


def test_what_is_fine_is_allowed_without_a_word() -> None:
    answer = validated(rule())
    assert (answer.allowed, answer.status, answer.warnings) == (True, None, ())


def test_an_accepted_backfill_is_in_the_audit_log() -> None:
    backfill = {"start": "2026-11-10T00:00:00Z", "end": "2026-11-11T00:00:00Z"}
    new = rule(backfill=backfill)
    new["metadata"]["annotations"] = {ANNOTATION: "alice@example.com"}
    answer = validated(new)
    assert answer.allowed
    assert answer.audit["decision"] == "allowed"
    assert answer.audit["windows"] == "24"
    assert "2026-11-10T00:00:00Z" in answer.audit["requested-range"]


@pytest.mark.parametrize(
    "request_part",
    [
        {"operation": "DELETE", "object": None, "oldObject": rule(body="")},
        {"operation": "CONNECT", "object": None},
        {"subResource": "status"},
        {"object": {**rule(body=""), "metadata": {"deletionTimestamp": "2026-11-24T05:00:00Z"}}},
    ],
    ids=["deletion", "no object", "status", "being deleted"],
)
def test_deletion_and_status_always_pass(request_part: dict[str, Any]) -> None:
    invalid = rule(body="")
    for decide in (mutated, validated):
        answer = decide(invalid, invalid, **request_part)
        assert (answer.allowed, answer.patch, answer.warnings) == (True, (), ())


def test_a_kind_that_is_not_ours_is_let_through_with_a_warning() -> None:
    for decide in (mutated, validated):
        answer = decide({"kind": "Pod"}, kind={"group": "", "version": "v1", "kind": "Pod"})
        assert (answer.allowed, answer.patch) == (True, ())
        assert "not Pod" in answer.warnings[0]


def test_another_version_of_the_protocol_is_answered_in_that_version() -> None:
    body = as_go_writes(
        {**review(rule(ingestionDelay=None)), "apiVersion": "admission.k8s.io/v1beta1"}
    )
    request = decode(body)
    let_through, _ = mutate(request, CONFIG, AT)
    assert (let_through.allowed, let_through.patch) == (True, ())
    refused, _ = validate(request, CONFIG, AT)
    assert not refused.allowed
    assert refusal(refused)["code"] == 400
    assert "admissionReviewVersions: [v1]" in refusal(refused)["message"]


def test_the_body_of_a_rule_is_quoted_only_where_it_is_what_is_wrong() -> None:
    assert BODY not in json.dumps(refusal(validated(rule(table="__x"))))
