"""Whatever a module says, `generate` answers with a definition or with sentences, and exit 0 or 2."""
# ruff: noqa: E501 - texts as users write them

import sys
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crdgen.__main__ import main

HEAD = """
from __future__ import annotations
import re
from datetime import *
from decimal import Decimal
from enum import Enum
from typing import *
from uuid import UUID
from pydantic import *
import crdgen
"""
ANNOTATIONS = (
    "int", "str", "float", "Any", "object", "Callable", "Nowhere", "list[Nowhere]", "Spec", "list[Spec]", "type",
    "Literal[()]", "Literal['a', 1, True]", "dict[str, Any]", "dict[Spec, int]", "tuple", "set[dict[str, int]]",
    "Decimal", "bytes", "complex", "Annotated[int, Field(ge='a')]", "Annotated[str, Field(pattern='(')]",
    "Annotated[str, Field(max_length=-1)]", "Annotated[int, 3]", "int | 'str'", "Optional[Spec]", "Enum",
    "Annotated[int | str, Field(discriminator='kind')]", "crdgen.ListMap('a')", "Annotated[list[int], crdgen.ListMap('a')]",
    "Annotated[int, crdgen.Rule('self ==')]", "Annotated[str, WithJsonSchema({'type': 7})]",
    "Annotated[str, WithJsonSchema({'properties': 3})]", "Annotated[str, WithJsonSchema({'anyOf': 'x'})]",
    "Annotated[str, WithJsonSchema({'$ref': '#/zz'})]", "Annotated[str, WithJsonSchema({'enum': 4, 'maxLength': 'x'})]",
    "Annotated[str, WithJsonSchema(lambda: 1)]", "Json", "SecretStr", "re.Pattern", "Generic", "None", "Never", "Self",
)  # fmt: skip
DEFAULTS = ("", " = 1", " = None", " = object()", " = {1, 'a'}", " = float('nan')", " = Field(default_factory=dict)",
            " = Field(alias='a b')", " = b'\\xff'", " = Spec", " = 1 / 0", " = Field(json_schema_extra=print)",
            " = Field(json_schema_extra={'default': {1: 2}})")  # fmt: skip
EXTRAS = (
    '{"x-kubernetes-crd": {"group": "example.com", "version": "v1"}}', "{}", '{"x-kubernetes-crd": 3}',
    '{"x-kubernetes-crd": {"group": 3, "version": "v1"}}', '{"x-kubernetes-crd": {"group": "e.com", "version": "v1", "names": 5}}',
    '{"x-kubernetes-crd": {"group": "e.com", "version": "v1", "additionalPrinterColumns": 5}}',
    '{"x-kubernetes-crd": {"group": "e.com", "version": "v1", "subresources": "status"}}',
    '{"x-kubernetes-crd": {"group": "e.com", "version": "v1", "scope": ["a"], "metadata": 7}}',
    '{"x-kubernetes-crd": {"group": "", "version": "", "names": {"plural": 4}}}', "lambda schema: 1 / 0", "7",
    '{"x-kubernetes-crd": {"group": "example.com", "version": "v1"}, "x-kubernetes-validations": "x"}',
    '{"x-kubernetes-crd": {"group": "example.com", "version": "v1"}, "properties": []}',
)  # fmt: skip
TAILS = ("", "raise SystemExit(3)", "1 /", "import nowhere", "Root = 3", "Root.model_rebuild()", "del Root",
         "raise BaseExceptionGroup('a', [KeyError()])", "class Root(Root): inner: Root", "Root.__pydantic_core_schema__ = {}")  # fmt: skip
FIELDS = st.tuples(
    st.sampled_from(["a", "b", "metadata", "kind", "status", "model_x"]), st.sampled_from(ANNOTATIONS),
    st.sampled_from(DEFAULTS),
)  # fmt: skip
NUMBERS = count()


def test_no_module_text_ends_in_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    @settings(
        max_examples=400, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        st.lists(FIELDS, min_size=1, max_size=3), st.sampled_from(EXTRAS), st.sampled_from(TAILS)
    )
    def answer(fields: list[tuple[str, str, str]], extra: str, tail: str) -> None:
        name = f"fuzzed_{next(NUMBERS)}"
        lines = [f"    {field}: {annotation}{default}" for field, annotation, default in fields]
        spec = "\n".join(["class Spec(BaseModel):", *lines])
        root = f"class Root(BaseModel):\n    model_config = ConfigDict(json_schema_extra={extra})\n    spec: Spec\n"
        text = "\n".join([HEAD, spec, root, lines[0].strip() if tail == "del Root" else "", tail])
        Path(f"{name}.py").write_text(text, encoding="utf-8")
        try:
            code = main(["generate", f"{name}:Root", "--depth", "1"])
        finally:
            sys.modules.pop(name, None)
        said = capsys.readouterr().err
        assert code in {0, 2}, text
        assert (code == 2) == bool(said), text
        assert all(line.startswith("crdgen: ") for line in said.splitlines()), said

    answer()


BAD_INPUT = {
    "a module that does not import": ("import nowhere", "module {} does not import: ModuleNotFoundError"),
    "a cycle": (
        "class Spec(BaseModel):\n    inner: list[Spec] = []",
        "spec.inner[*]: the model contains itself (Spec → Spec); state how deep",
    ),
    "a type that nobody knows": (
        "class Thing: ...\nclass Spec(BaseModel):\n    size: int\n    part: dict[str, Thing]",
        "Spec.part: Pydantic does not know the type {}.Thing; use a model, or crdgen.Data",
    ),
    "a type without a JSON form": (
        "class Thing: ...\nclass Spec(BaseModel):\n    model_config = ConfigDict(arbitrary_types_allowed=True)\n    part: Thing",
        "spec.part: no JSON schema exists for it",
    ),
    "too large a definition": (
        "Part = create_model('Part', **{f'f{n}': (int, Field(0, description='x' * 99)) for n in range(99)}); Spec = create_model('Spec', **{f'f{n}': (Part, ...) for n in range(199)})",
        "the definition has 3,022,064 bytes",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_one_sentence_with_module_class_and_field(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    name = f"bad_input_{next(NUMBERS)}"
    root = f"class Root(BaseModel):\n    model_config = ConfigDict(json_schema_extra={EXTRAS[0]})\n    spec: Spec"
    Path(f"{name}.py").write_text(f"{HEAD}\n{text}\n{root}", encoding="utf-8")
    assert main(["generate", f"{name}:Root"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"crdgen: {name}:Root: {said.format(name)}")


def test_what_a_module_prints_does_not_get_into_the_definition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    name = f"printing_{next(NUMBERS)}"
    root = f"print('hello')\nclass Root(BaseModel):\n    model_config = ConfigDict(json_schema_extra={EXTRAS[0]})"
    Path(f"{name}.py").write_text(f"{HEAD}\n{root}", encoding="utf-8")
    assert main(["generate", f"{name}:Root"]) == 0
    printed = capsys.readouterr()
    assert (printed.out[:4], printed.err) == ("---\n", "hello\n")
