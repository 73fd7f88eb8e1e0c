"""The official clients of other languages, from their registries, as people use them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.emulator.client import Kusto

CLIENTS = Path(__file__).parent / "clients"
Steps = dict[str, list[object]]


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def steps(output: str) -> Steps:
    lines = [json.loads(line) for line in output.splitlines()]
    return {line["step"]: line["rows"] for line in lines}


@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")
def test_the_go_client_queries_commands_and_appends(kusto: Kusto) -> None:
    output = run(["go", "run", ".", kusto.url, kusto.database], CLIENTS / "go")
    found = steps(output)
    assert found["types"] == [
        [
            *("true", "2026-11-01T01:02:03.4567891Z", "1.25", '{"a":[1,null]}'),
            *("3827def6-0773-4f2a-859e-c02cf395deaf", "7", "9007199254740993", "1.5"),
            *("ä", "26h3m4s", ""),
        ]
    ]
    assert found["parameters"] == [["2.5", "it's"]]
    assert found["iterative"] == [["5000"]]
    assert found["append"] == [["Completed"]]
    assert "SEM0100: Failed to resolve table or column expression" in str(found["error"])


@pytest.mark.skipif(shutil.which("npm") is None, reason="Node is not installed")
def test_the_node_client_queries_commands_and_appends(kusto: Kusto, tmp_path: Path) -> None:
    folder = shutil.copytree(CLIENTS / "node", tmp_path / "node")
    run(["npm", "install", "--no-audit", "--no-fund"], folder)
    found = steps(run(["node", "main.mjs", kusto.url, kusto.database], folder))
    assert found["types"] == [
        {
            "b": True,
            "d": "2026-11-01T01:02:03.456Z",
            "m": "1.25",
            "o": {"a": [1, None]},
            "g": "3827def6-0773-4f2a-859e-c02cf395deaf",
            "i": 7,
            "l": 5,
            "r": 1.5,
            "s": "ä",
            "t": 93784000,
        }
    ]
    assert found["parameters"] == [{"Value": 1.5}]
    assert found["append"] == [{"State": "Completed"}]
    assert "SEM0100: Failed to resolve table or column expression" in str(found["error"])
