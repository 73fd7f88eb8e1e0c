"""What a change of a definition is told to do, and that the API server does just that."""
# ruff: noqa: E501 - one case a line

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from crdgen import diff, to_yaml
from crdgen.__main__ import main
from tests.crdgen.differential.definitions import KEYED, LABELS, field_with, spec_with
from tests.crdgen.differential.kitchen import Oven, oven
from tests.crdgen.differential.server import Server
from tests.crdgen.pairs import BREAKING, NOTHING, RATCHETED, SAFE, SAME, Pair

UNKEYED = {key: value for key, value in KEYED.items() if not key.startswith("x-")}
ATOMIC = LABELS | {"x-kubernetes-map-type": "atomic"}
PAIRS = [*BREAKING, *RATCHETED, *SAFE]


def test_there_are_enough_pairs() -> None:
    assert len(BREAKING) >= 15
    assert len(SAFE) >= 15


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_a_change_gets_its_grade(pair: Pair) -> None:
    found = {
        change.rule: change.grade for change in diff(field_with(pair.old), field_with(pair.new))
    }
    assert found.get(pair.rule) == pair.grade, found
    if pair.grade != "breaking":
        assert "breaking" not in found.values(), found
    if pair.grade == "safe":
        assert set(found.values()) == {"safe"}, found


@pytest.mark.parametrize(("name", "old", "new"), SAME, ids=lambda value: str(value)[:30])
def test_what_changes_nothing_is_no_change(name: str, old: Any, new: Any) -> None:
    assert diff(field_with(old), field_with(new)) == []


@pytest.fixture(scope="module")
def served(server: Server) -> Iterator[tuple[tuple[Oven, str], tuple[Oven, str]]]:
    made = oven(801, [pair.old for pair in PAIRS]), oven(802, [pair.new for pair in PAIRS])
    yield (made[0], server.install(made[0].crd)), (made[1], server.install(made[1].crd))
    for each in made:
        server.remove(each.crd)


def outcome(server: Server, each: tuple[Oven, str], at: int, pair: Pair, value: Any) -> Any:
    """What the server stores for `value` in the pair's field, or None when it refuses."""
    made, path = each
    name, field = f"witness-{at}", f"f{at}"
    new = made.holding(field, value)
    new["metadata"]["name"] = name
    if pair.before is NOTHING:
        answer = server.try_object(path, new)
    else:
        stored = server.create(path, new | {"spec": {field: pair.before}})
        answer = server.try_update(path, stored | {"spec": {field: value}})
    return answer.object["spec"] if answer.accepted else None


def test_the_server_shows_each_breaking_pair_on_its_witness(
    server: Server, served: tuple[tuple[Oven, str], tuple[Oven, str]], subtests: pytest.Subtests
) -> None:
    for at, pair in enumerate(PAIRS):
        if pair.grade == "safe":
            continue
        with subtests.test(pair.name):
            old, new = (outcome(server, each, at, pair, pair.values[0]) for each in served)
            assert old is not None
            assert new != old


def test_the_server_admits_and_stores_alike_what_is_safe(
    server: Server, served: tuple[tuple[Oven, str], tuple[Oven, str]], subtests: pytest.Subtests
) -> None:
    for at, pair in enumerate(PAIRS):
        if pair.grade != "safe":
            continue
        for value in pair.values:
            with subtests.test(pair.name, value=value):
                old, new = (outcome(server, each, at, pair, value) for each in served)
                assert old is not None
                assert new == old


def test_a_stored_value_that_breaks_a_ratcheted_rule_may_stay(server: Server) -> None:
    fields = [pair.old for pair in RATCHETED]
    made = oven(803, fields)
    made.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["note"] = {
        "type": "string"
    }
    path = server.install(made.crd)
    try:
        stored = []
        for at, pair in enumerate(RATCHETED):
            body = made.holding(f"f{at}", pair.values[0])
            body["metadata"]["name"] = f"kept-{at}"
            stored.append(server.create(path, body))
        tight = deepcopy(made.crd)
        root = tight["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        root["properties"]["spec"]["properties"] = {
            f"f{at}": pair.new for at, pair in enumerate(RATCHETED)
        }
        server.replace(tight, path, refused=made.holding("f0", "xxxx"))
        for pair, each in zip(RATCHETED, stored, strict=True):
            answer = server.try_update(path, each | {"note": "edited"})
            assert answer.accepted, (pair.name, answer.message)
    finally:
        server.remove(made.crd)


@pytest.mark.parametrize(
    ("schemas", "values", "rule"),
    [
        ((KEYED, UNKEYED), ([{"name": "a"}], [{"name": "b"}]), "list-type-changed"),
        ((LABELS, ATOMIC), ({"a": "1"}, {"b": "1"}), "map-type-atomic"),
    ],
    ids=["a list map becomes atomic", "a map becomes atomic"],
)  # fmt: skip
def test_what_two_appliers_share_is_replaced_once_it_is_atomic(
    server: Server, schemas: tuple[Any, Any], values: tuple[Any, Any], rule: str
) -> None:
    old, new = schemas
    assert [each.rule for each in diff(field_with(old), field_with(new))] == [rule]
    results: list[Any] = []
    for number, schema in ((804, old), (805, new)):
        made = oven(number, [schema])
        path = server.install(made.crd)
        try:
            server.apply(path, made.holding("f0", values[0]), "one")
            answer = server.try_apply(path, made.holding("f0", values[1]), "two")
            results.append(answer.object.get("spec"))
        finally:
            server.remove(made.crd)
    assert results[0] != results[1]
    assert len(results[0]["f0"]) == 2


def whole(**changes: Any) -> dict[str, Any]:
    return spec_with({"type": "object", "properties": {"a": {"type": "string"}}}, **changes)


NAMES = whole()["spec"]["names"]
V1 = whole()["spec"]["versions"][0]
STATUS: Any = {"version": {"subresources": {"status": {}}}}
SELECTABLE: Any = {"version": {"selectableFields": [{"jsonPath": ".spec.a"}]}}
SCALE = {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"}


@pytest.mark.parametrize(
    ("old", "new", "rule", "grade"),
    [
        (whole(), whole(scope="Cluster"), "scope-changed", "breaking"),
        (whole(), whole(group="other.example.com"), "group-changed", "breaking"),
        (whole(), whole(names=NAMES | {"kind": "Stove"}), "kind-changed", "breaking"),
        (whole(names=NAMES | {"shortNames": ["ov"]}), whole(), "short-name-removed", "breaking"),
        (whole(), whole(names=NAMES | {"shortNames": ["ov"]}), "short-name-added", "safe"),
        (whole(), whole(**STATUS), "status-added", "breaking"),
        (whole(**STATUS), whole(), "status-removed", "breaking"),
        (whole(version={"subresources": {"scale": SCALE}}), whole(), "scale-removed", "breaking"),
        (whole(), whole(version={"subresources": {"scale": SCALE}}), "scale-added", "safe"),
        (whole(**SELECTABLE), whole(), "selectable-field-removed", "breaking"),
        (whole(), whole(**SELECTABLE), "selectable-field-added", "safe"),
        (whole(), whole(version={"served": False}), "version-unserved", "breaking"),
        (whole(), whole(version={"name": "v2"}), "stored-version-removed", "breaking"),
        (whole(versions=[V1, V1 | {"name": "v0", "storage": False}]), whole(), "served-version-removed", "breaking"),
        (whole(), whole(versions=[V1, V1 | {"name": "v2", "storage": False}]), "version-added", "safe"),
        (whole(), whole(version={"additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": ".spec.a"}]}), "column-added", "safe"),
        (whole(), whole(version={"deprecated": True}), "version-deprecated", "safe"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_change_around_the_schema_gets_its_grade(
    old: dict[str, Any], new: dict[str, Any], rule: str, grade: str
) -> None:
    assert {each.rule: each.grade for each in diff(deepcopy(old), deepcopy(new))}[rule] == grade


def test_adding_the_status_subresource_drops_a_status_written_with_the_object(
    server: Server,
) -> None:
    results = []
    versions: list[tuple[int, Any]] = [(806, {}), (807, {"subresources": {"status": {}}})]
    for number, version in versions:
        made = oven(number, [{"type": "string"}])
        root = made.crd["spec"]["versions"][0]
        root["schema"]["openAPIV3Schema"]["properties"]["status"] = {"type": "string"}
        root |= version
        path = server.install(made.crd)
        answer = server.try_object(path, made.holding("f0", "x") | {"status": "done"})
        results.append(answer.object.get("status"))
        server.remove(made.crd)
    assert results == ["done", None]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(to_yaml(field_with({"type": "string"})), encoding="utf-8")
    new.write_text(to_yaml(field_with({"type": "integer"})), encoding="utf-8")
    return old, new


def test_a_breaking_change_is_exit_1_and_says_whom_it_hits(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", *map(str, files), "-o", "json"]) == 1
    told = json.loads(capsys.readouterr().out)[0]
    assert told["path"] == "v1.spec.a"
    assert told["grade"] == "breaking"
    assert told["hits"]


def test_a_waiver_with_a_reason_lets_a_breaking_change_pass(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waivers = tmp_path / "waivers.yaml"
    waivers.write_text("- {rule: type-changed, path: v1.spec.*, reason: nobody used it}\n")
    assert main(["diff", *map(str, files), "--waivers", str(waivers)]) == 0
    assert "waived: nobody used it" in capsys.readouterr().out


def test_a_waiver_without_a_reason_is_exit_2(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waivers = tmp_path / "waivers.yaml"
    waivers.write_text("- {rule: type-changed, path: v1.spec.a}\n")
    assert main(["diff", *map(str, files), "--waivers", str(waivers)]) == 2
    assert "lacks a reason" in capsys.readouterr().err


def test_markdown_is_a_table(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", *map(str, files), "-o", "markdown"]) == 1
    assert "| breaking | `v1.spec.a` | type string → integer |" in capsys.readouterr().out


def test_a_change_that_refuses_what_was_taken_is_exit_1_and_says_whom_it_spares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(to_yaml(field_with({"type": "string"})), encoding="utf-8")
    new.write_text(to_yaml(field_with({"type": "string", "maxLength": 3})), encoding="utf-8")
    assert main(["diff", str(old), str(new)]) == 1
    assert "whoever creates or changes such an object; ratcheting spares" in capsys.readouterr().out
    assert main(["diff", str(old), str(new), "--strict"]) == 1
