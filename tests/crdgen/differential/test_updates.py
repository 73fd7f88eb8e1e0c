"""`crdgen validate --old` and the API server on the same updates.

Objects are stored while their fields take anything; then the fields get schemas, and the objects
are edited. So old values may break the schema that holds, which is what ratcheting is about.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from itertools import repeat
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crdgen.admission.validate import validate_object
from tests.crdgen.differential.definitions import Schema
from tests.crdgen.differential.kitchen import Oven, oven, ovens
from tests.crdgen.differential.reports import Report
from tests.crdgen.differential.server import Server
from tests.crdgen.differential.strategies import values

Reports = Callable[[str], Report]
Object = dict[str, Any]
EXAMPLES = 400
STORED = 30
ANYTHING: Schema = {"x-kubernetes-preserve-unknown-fields": True}
UNHASHABLE = "runtime error: hash of unhashable type"
NOTE: Schema = {"type": "string", "maxLength": 9}


@pytest.fixture(scope="module")
def kitchen(server: Server) -> Iterator[list[tuple[Oven, str, list[Object]]]]:
    made = [_noted(each, 500 + at) for at, each in enumerate(ovens(150)[:6])]
    to_store = [_objects(each) for each in made]
    with ThreadPoolExecutor(len(made)) as beside:  # most of it is waiting for the server
        yield list(beside.map(_stored, repeat(server), made, to_store))
        list(beside.map(server.remove, (each.crd for each in made)))


def _noted(each: Oven, number: int) -> Oven:
    return oven(number, [*each.fields.values(), NOTE])


def _objects(each: Oven) -> list[Object]:
    most = -(-STORED // len(each.fields))
    examples = [(name, it) for name in each.fields for it in _examples(each.fields[name], most)]
    found = []
    for at, (field, value) in enumerate(examples[:STORED]):
        body = each.holding(field, value)
        body["metadata"]["name"] = f"kept-{at}"
        found.append(body)
    return found


def _examples(schema: Schema, most: int) -> list[Any]:
    found: list[Any] = []

    @settings(
        max_examples=4 * most, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(values(schema))
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found[-most:]  # the first ones are the simplest


def _stored(
    server: Server, each: Oven, objects: Sequence[Object]
) -> tuple[Oven, str, list[Object]]:
    loose = deepcopy(each.crd)
    spec = loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"] = dict.fromkeys(each.fields, ANYTHING)
    path = server.install(loose)
    kept = [server.create(path, body) for body in objects]
    note = list(each.fields)[-1]
    server.replace(each.crd, path, refused=each.holding(note, "x" * 10))
    return each, path, kept


def test_validate_answers_as_the_server_does_when_stored_objects_are_edited(
    server: Server, report_of: Reports, kitchen: list[tuple[Oven, str, list[Object]]]
) -> None:
    @st.composite
    def cases(draw: st.DrawFn) -> tuple[Oven, str, Object, Object]:
        each, path, stored = draw(st.sampled_from(kitchen))
        old = draw(st.sampled_from(stored))
        field = draw(st.sampled_from([*each.fields, *(list(each.fields)[-1:] * 12)]))
        spec = old["spec"] | {field: draw(values(each.fields[field]))}
        return each, path, old, old | {"spec": spec}

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(cases())
    def agree(case: tuple[Oven, str, Object, Object]) -> None:
        each, path, old, new = case
        theirs, ours = server.try_update(path, new), validate_object(each.definition, new, old)
        if UNHASHABLE in theirs.message:
            known = "the server's CEL panics on an object as a list-map key that ratcheting let be"
            report_of("objects updated").known[:] = [known]
            return
        words = sorted(str(problem) for problem in ours.problems)
        admitted = ours.admitted and not ours.unknown
        assert admitted == theirs.accepted, (theirs.message, words, ours.unknown)
        report = report_of("objects updated")
        report.agreed(accepted=admitted)
        if theirs.causes and not ours.unknown:
            report.worded(same=sorted(theirs.causes) == words)

    agree()
