"""`crdgen check` and the API server on the same definitions."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from crdgen.checks import check_definition
from crdgen.definition import decode_definition
from tests.crdgen.differential import definitions, rules
from tests.crdgen.differential.definitions import Schema, field_with, spec_with
from tests.crdgen.differential.reports import Report
from tests.crdgen.differential.server import Server
from tests.crdgen.differential.strategies import schemas

HAND_MADE = [
    *definitions.whole(),
    *((name, field_with(schema)) for name, schema in definitions.schemas()),
    *((name, spec_with(schema)) for name, schema in rules.definitions()),
]
Reports = Callable[[str], Report]


def compare(server: Server, report: Report, crd: dict[str, Any]) -> None:
    """Ask both and hold them to the same answer; count whether the words were the same too."""
    theirs, ours = server.try_definition(crd), check_definition(decode_definition(crd))
    words = [str(problem) for problem in ours.problems]
    assert ours.accepted == theirs.accepted, (theirs.message, words)
    report.agreed(accepted=theirs.accepted)
    if not theirs.accepted and theirs.causes:
        known = {_stable(word) for word in words}
        report.worded(same=all(_stable(cause) in known for cause in theirs.causes))


def _stable(words: str) -> str:
    """What of an error is the same for every writer of the same rule: no dumps, no advice."""
    head, _, rest = words.partition("Invalid value: {")
    told = rest.partition("}: ")[2] if rest else ""
    return f"{head}{told}".split(" (try simplifying")[0].split("; ")[0]


def test_there_are_at_least_400_hand_made_definitions() -> None:
    assert len(HAND_MADE) >= 400


def test_check_answers_hand_made_definitions_as_the_server_does(
    server: Server, report_of: Reports, subtests: pytest.Subtests
) -> None:
    for name, crd in HAND_MADE:
        with subtests.test(name):
            compare(server, report_of("hand-made definitions"), crd)


def test_check_answers_random_definitions_as_the_server_does(
    server: Server, report_of: Reports
) -> None:
    @settings(
        max_examples=300, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(schemas())
    def agree(schema: Schema) -> None:
        compare(server, report_of("random definitions"), field_with(schema))

    agree()
