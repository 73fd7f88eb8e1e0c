"""Generated values: times, durations, near misses of both, and JSON of any shape."""

from typing import Any

from hypothesis import strategies as st

from summaryrule.api.duration import Duration
from summaryrule.api.instant import MAX, Instant

instants = st.integers(0, MAX.ticks).map(Instant)
recent = st.integers(
    Instant.parse("2026-01-01T00:00:00Z").ticks, Instant.parse("2027-01-01T00:00:00Z").ticks
).map(Instant)
intervals = st.one_of(
    st.integers(60, 60 * 60 * 24 * 60).map(lambda seconds: Duration(seconds * 1_000_000_000)),
    st.sampled_from(["1m", "15m", "1h", "6h", "24h", "168h", "720h", "7m30s"]).map(Duration.parse),
)

_two = st.integers(0, 99).map("{:02d}".format)
times_and_near_misses = st.builds(
    "{}-{}-{}{}{}:{}:{}{}{}".format,
    st.sampled_from(["2026", "2024", "2023", "0000", "0001", "9999", "1900", "2000", "026"]),
    st.one_of(st.sampled_from(["01", "02", "12", "13", "00"]), _two),
    st.one_of(st.sampled_from(["01", "28", "29", "30", "31", "00"]), _two),
    st.sampled_from(["T", "T", "T", "t", " "]),
    st.one_of(st.sampled_from(["00", "23", "24"]), _two),
    st.sampled_from(["00", "59", "60", "5"]),
    st.sampled_from(["00", "59", "60"]),
    st.sampled_from(["", "", ".1", ".1234567", ".12345678", ".", ",5"]),
    st.sampled_from(["Z", "Z", "z", "", "+00:00", "-23:59", "+24:00", "+25:00", "+0100", "Z\n"]),
)

_digits = st.one_of(
    st.integers(0, 10**9).map(str),
    st.sampled_from(["", ".", "1.", ".5", "00001", "99999", "9" * 30]),
)
_unit = st.sampled_from(["h", "m", "s", "ms", "us", "ns", "d", "w", "", "H"])
durations_and_near_misses = st.one_of(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["", "", "", "-", "+", " "]),
        st.lists(st.builds("{}{}".format, _digits, _unit), max_size=4).map("".join),
        st.sampled_from(["", "", "", " ", "\n"]),
    ),
    st.sampled_from(["0", "+0", "-0", "1m", "59s", "60s", "59999ms", "PT1H", "P1M", "3 days"]),
)
names = st.text(alphabet=st.sampled_from("Ab9 ._-'[]\"é\n"), max_size=12) | st.sampled_from(
    ["__x", "x__", "_x_", "   ", "['a b']", '["a"]', "a" * 1024, "a" * 1025]
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=12,
)

_plausible_time = st.one_of(recent.map(str), times_and_near_misses, json_values)
plausible_backfills = st.one_of(
    json_values,
    st.fixed_dictionaries(
        {},
        optional={
            "start": _plausible_time,
            "end": _plausible_time,
            "requestId": st.sampled_from(["a", "b", "", 3, None]),
            "operationId": st.sampled_from(["op-1", "op-2", None, 7]),
            "maxInFlight": st.sampled_from([1, 8, 0, "2"]),
            "suspend": st.sampled_from([True, False, None]),
            "startTime": st.just("2026-01-01T00:00:00Z"),
        },
    ),
)
plausible_specs = st.one_of(
    json_values,
    st.fixed_dictionaries(
        {},
        optional={
            "database": names | json_values,
            "table": names | json_values,
            "body": st.sampled_from(["T", "", ".drop table T", "// no", None, 5]),
            "interval": st.sampled_from(["1h", "24h", "1d", "", "45m", 3600, None])
            | durations_and_near_misses,
            "ingestionDelay": st.sampled_from(["", "5m", None, "-1s", 0, "0s"]),
            "backfill": plausible_backfills,
        },
    ),
)
_annotations = st.one_of(
    json_values,
    st.dictionaries(
        st.sampled_from(["adx-mon.azure.com/backfill-requested-by", "team"]),
        st.sampled_from(["alice", "mallory", 5]),
    ),
)
_metadata = st.one_of(
    json_values,
    st.fixed_dictionaries(
        {"name": st.just("r")},
        optional={
            "annotations": _annotations,
            "deletionTimestamp": st.just("2026-11-24T00:00:00Z"),
        },
    ),
)
_range = {"start": recent.map(str), "end": recent.map(str)}
plausible_statuses = st.one_of(
    json_values,
    st.fixed_dictionaries(
        {},
        optional={
            "backfill": st.one_of(
                json_values,
                st.fixed_dictionaries(
                    {
                        "requestedStart": recent.map(str),
                        "requestedEnd": recent.map(str),
                        "doneUntil": recent.map(str),
                        "phase": st.sampled_from(["Running", "Failed", "Completed", "x"]),
                    },
                    optional={"requestId": st.sampled_from(["a", "b"]), "clearing": st.booleans()},
                ),
            ),
            "backfillHistory": json_values
            | st.lists(
                st.one_of(
                    st.fixed_dictionaries(_range, optional={"doneUntil": recent.map(str)}),
                    json_values,
                ),
                max_size=3,
            ),
        },
    ),
)


def objects() -> st.SearchStrategy[dict[str, Any]]:
    """Objects as they may arrive, from plausible to absurd."""
    return st.fixed_dictionaries(
        {},
        optional={"metadata": _metadata, "spec": plausible_specs, "status": plausible_statuses},
    )
