"""A null and a default that is written out change nothing in what the schema refuses."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from summaryrule.api.schema_validation import validate_schema
from tests.api.properties.strategies import (
    durations_and_near_misses,
    json_values,
    names,
    plausible_backfills,
)

BACKFILL = {
    "start": "2026-11-10T00:00:00Z",
    "end": "2026-11-11T00:00:00Z",
    "requestId": "again",
    "maxInFlight": 4,
}
SPEC = {
    "database": "Metrics",
    "table": "CPUUsageHourly",
    "body": "Metrics | where Timestamp between (_startTime .. _endTime)",
    "interval": "1h",
    "ingestionDelay": "5m",
    "suspend": False,
    "criteriaExpression": "region == 'eastus'",
    "backfill": BACKFILL,
}
VALUES = st.one_of(
    json_values,
    durations_and_near_misses,
    names,
    st.text(max_size=8),
    st.sampled_from(["\ud800", True, 0, 21, "x" * 9000, None]),
    plausible_backfills,
)
PLACES = st.sampled_from([*SPEC, "criteria", "ingestion_delay", "name", "other"])


def as_stored(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec as the API server stores it: without nulls, with the defaults of the CRD."""
    stored = {"ingestionDelay": "0s", "suspend": False, **_without_nulls(spec)}
    if isinstance(stored.get("backfill"), dict):
        stored["backfill"] = {"maxInFlight": 1, "suspend": False, **stored["backfill"]}
    return stored


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}


def test_a_usual_spec_is_valid() -> None:
    assert validate_schema({"spec": SPEC}) == ()


@given(st.dictionaries(PLACES, VALUES, max_size=3), st.sets(PLACES, max_size=1))
@settings(max_examples=1000)
def test_a_spec_is_judged_as_it_is_stored(changes: dict[str, Any], missing: set[str]) -> None:
    spec = {key: value for key, value in {**SPEC, **changes}.items() if key not in missing}
    assert validate_schema({"spec": spec}) == validate_schema({"spec": as_stored(spec)})


@given(st.dictionaries(st.sampled_from(list(BACKFILL)), VALUES, max_size=2))
@settings(max_examples=500)
def test_a_backfill_is_judged_as_it_is_stored(changes: dict[str, Any]) -> None:
    spec = {**SPEC, "backfill": {**BACKFILL, **changes}}
    assert validate_schema({"spec": spec}) == validate_schema({"spec": as_stored(spec)})
