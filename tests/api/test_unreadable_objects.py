"""Objects that the CRD would refuse: the error names the field that is wrong."""

import pytest

from summaryrule.api.schema_validation import MalformedError, parse_rule
from tests.manifests import Json

RULE: Json = {
    "apiVersion": "adx-mon.azure.com/v1",
    "kind": "SummaryRule",
    "metadata": {"name": "hourly", "namespace": "default"},
    "spec": {"database": "Telemetry", "table": "Hourly", "body": "Raw", "interval": "1h"},
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("interval", 5),
        ("interval", "1d"),
        ("body", {"not": "text"}),
        ("database", None),
        ("backfill", {"start": "yesterday", "end": "today"}),
        ("backfill", []),
    ],
)
def test_an_object_that_cannot_be_read_is_refused_by_the_name_of_its_field(
    field: str, value: object
) -> None:
    with pytest.raises(MalformedError, match=rf"spec\.{field}"):
        parse_rule({**RULE, "spec": {**RULE["spec"], field: value}})


def test_a_status_that_cannot_be_read_is_refused_by_the_name_of_its_field() -> None:
    with pytest.raises(MalformedError, match=r"status\.schedule\.cursor"):
        parse_rule({**RULE, "status": {"schedule": {"cursor": "yesterday"}}})


def test_a_field_that_nobody_knows_is_passed_over() -> None:
    assert parse_rule({**RULE, "surprise": 1, "spec": {**RULE["spec"], "more": True}}).spec.table
