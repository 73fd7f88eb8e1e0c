"""`crdgen validate` and the API server on the same objects, created and updated."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crdgen.admission.validate import validate_object
from tests.crdgen.differential.definitions import EMBEDDED
from tests.crdgen.differential.kitchen import Oven, oven, ovens
from tests.crdgen.differential.reports import Report
from tests.crdgen.differential.server import Answer, Server
from tests.crdgen.differential.strategies import metadata, values

Reports = Callable[[str], Report]
Object = dict[str, Any]
EXAMPLES = 2200
METADATA = 600


@pytest.fixture(scope="module")
def kitchen(server: Server) -> Iterator[list[tuple[Oven, str]]]:
    made = ovens(400)
    served = [(each, server.install(each.crd)) for each in made]
    yield served
    for each in made:
        server.remove(each.crd)


def compare(report: Report, each: Oven, theirs: Answer, new: Object, old: Object | None) -> None:
    """Hold both to the same answer, the same stored spec, and the same words."""
    ours = validate_object(each.definition, new, old)
    words = sorted(str(problem) for problem in ours.problems)
    admitted = ours.admitted and not ours.unknown
    assert admitted == theirs.accepted, (theirs.message, words, ours.unknown)
    report.agreed(accepted=admitted)
    if admitted:
        assert ours.object.get("spec") == theirs.object.get("spec")
    elif theirs.causes and not ours.unknown:
        same = sorted(theirs.causes) == words
        report.worded(same=same)
        assert same, (sorted(theirs.causes), words)


def test_validate_answers_as_the_server_does_when_objects_are_created(
    server: Server, report_of: Reports, kitchen: list[tuple[Oven, str]]
) -> None:
    @st.composite
    def cases(draw: st.DrawFn) -> tuple[Oven, str, Object]:
        each, path = draw(st.sampled_from(kitchen))
        field = draw(st.sampled_from(sorted(each.fields)))
        return each, path, each.holding(field, draw(values(each.fields[field])))

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(cases())
    def agree(case: tuple[Oven, str, Object]) -> None:
        each, path, new = case
        compare(report_of("objects created"), each, server.try_object(path, new), new, None)

    agree()
    assert report_of("objects created").counts["compared"] >= 2000


def test_validate_answers_as_the_server_does_about_object_metadata(
    server: Server, report_of: Reports
) -> None:
    each = oven(990, [{"type": "string"}, EMBEDDED])
    path = server.install(each.crd)
    embedded = {"apiVersion": "v1", "kind": "Pod"}

    @settings(
        max_examples=METADATA, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(metadata(), st.booleans())
    def agree(drawn: Object, inside: bool) -> None:  # noqa: FBT001 - hypothesis passes it
        if inside:
            new = each.holding("f1", embedded | {"metadata": drawn})
        else:
            new = each.holding("f0", "a")
            new["metadata"] |= drawn
        theirs, ours = server.try_object(path, new), validate_object(each.definition, new)
        assert ours.admitted == theirs.accepted, (theirs.message, list(map(str, ours.problems)))
        report_of("object metadata").agreed(accepted=ours.admitted)
        if theirs.causes:
            said = sorted(map(_unshown, theirs.causes))
            report_of("object metadata").worded(same=True)
            assert sorted(_unshown(str(problem)) for problem in ours.problems) == said

    agree()
    server.remove(each.crd)


def _unshown(words: str) -> str:
    """The words without a list of owners: Go writes its fields in their declared order."""
    return re.sub(r"Invalid value: [\[{].*[\]}]: ", "Invalid value: ", words)
