"""CEL in the CRD and the Python of `summaryrule.schema` are one reading of the same rules.

Generated specs are created on a real API server, as dry runs with no webhook in the way, and judged
in Python: the verdict must be the same and the words too. `make prove-agreement` asks for more.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from summaryrule.schema import schema
from tests.crdgen.differential.server import Answer, Server
from tests.domain.laws.strategies import (
    durations_and_near_misses,
    names,
    recent,
    times_and_near_misses,
)
from tests.e2e.manifests import rule
from tests.e2e.proofs.say import say

CRD = Path(__file__).parents[2] / "charts" / "summaryrule-operator" / "files" / "crd.yaml"
FEW, MANY = 600, 30_000
AT_ONCE = 4
UNCHECKED = "some validation rules were not checked because the object was invalid"

Json = dict[str, Any]

_odd: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, 7, -1, 1.5, "", " ", "x", [], ["x"], {}]
)
_times = st.one_of(recent.map(str), recent.map(str), times_and_near_misses)
_zoned = st.builds(
    "{}{}".format,
    recent.map(lambda instant: str(instant).removesuffix("Z")),
    st.sampled_from(["+05:30", "-00:00", "+23:59", "-23:59", "+24:00", "z", ""]),
)
_edges = st.sampled_from(
    ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59.9999999Z",
     "9999-12-31T23:59:59-00:01", "2024-02-29T00:00:00Z", "2016-12-31T23:59:60Z"]
)  # fmt: skip
_time = st.one_of(_times, _zoned, _edges)
_backfills = st.fixed_dictionaries(
    {"start": _time, "end": _time},
    optional={
        "maxInFlight": st.integers(-1, 22),
        "requestId": st.text(st.sampled_from("aé"), max_size=3) | st.just("x" * 254),
        "operationId": st.sampled_from(["op", "x" * 128, "x" * 129]),
        "suspend": st.booleans(),
        "startTime": _time,
        "endTime": _time,
    },
)
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_FIELDS: Mapping[str, st.SearchStrategy[Any]] = {
    "database": names,
    "table": names | _texts,
    "body": _texts,
    "interval": durations_and_near_misses,
    "ingestionDelay": durations_and_near_misses,
    "criteria": st.dictionaries(_texts, st.lists(_texts, max_size=2), max_size=2),
    "criteriaExpression": _texts | st.just("x" * 8193),
    "suspend": st.booleans(),
    "name": _texts,
    "backfill": _backfills,
}
_PLACES = (*_FIELDS, *(f"backfill.{name}" for name in ("start", "end", "maxInFlight", "suspend")))


@st.composite
def specs(draw: st.DrawFn) -> Json:
    """A spec that is fine but for some fields: replaced by near misses, by odd values, or gone."""
    spec: Json = dict(rule()["spec"])
    for field in draw(st.lists(st.sampled_from([*_FIELDS, "backfill"]), max_size=3)):
        spec[field] = draw(_FIELDS[field])
    for place in draw(st.lists(st.sampled_from(_PLACES), max_size=1)):
        *parents, last = place.split(".")
        holder = spec.get(parents[0]) if parents else spec
        if isinstance(holder, dict) and draw(st.booleans()):
            holder[last] = draw(_odd)
        elif isinstance(holder, dict):
            holder.pop(last, None)
    return spec


def generated(count: int) -> list[Json]:
    found: list[Json] = []

    @seed(5)
    @settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(specs())
    def collect(spec: Json) -> None:
        found.append(rule() | {"spec": spec})

    collect()
    return found


@pytest.fixture(scope="module")
def server(api_server: Path) -> Iterator[tuple[Server, str]]:
    client, crd = Server(api_server), yaml.safe_load(CRD.read_text())
    yield client, client.install(crd)
    client.remove(crd)
    client.close()


def differing(answer: Answer, manifest: Json) -> str:
    """How the server and Python differ on an object, if they do."""
    ours = sorted(map(str, schema(manifest)))
    if answer.accepted:
        return f"only Python refuses: {ours}" if ours else ""
    theirs = sorted(cause for cause in answer.causes if UNCHECKED not in cause)
    if len(theirs) < len(answer.causes):  # it has not gone on to CEL
        missing = sorted(set(theirs) - set(ours))
        return f"only the server says: {missing}" if missing else ""
    return "" if theirs == ours else f"the server says {theirs or answer.message}, Python {ours}"


def compare(server: tuple[Server, str], count: int) -> Counter[str]:
    client, path = server
    manifests = generated(count)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda each: client.try_object(path, each), manifests))
    wrong = {
        text: manifest["spec"]
        for answer, manifest in zip(answers, manifests, strict=True)
        if (text := differing(answer, manifest))
    }
    assert not wrong, "\n".join(f"{text}\n  {spec}" for text, spec in wrong.items())
    verdicts = Counter("accepted" if each.accepted else "refused" for each in answers)
    return verdicts + Counter(
        "refused in the same words, all of them"
        for each in answers
        if each.causes and not any(UNCHECKED in cause for cause in each.causes)
    )


def test_the_api_server_and_python_judge_generated_specs_alike(
    server: tuple[Server, str],
) -> None:
    found = compare(server, FEW)
    assert min(found.values()) > FEW // 10


@pytest.mark.proof
@pytest.mark.timeout(1800)
def test_they_judge_many_more_alike(server: tuple[Server, str]) -> None:
    found = compare(server, MANY)
    say(", ".join(f"{count:,} {what}" for what, count in found.items()))
