"""docs/emulator.md says what is so: its examples are run."""

import contextlib
import io
import re
from pathlib import Path
from typing import get_args

import httpx

from emulator.faults import Kind
from tests.emulator.client import Kusto

PAGE = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text()


def block(language: str) -> str:
    [text] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(text)


def test_the_python_example_runs(endpoint: str) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(block("python").replace("http://127.0.0.1:8080", endpoint), {})  # noqa: S102 - ours
    assert printed.getvalue().split() == ["Completed", "1"]


def test_every_listed_command_works(kusto: Kusto) -> None:
    for command in block("kusto").splitlines():
        kusto.mgmt(command)


def test_every_fault_is_listed_and_the_example_is_taken(endpoint: str) -> None:
    for kind in get_args(Kind):
        assert f"`{kind}`" in PAGE
    [body] = re.findall(r"-d '(.*?)'", PAGE, re.DOTALL)
    assert httpx.put(f"{endpoint}/faults", content=body).status_code == 200
    httpx.delete(f"{endpoint}/faults")
