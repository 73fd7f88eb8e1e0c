"""Generated objects: rules with anything in any place, for properties and the fuzzer."""

from copy import deepcopy
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.webhook.reviews import RULE, Json

TIMES: Final = (
    "2026-11-01T00:00:00Z",
    "2026-11-10T00:30:00.0000001Z",
    "2026-11-10T02:00:00+05:30",
    "2026-10-01T00:00:00Z",
    "2030-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.9999999Z",
    "2026-11-10T23:59:60Z",
    "2026-11-10T00:00:00.00000001Z",
    "2026-11-10",
    "",
)
LEAVES: Final[SearchStrategy[Any]] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(TIMES)
    | st.sampled_from(["1h", "24h", "90s", "1d", "720h", "0s", "-1h", "1m", "59s", "3 days"])
)
JSON: Final[SearchStrategy[Any]] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)
ANNOTATION: Final = "adx-mon.azure.com/backfill-requested-by"
SPEC: Final = (
    *("database", "table", "body", "interval", "ingestionDelay", "name", "suspend"),
    *("criteria", "criteria.region", "criteriaExpression", "backfill"),
    *(f"backfill.{name}" for name in ("start", "end", "operationId", "requestId")),
    *("backfill.maxInFlight", "backfill.suspend"),
)
METADATA: Final = ("annotations", "generation", "deletionTimestamp", "finalizers")
STATUS: Final = (
    *("backfill", "backfillHistory", "conditions"),
    *(f"backfill.{name}" for name in ("requestedStart", "requestedEnd", "phase")),
)
PLACES: Final = tuple(
    tuple(place.split("."))
    for place in (
        *("kind", "spec", "metadata", "status"),
        *(f"spec.{name}" for name in SPEC),
        *(f"metadata.{name}" for name in METADATA),
        *(f"status.{name}" for name in STATUS),
    )
)
BACKFILLS: Final = st.fixed_dictionaries(
    {"start": st.sampled_from(TIMES)},
    optional={
        "end": st.sampled_from(TIMES),
        "operationId": st.text(max_size=4),
        "requestId": st.sampled_from(["", "again", "x" * 300]),
        "maxInFlight": st.integers(-1, 30),
    },
)
STATUSES: Final = st.fixed_dictionaries(
    {},
    optional={
        "backfill": st.fixed_dictionaries(
            {"requestedStart": st.sampled_from(TIMES), "requestedEnd": st.sampled_from(TIMES)},
            optional={
                "phase": st.sampled_from(["Running", "Failed", "Completed", "Paused", "?"]),
                "requestId": st.sampled_from(["", "again"]),
                "doneUntil": st.sampled_from(TIMES),
            },
        ),
        "backfillHistory": st.lists(
            st.fixed_dictionaries(
                {"start": st.sampled_from(TIMES), "end": st.sampled_from(TIMES)},
                optional={"phase": st.sampled_from(["Completed", "Superseded"])},
            ),
            max_size=2,
        ),
    },
)


@st.composite
def rules(draw: st.DrawFn) -> Json:
    """A rule that began well: with a backfill and a status, then with anything anywhere."""
    made: Json = deepcopy(RULE)
    made["metadata"]["annotations"] = {ANNOTATION: draw(st.sampled_from(["alice", "mallory"]))}
    if draw(st.booleans()):
        made["spec"]["backfill"] = draw(BACKFILLS)
    if draw(st.booleans()):
        made["status"] = draw(STATUSES)
    for place in draw(st.lists(st.sampled_from(PLACES), max_size=3)):
        put(made, place, draw(JSON))
    return made


def put(document: Json, place: tuple[str, ...], value: object) -> None:
    """Write ``value`` at ``place`` where the way there leads through objects."""
    *parents, last = place
    holder: Any = document
    for step in parents:
        holder = holder.setdefault(step, {})
        if not isinstance(holder, dict):
            return
    holder[last] = value
