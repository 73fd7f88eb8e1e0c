"""CEL in the CRD and `summaryrule.api.schema_validation` in Python read the same rules alike.

Generated specs are created on a real API server, as dry runs with no webhook in the way, and judged
in Python: the verdict must be the same and the words too. `make prove-agreement` asks for more.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from summaryrule.api.schema_validation import validate_schema
from tests.api.properties.strategies import (
    durations_and_near_misses,
    names,
    recent,
    times_and_near_misses,
)
from tests.crdgen.differential.server import Answer, Server
from tests.e2e.admin import admin_connection
from tests.e2e.manifests import rule
from tests.e2e.proofs.say import say

CRD = Path(__file__).parents[2] / "charts" / "summaryrule-operator" / "files" / "crd.yaml"
FEW, MANY = 600, 30_000
STORED, EDITS = 300, 10_000
AT_ONCE = 4
PATIENCE = 60.0
NOWHERE = "<nil>: "
"""What the server says of no field: that CEL was not asked, and how a type was checked."""

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
# What this Python's Unicode has not assigned, the server's may know and print; two that never are
# assigned stand for the rest.
_characters = st.characters(exclude_categories=["Cs", "Cn"]) | st.sampled_from("\uffff\U0001fffe")
_texts = st.text(_characters, max_size=20)
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
def specs(draw: st.DrawFn, start: Json | None = None, odd: st.SearchStrategy[Any] = _odd) -> Json:
    """A spec that is fine, or `start`, but for some fields: near misses, odd values, or gone."""
    spec: Json = deepcopy(start or rule()["spec"])
    for field in draw(st.lists(st.sampled_from([*_FIELDS, "backfill"]), max_size=3)):
        spec[field] = draw(_FIELDS[field])
    for place in draw(st.lists(st.sampled_from(_PLACES), max_size=1)):
        *parents, last = place.split(".")
        holder = spec.get(parents[0]) if parents else spec
        if isinstance(holder, dict) and draw(st.booleans()):
            holder[last] = draw(odd)
        elif isinstance(holder, dict):
            holder.pop(last, None)
    return spec


def generated(count: int, strategy: st.SearchStrategy[Json]) -> list[Json]:
    found: list[Json] = []

    @seed(5)
    @settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def collect(made: Json) -> None:
        found.append(made)

    collect()
    return found


@pytest.fixture
def client(api_server: Path) -> Iterator[Server]:
    made = Server(api_server)
    yield made
    made.close()


@pytest.fixture
def crd(client: Server) -> Iterator[Json]:
    definition: Json = yaml.safe_load(CRD.read_text())
    yield definition
    client.remove(definition)


@pytest.fixture
def server(client: Server, crd: Json) -> tuple[Server, str]:
    return client, client.install(crd)


def differing(answer: Answer, manifest: Json, old: Json | None) -> str:
    """How the server and Python differ on an object, if they do."""
    ours = sorted(map(str, validate_schema(manifest, old)))
    if answer.accepted:
        return f"only Python refuses: {ours}" if ours else ""
    theirs = sorted(cause for cause in answer.causes if not cause.startswith(NOWHERE))
    if len(theirs) < len(answer.causes):  # it has not gone on to CEL
        missing = sorted(set(theirs) - set(ours))
        return f"only the server says: {missing}" if missing else ""
    return "" if theirs == ours else f"the server says {theirs or answer.message}, Python {ours}"


Pair = tuple[Json, Json | None]
"""An object, and the one stored before it."""


def compare(ask: Callable[[Json], Answer], pairs: Sequence[Pair]) -> Counter[str]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(ask, (new for new, _ in pairs)))
    wrong = {
        text: (new["spec"], old and old["spec"])
        for answer, (new, old) in zip(answers, pairs, strict=True)
        if (text := differing(answer, new, old))
    }
    assert not wrong, "\n".join(f"{text}\n  {specs}" for text, specs in wrong.items())
    verdicts = Counter("accepted" if each.accepted else "refused" for each in answers)
    return verdicts + Counter(
        "refused in the same words, all of them"
        for each in answers
        if each.causes and not any(cause.startswith(NOWHERE) for cause in each.causes)
    )


def created(server: tuple[Server, str], count: int) -> Counter[str]:
    client, path = server
    pairs: list[Pair] = [(rule() | {"spec": spec}, None) for spec in generated(count, specs())]
    return compare(lambda each: client.try_object(path, each), pairs)


def stored(client: Server, crd: Json, count: int) -> str:
    """Store objects while the definition takes any text; the path of all.

    NB: of a value whose very type is wrong CEL says that, ratcheting or not (1.37.2); no release of
    this definition has let one in.
    """
    loose = deepcopy(crd)
    properties = loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    properties["spec"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    path = client.install(loose)
    for number, spec in enumerate(generated(count, specs(odd=st.none()))):
        client.create(path, rule(f"kept-{number}") | {"spec": spec})
    client.replace(crd, path, refused=rule("refused", interval="1d"))
    return path


def served(api_server: Path, path: str) -> dict[str, Json]:
    """The objects as the server gives them, by name.

    NB: just after a definition has changed a list is answered 429 (kube-apiserver 1.37.2).
    """
    url, context = admin_connection(api_server)
    last = time.monotonic() + PATIENCE
    with httpx.Client(base_url=url, verify=context, timeout=60) as asking:
        while (answer := asking.get(path)).status_code == httpx.codes.TOO_MANY_REQUESTS:
            assert time.monotonic() < last, answer.text
            time.sleep(0.1)
    items = answer.raise_for_status().json()["items"]
    return {each["metadata"]["name"]: each for each in items}


def test_the_api_server_and_python_judge_generated_specs_alike(
    server: tuple[Server, str],
) -> None:
    found = created(server, FEW)
    assert min(found.values()) > FEW // 10


@pytest.mark.proof
@pytest.mark.timeout(1800)
def test_they_judge_many_more_alike(server: tuple[Server, str]) -> None:
    tell("created", created(server, MANY))


def tell(what: str, found: Counter[str]) -> None:
    say(f"{what}: " + ", ".join(f"{count:,} {verdict}" for verdict, count in found.items()))


@pytest.mark.proof
@pytest.mark.timeout(1800)
def test_they_judge_edits_of_what_was_stored_alike(
    api_server: Path, client: Server, crd: Json
) -> None:
    """What breaks the rules and is as it was stored is let be by both."""
    path = stored(client, crd, STORED)
    olds = served(api_server, path)
    assert len(olds) == STORED
    edits = st.sampled_from([*olds.values()]).flatmap(
        lambda old: specs(old["spec"]).map(lambda spec: old | {"spec": spec})
    )
    pairs: list[Pair] = [(new, olds[new["metadata"]["name"]]) for new in generated(EDITS, edits)]
    tell("edited", compare(lambda each: client.try_update(path, each), pairs))
