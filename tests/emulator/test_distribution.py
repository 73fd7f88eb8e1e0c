"""The endpoint's own wheel: it serves where nothing else is installed, and its README is so."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.emulator.client import until

ROOT = Path(__file__).parents[2]
UV = str(ROOT / "hack/tools/uv")
README = (ROOT / "emulator" / "README.md").read_text()


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(
        UV,
        "build",
        "--quiet",
        "--package",
        "kusto-local-endpoint",
        "--wheel",
        "--out-dir",
        str(folder),
    )
    [wheel] = folder.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        "emulator",
        "kusto_local_endpoint",
    }
    assert "emulator/page.html" in names
    run(UV, "venv", "--quiet", str(folder / "venv"))
    run(UV, "pip", "install", "--quiet", "--python", str(folder / "venv"), str(wheel))
    return folder


def test_the_readmes_lines_run_against_the_installed_command(environment: Path) -> None:
    port = environment / "port"
    command = [
        str(environment / "venv/bin/kusto-endpoint"),
        "--port",
        "0",
        "--port-file",
        str(port),
    ]
    process = subprocess.Popen(command, cwd=environment, stdout=subprocess.DEVNULL)
    try:
        until(port.exists, "no port was written")
        [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
        (environment / "samples.csv").write_text(
            "2026-11-01T00:00:00Z,a,1\n2026-11-01T01:00:00Z,a,2\n"
        )
        text = example.replace(":8080", f":{port.read_text().strip()}")
        script = "import warnings; warnings.simplefilter('ignore')\n" + text
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert '"avg_Value": 1.5' in done.stdout
        assert len([line for line in example.splitlines() if line]) == 5
    finally:
        process.terminate()
        assert process.wait(30) == 0
