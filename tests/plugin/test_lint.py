"""`lint` says what admission would, and asks the API server if it is told to."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugin.__main__ import main
from plugin.cli import parse
from plugin.commands.lint import lint
from plugin.console import Console
from plugin.kubectl import Kubectl
from tests.plugin.rules import rule

REFUSAL = 'The SummaryRule "cpu" is invalid: \n* spec.body: no\n* spec.table: no\n'


class Server(Kubectl):
    """An API server that gives one answer, and keeps what it was asked."""

    def __init__(self, *, stores: bool, says: str) -> None:
        super().__init__("none", [])
        self._answer = stores, says
        self.asked: list[tuple[tuple[str, ...], str]] = []

    def try_run(self, *words: str, given: str = "") -> tuple[bool, str]:
        self.asked.append((words, given))
        return self._answer


def write(path: Path, *rules: dict[str, Any]) -> str:
    path.write_text(yaml.safe_dump_all(rules), "utf-8")
    return str(path)


def fine(**spec: Any) -> dict[str, Any]:
    made = rule()
    del made["status"]
    made["spec"] |= spec
    return made


def linted(kubectl: Kubectl, *words: str) -> tuple[int, list[str]]:
    out = io.StringIO()
    code = lint(kubectl, parse(["lint", *words]), Console(out, io.StringIO()))
    return code, out.getvalue().splitlines()


def test_each_finding_has_its_file_and_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write(tmp_path / "good.yaml", fine())
    bad = write(tmp_path / "bad.yaml", fine(interval="1d", body=".show tables"), fine())
    assert main(["lint", good]) == 0
    assert capsys.readouterr().out == f"{good}: cpu: would be admitted\n"
    assert main(["lint", good, bad]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith(f'{bad}: cpu: spec.interval: Invalid value: "1d": must be a Go')
    assert lines[2].startswith(f'{bad}: cpu: spec.body: Invalid value: ".show tables": is a ')
    assert lines[3] == f"{bad}: cpu: would be admitted"


def test_a_warning_refuses_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "rule.yaml", fine(body="CPU | count"))
    code, (warning, last) = linted(Server(stores=True, says=""), path)
    assert code == 0
    assert warning.startswith(f"{path}: cpu: warning: spec.body: ")
    assert last == f"{path}: cpu: would be admitted"


def test_the_server_is_asked_only_with_cluster_and_its_answer_is_shown(tmp_path: Path) -> None:
    path = write(tmp_path / "rule.yaml", fine())
    server = Server(stores=False, says=REFUSAL)
    assert linted(server, path)[0] == 0
    assert server.asked == []
    code, lines = linted(server, path, "--cluster")
    assert code == 1
    assert lines == [
        f'{path}: cpu: server: The SummaryRule "cpu" is invalid: ',
        f"{path}: cpu: server: * spec.body: no",
        f"{path}: cpu: server: * spec.table: no",
    ]
    ((words, given),) = server.asked
    assert words == ("apply", "--dry-run=server", "-f", "-")
    assert json.loads(given) == fine()


def test_json_has_what_admission_says_and_what_the_server_says(tmp_path: Path) -> None:
    path = write(tmp_path / "rule.yaml", fine())
    stores = Server(stores=True, says="summaryrule.adx-mon.azure.com/cpu created (server dry run)")
    _, lines = linted(stores, path, "--cluster", "-o", "json")
    assert json.loads("\n".join(lines)) == [
        {
            "file": path,
            "name": "cpu",
            "allowed": True,
            "violations": [],
            "warnings": [],
            "server": "summaryrule.adx-mon.azure.com/cpu created (server dry run)",
        }
    ]


def test_a_file_without_a_rule_is_bad_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "none.yaml", {"apiVersion": "v1", "kind": "Namespace"})
    assert main(["lint", path]) == 2
    assert "expected adx-mon.azure.com/v1 SummaryRule, found v1" in capsys.readouterr().err
    assert main(["lint", str(tmp_path / "gone.yaml")]) == 2
    assert "gone.yaml: No such file or directory" in capsys.readouterr().err


def test_files_may_stand_before_and_after_options_and_a_cluster_of_kubectl_before() -> None:
    args = parse(["--cluster=other", "lint", "a.yaml", "-o", "json", "b.yaml"])
    assert args.files == ["a.yaml", "b.yaml"]
    assert args.cluster == "other"
    assert not args.ask_server
