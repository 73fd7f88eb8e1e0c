"""The short ways that an allowed review takes end where the long ones do."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from summaryrule.admission.context import AdmissionContext
from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.api.schema_fast_path import is_plain
from summaryrule.api.schema_validation import validate_schema
from summaryrule.api.windows import count_windows, windows_between
from tests.domain.laws.strategies import (
    durations_and_near_misses,
    instants,
    intervals,
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
PLAIN = {
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
PLACES = st.sampled_from([*PLAIN, "criteria", "ingestion_delay", "name", "other"])


NOW = Instant.parse("2026-11-24T06:00:00Z")


def plain(spec: object) -> bool:
    return is_plain(AdmissionContext({}, {"spec": spec}, "alice", NOW, lambda _: None))


def has_nothing_against(spec: object) -> bool:
    return validate_schema({"spec": spec}) == ()


def test_a_spec_as_people_write_it_is_plain() -> None:
    assert plain(PLAIN)


@given(st.dictionaries(PLACES, VALUES, max_size=3), st.sets(PLACES, max_size=1))
@settings(max_examples=1000)
def test_the_schema_has_nothing_against_what_is_plain(
    changes: dict[str, Any], missing: set[str]
) -> None:
    spec = {key: value for key, value in {**PLAIN, **changes}.items() if key not in missing}
    assert has_nothing_against(spec) or not plain(spec)


@given(st.dictionaries(st.sampled_from(list(BACKFILL)), VALUES, max_size=2))
@settings(max_examples=500)
def test_the_schema_has_nothing_against_a_plain_backfill(changes: dict[str, Any]) -> None:
    spec = {**PLAIN, "backfill": {**BACKFILL, **changes}}
    assert has_nothing_against(spec) or not plain(spec)


@given(instants, instants, intervals)
def test_counting_windows_is_tiling_without_the_tiles(
    start: Instant, end: Instant, interval: Duration
) -> None:
    assert count_windows(start, end, interval) == len(windows_between(start, end, interval))
