"""The commands: what they print, their exit codes, and that bad input is one clear sentence."""
# ruff: noqa: E501 - texts as users write them

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

import crdgen
from crdgen import reference
from crdgen.__main__ import main
from crdgen.definition import decode_definition
from crdgen.yaml_writer import to_yaml
from tests.crdgen.differential.definitions import field_with

MODELS = '''
from pydantic import BaseModel, ConfigDict
import crdgen


class Spec(BaseModel):
    size: int = 1


class Oven(BaseModel):
    """Bakes."""

    model_config = ConfigDict(
        json_schema_extra=crdgen.resource(group="example.com", version="v1", storage=True)
    )
    spec: Spec


class Newer(Oven):
    model_config = ConfigDict(
        json_schema_extra=crdgen.resource(
            group="example.com", version="v2", kind="Oven", storage=False
        )
    )


class Plain:
    pass


number = 3
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "ovens_for_tests.py").write_text(MODELS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ovens_for_tests", raising=False)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_generate_writes_the_same_bytes_every_time(folder: Path) -> None:
    assert main(["generate", "ovens_for_tests:Oven", "-o", "a.yaml"]) == 0
    assert main(["generate", "ovens_for_tests:Oven", "-o", "b.yaml"]) == 0
    assert (folder / "a.yaml").read_bytes() == (folder / "b.yaml").read_bytes()
    assert main(["check", "a.yaml"]) == 0


def test_generate_puts_several_versions_of_a_kind_into_one_definition(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "ovens_for_tests:Oven", "ovens_for_tests:Newer"]) == 0
    text = capsys.readouterr().out
    assert text.count("kind: CustomResourceDefinition") == 1
    assert "name: v1" in text
    assert "name: v2" in text


def test_verify_is_exit_1_on_drift_and_writes_nothing(folder: Path) -> None:
    assert main(["generate", "ovens_for_tests:Oven", "-o", "a.yaml"]) == 0
    assert main(["generate", "ovens_for_tests:Oven", "-o", "a.yaml", "--verify"]) == 0
    (folder / "a.yaml").write_text("other\n")
    assert main(["generate", "ovens_for_tests:Oven", "-o", "a.yaml", "--verify"]) == 1
    assert (folder / "a.yaml").read_text() == "other\n"


def test_generate_writes_the_reference_page_in_the_same_run(folder: Path) -> None:
    both = ["generate", "ovens_for_tests:Oven", "-o", "a.yaml", "--reference", "a.md"]
    assert main(both) == 0
    assert main(["reference", "a.yaml", "-o", "b.md"]) == 0
    assert (folder / "a.md").read_text() == (folder / "b.md").read_text()
    (folder / "a.md").write_text("another page\n")
    assert main([*both, "--verify"]) == 1
    assert (folder / "a.md").read_text() == "another page\n"


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ("ovens_for_tests", "write MODULE:MODEL"),
        ("no_such_module:Oven", "does not import: ModuleNotFoundError"),
        ("ovens_for_tests:Stove", "the module has no Stove"),
        ("ovens_for_tests:Plain", "Plain is the class Plain, not a Pydantic v2 model"),
        ("ovens_for_tests:number", "number is a int, not a Pydantic v2 model"),
        ("ovens_for_tests:Spec", "does not say which resource it is"),
    ],
)
def test_a_model_that_cannot_be_used_is_exit_2_and_writes_nothing(
    folder: Path, named: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", named, "-o", "out.yaml"]) == 2
    error = told(capsys)
    assert sentence in error
    assert error.count("\n") == 1
    assert not (folder / "out.yaml").exists()


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("kind: Pod\n", "holds no CustomResourceDefinition"),
        ("- a\n- b\n", "holds a list where an object should be"),
        ("a: [\n", "not YAML: line 2, column 1"),
        ("a: 1\na: 2\n", 'key "a" already set in map'),
        (BOMB, "its aliases expand to more than"),
        ("kind: CustomResourceDefinition\napiVersion: apiextensions.k8s.io/v1beta1\n", "only apiextensions.k8s.io/v1"),
        ("\x00\x01", "not YAML"),
    ],
    ids=["another kind", "a list", "broken", "twice", "bomb", "old", "binary"],
)  # fmt: skip
def test_a_file_that_is_no_definition_is_exit_2(
    tmp_path: Path, text: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "crd.yaml"
    file.write_text(text)
    assert main(["check", str(file)]) == 2
    error = told(capsys)
    assert sentence in error
    assert error.count("\n") == 1


def test_a_file_of_50_megabytes_is_exit_2_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "crd.yaml"
    with file.open("wb") as handle:
        handle.truncate(50 * 1024 * 1024)
    assert main(["check", str(file)]) == 2
    assert "50 MB is more than the 16 MB that are read" in told(capsys)


def test_a_rule_with_a_syntax_error_is_shown_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = {"type": "string", "x-kubernetes-validations": [{"rule": "self == "}]}
    file = tmp_path / "crd.yaml"
    file.write_text(to_yaml(field_with(schema)), encoding="utf-8")
    assert main(["check", str(file)]) == 1
    assert "ERROR: <input>:1:9: Syntax error" in capsys.readouterr().out


def test_check_gives_the_cost_of_every_rule_and_what_lacks_a_bound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = {
        "type": "array",
        "items": {"type": "string", "x-kubernetes-validations": [{"rule": "self.matches('a')"}]},
    }
    file = tmp_path / "crd.yaml"
    file.write_text(to_yaml(field_with(schema)), encoding="utf-8")
    assert main(["check", str(file), "-o", "json"]) == 1
    verdict = json.loads(capsys.readouterr().out)[0]
    assert verdict["accepted"] is False
    assert verdict["costs"][0]["unbounded"] == ["spec.a", "spec.a[*]"]
    assert verdict["costs"][0]["total"] > 10_000_000


def test_validate_speaks_as_the_server_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crd, oven = tmp_path / "crd.yaml", tmp_path / "oven.yaml"
    crd.write_text(to_yaml(field_with({"type": "integer", "maximum": 3})), encoding="utf-8")
    oven.write_text(
        "apiVersion: edges.example.com/v1\nkind: Oven\nmetadata: {name: a}\nspec: {a: 7, b: 1}\n"
    )
    assert main(["validate", str(crd), str(oven)]) == 1
    text = capsys.readouterr().out
    assert "spec.a: Invalid value: 7: spec.a in body should be less than or equal to 3" in text
    assert 'strict decoding error: unknown field "spec.b"' in text


def test_validate_refuses_a_transition_that_a_rule_forbids(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crd = tmp_path / "crd.yaml"
    rule = {"rule": "self == oldSelf", "message": "is immutable"}
    schema = {"type": "string", "x-kubernetes-validations": [rule]}
    crd.write_text(to_yaml(field_with(schema)), encoding="utf-8")
    for name in ("old", "new"):
        (tmp_path / f"{name}.yaml").write_text(
            f"apiVersion: edges.example.com/v1\nkind: Oven\nmetadata: {{name: a}}\nspec: {{a: {name}}}\n"
        )
    new, old = str(tmp_path / "new.yaml"), str(tmp_path / "old.yaml")
    assert main(["validate", str(crd), new]) == 0
    assert main(["validate", str(crd), new, "--old", old]) == 1
    assert 'spec.a: Invalid value: "new": is immutable' in capsys.readouterr().out


def test_an_object_of_another_kind_is_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crd, pod = tmp_path / "crd.yaml", tmp_path / "pod.yaml"
    crd.write_text(to_yaml(field_with({"type": "string"})), encoding="utf-8")
    pod.write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n")
    assert main(["validate", str(crd), str(pod)]) == 2
    assert "it serves Oven of edges.example.com/v1" in told(capsys)


def test_the_reference_page_shows_what_markdown_would_take_for_markup() -> None:
    class Spec(BaseModel):
        name: str = Field(description="Letters, '_' and `<a_b>`, read as _<label>.")

    class Named(BaseModel):
        model_config = ConfigDict(
            json_schema_extra=crdgen.resource(group="x.example.com", version="v1")
        )
        spec: Spec

    page = reference.render_page([decode_definition(each) for each in crdgen.generate(Named)])
    assert r"Letters, '\_' and `<a_b>`, read as \_\<label\>." in page


def test_a_file_without_an_object_is_exit_2(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["generate", "ovens_for_tests:Oven", "-o", "a.yaml"])
    (folder / "none.yaml").write_text("# nothing yet\n")
    assert main(["validate", "a.yaml", "none.yaml"]) == 2
    assert capsys.readouterr().err == "crdgen: none.yaml: holds no object\n"


def test_help_shows_an_example_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("generate", "check", "diff", "validate", "reference"):
        with pytest.raises(SystemExit) as exit_:
            main([command, "--help"])
        assert exit_.value.code == 0
        assert "example:" in capsys.readouterr().out


def test_importing_crdgen_loads_neither_yaml_nor_cel_nor_pydantic() -> None:
    loaded = "import sys, crdgen.__main__; print(sorted({'yaml', 'pydantic', 'cel_expr_python'} & set(sys.modules)))"
    command = [sys.executable, "-c", loaded]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
