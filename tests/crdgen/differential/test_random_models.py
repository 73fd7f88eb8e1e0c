"""Random models: what a model takes a real server admits, and what it does not the server refuses.

A model, its definition and objects are drawn together. They agree when the model reads whatever the
server admits, and the server admits whatever the model writes. Or `generate` refuses the model.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from crdgen import CrdgenError, Options, check, generate
from crdgen.admission.validate import validate_object
from crdgen.definition import decode_definition
from tests.crdgen.differential.definitions import GROUP, Schema, spec_with
from tests.crdgen.differential.models import kinds, mutated
from tests.crdgen.differential.server import Answer, Server

MODELS = 500
MANY = 20_000
VALUES = 3
TOGETHER = 120
"""Models in one definition: storing one takes a tenth of a second, and its first object two."""
BUDGET = 80_000_000
"""Of the estimated cost of CEL rules that a definition may have."""
EXTRA: Any = {"x-kubernetes-crd": {"group": GROUP, "version": "v1"}}


@dataclass
class Case:
    """A model, its schema as a definition has it, what its rules cost, and values to try."""

    spec: type[BaseModel]
    schema: Schema
    cost: int
    values: list[Any]


@dataclass
class Findings:
    """What was compared, why models were refused, and where model and server disagree."""

    counts: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    disagreements: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counted = ", ".join(f"{count:,} {what}" for what, count in self.counts.items())
        reasons = "\n".join(f"  {n:>6,}  {why}" for why, n in self.refusals.most_common())
        return f"{counted}; disagreements: {len(self.disagreements)}\nrefused:\n{reasons}\n"


def drawn(number: int, start: int) -> Iterator[tuple[Any, list[Any]]]:
    """Annotations with values, the same for the same `start`."""
    found: list[tuple[Any, list[Any]]] = []

    @st.composite
    def cases(draw: st.DrawFn) -> tuple[Any, list[Any]]:
        kind = draw(kinds())
        values = [draw(kind.values) for _ in range(VALUES)]
        values += [draw(mutated(value)) for value in values * 2]
        return kind.annotation, list({_shown(value): value for value in values}.values())

    @seed(start)
    @settings(
        max_examples=number, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(cases())
    def collect(case: tuple[Any, list[Any]]) -> None:
        found.append(case)

    collect()
    yield from found


def prepared(annotation: Any, values: list[Any], findings: Findings) -> Case | None:
    """The model as a case, or None when `generate` refuses it."""
    spec = create_model("Spec", field=(annotation, ...))
    config = ConfigDict(json_schema_extra=EXTRA)
    root = create_model("Probe", spec=(spec, ...), __config__=config)
    findings.counts["models"] += 1
    try:
        crd = generate(root, options=Options(allow_float=False))[0]
    except CrdgenError as error:
        findings.counts["refused"] += 1
        findings.refusals[_reason(str(error))] += 1
        return None
    result = check(crd)
    if result.problems:
        findings.disagreements.append(f"{annotation}: {result.problems[0]}")
        return None
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return Case(spec, schema, sum(cost.total for cost in result.costs), values)


def _reason(error: str) -> str:
    why = error.splitlines()[0].split(": ", 2)[-1].partition(";")[0]
    return re.sub(r"'[^']*'|\(.*|\d+|default .* is|computed .* and", "…", why).strip()


def grouped(cases: list[Case]) -> Iterator[list[Case]]:
    """Cases that fit into one definition."""
    group: list[Case] = []
    for case in cases:
        if len(group) == TOGETHER or sum(each.cost for each in group) + case.cost > BUDGET:
            yield group
            group = []
        group.append(case)
    yield group


def reads(spec: type[BaseModel], body: Any) -> tuple[bool, bool]:
    """Whether the model takes `body`, and whether it writes it back as it is."""
    try:
        found = spec.model_validate_json(json.dumps(body))
    except (ValidationError, DeprecationWarning, TypeError):  # from validators of pydantic's own
        return False, False
    try:
        written = found.model_dump(mode="json", by_alias=True, exclude_unset=True, round_trip=True)
    except Exception:  # noqa: BLE001 - a value that is no JSON again is not written as it was
        return True, False
    return True, _shown(written) == _shown(body)


def _shown(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def definition_of(number: int, group: Sequence[Case]) -> Schema:
    """A definition that has each model of a group as a field: `f0`, `f1` and so on."""
    fields = {f"f{at}": case.schema for at, case in enumerate(group)}
    names = {
        "kind": f"Probe{number}", "listKind": f"Probe{number}List", "plural": f"probes{number}",
        "singular": f"probe{number}",
    }  # fmt: skip
    return spec_with(
        {"type": "object", "properties": fields},
        names=names,
        metadata={"name": f"probes{number}.{GROUP}"},
    )


def compare(
    server: Server, path: str, crd: Schema, group: Sequence[Case], findings: Findings
) -> None:
    """Hold the models of a group, of which `crd` is the definition, to the server's answers."""
    tried = [(f"f{at}", case, value) for at, case in enumerate(group) for value in case.values]
    bodies = [
        {
            "apiVersion": f"{GROUP}/v1", "kind": crd["spec"]["names"]["kind"],
            "metadata": {"name": "x"}, "spec": {name: {"field": value}},
        }
        for name, _, value in tried
    ]  # fmt: skip
    definition = decode_definition(crd)
    answers = server.try_objects(path, bodies)
    for (name, case, value), body, theirs in zip(tried, bodies, answers, strict=True):
        ours = validate_object(definition, body)
        findings.counts["objects"] += 1
        findings.counts["admitted" if theirs.accepted else "not admitted"] += 1
        wrong = difference(case, value, theirs, theirs.object.get("spec", {}).get(name))
        if not wrong and theirs.accepted != (ours.admitted and not ours.unknown):
            wrong = f"the server says {theirs.accepted}, crdgen validate says otherwise"
        if wrong:
            shown = json.dumps(case.schema)[:900]
            findings.disagreements.append(f"{value!r}: {wrong}\n  {shown}")


def difference(case: Case, value: Any, answer: Answer, stored: Any) -> str:
    """In what the model and the server differ about `value`; empty when they agree."""
    if answer.accepted:
        read, _ = reads(case.spec, stored)
        return "" if read else "admitted, and the model does not read what is stored"
    _, written = reads(case.spec, {"field": value})
    if not written:
        return ""
    return f"written by the model, and refused: {answer.causes[:1] or answer.message}"


def run(server: Server, number: int, start: int = 0) -> Findings:
    """Compare `number` random models."""
    return judge(server, drawn(number, start), first=1000 * start)


def judge(server: Server, models: Iterable[tuple[Any, list[Any]]], first: int) -> Findings:
    """Compare models, given as annotations with values, in groups.

    The API server lets the first object of a new definition wait for two seconds, so all
    definitions are stored before the first object is tried. `first` tells them from others.
    """
    findings = Findings()
    cases = [prepared(*each, findings) for each in models]
    groups = list(grouped([case for case in cases if case is not None]))
    crds = [definition_of(first + at, group) for at, group in enumerate(groups)]
    paths = [server.install(crd) for crd in crds]
    for path, crd, group in zip(paths, crds, groups, strict=True):
        compare(server, path, crd, group, findings)
        server.discard(crd)
    return findings


def report(findings: Findings, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\ncrdgen, random models: {findings}")
    assert findings.disagreements == [], "\n".join(findings.disagreements[:10])


@pytest.mark.timeout(900)
def test_models_and_the_server_agree_or_generate_refuses(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    report(run(server, MODELS), capsys)


@pytest.mark.proof
@pytest.mark.timeout(3 * 3600)
def test_twenty_thousand_models_and_the_server_agree_or_generate_refuses(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    findings = Findings()
    for start in range(1, MANY // MODELS + 1):
        part = run(server, MODELS, start)
        findings.counts += part.counts
        findings.refusals += part.refusals
        findings.disagreements += part.disagreements
        with capsys.disabled():
            sys.stdout.write(f"\r{findings.counts['models']:,} of {MANY:,} models")
            sys.stdout.flush()
    report(findings, capsys)
