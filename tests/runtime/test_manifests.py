"""YAML is read as kubectl reads it, not as PyYAML does, by each reader that there is."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from crdgen.errors import InputError
from crdgen.yaml_reader import read_documents
from devstack.binaries.find import resolve
from runtime.manifests import ManifestError, load_all, read_file, require_rules

HEAD = "apiVersion: adx-mon.azure.com/v1\nkind: SummaryRule\n"
ITEM = "{apiVersion: adx-mon.azure.com/v1, kind: SummaryRule}"

SCALARS: list[tuple[str, object]] = [
    ("2026-01-31T13:00:00Z", "2026-01-31T13:00:00Z"),
    ("2026-01-31", "2026-01-31"),
    ("!!timestamp 2026-01-31", "2026-01-31"),
    ("1:30", "1:30"),
    ("3600", 3600),
    ("1_000", 1000),
    ("0x1F", 31),
    ("0o17", 15),
    ("-017", -15),
    ("0b11", 3),
    ("08.5", 8.5),
    ("-1.5", -1.5),
    ("1_0.5", 10.5),
    (".5", 0.5),
    ("1e3", 1000.0),
    ("1_e3", 1000.0),
    ("yes", True),
    ("y", True),
    ("Off", False),
    ("~", None),
    ("", None),
    ("'yes'", "yes"),
    ("1h", "1h"),
    ("_1", "_1"),
    ("0o8", "0o8"),
    ("{1: a, yes: b, 1.5: c}", {"1": "a", "true": "b", "1.5": "c"}),
]
REFUSED = ["a: [", "{a: 1, a: 2}", "!!python/object/apply:os.getpid []", "a: &a [*a]"]


def from_crdgen(text: str, folder: Path) -> Any:
    path = folder / "document.yaml"
    path.write_text(text, "utf-8")
    return read_documents(path)[0]


def from_runtime(text: str, _folder: Path) -> Any:
    return load_all(text)[0]


READERS = pytest.mark.parametrize("read", [from_crdgen, from_runtime])
Read = Callable[[str, Path], Any]


@READERS
@pytest.mark.parametrize(("written", "meant"), SCALARS)
def test_a_plain_scalar_means_what_kubectl_takes_it_for(
    read: Read, tmp_path: Path, written: str, meant: object
) -> None:
    found = read(f"value: {written}\n", tmp_path)["value"]
    assert found == meant
    assert type(found) is type(meant)


@pytest.mark.e2e
def test_kubectl_itself_reads_these_scalars_so(tmp_path: Path) -> None:
    """NB: ``kubectl annotate --local`` prints what it read, and asks no server."""
    values = {f"v{index}": written for index, (written, _) in enumerate(SCALARS)}
    path = tmp_path / "object.yaml"
    lines = (f"{name}: {written}\n" for name, written in values.items())
    path.write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\n{''.join(lines)}")
    done = subprocess.run(
        [resolve(print)["kubectl"], "annotate", "--local", "-f", path, "a=b", "-o", "json"],
        env={**os.environ, "KUBECONFIG": os.devnull},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert [found.get(name) for name in values] == [meant for _, meant in SCALARS]


@READERS
@pytest.mark.parametrize("text", REFUSED)
def test_what_kubectl_cannot_read_is_refused(read: Read, tmp_path: Path, text: str) -> None:
    with pytest.raises((InputError, yaml.YAMLError)):
        read(text, tmp_path)


@READERS
def test_aliases_that_multiply_are_refused(read: Read, tmp_path: Path) -> None:
    rows = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    with pytest.raises((InputError, yaml.YAMLError), match="aliases expand to more than"):
        read("\n".join(rows), tmp_path)


def test_a_list_and_many_documents_are_opened(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(f"{HEAD}---\n---\napiVersion: v1\nkind: List\nitems: [{ITEM}, {ITEM}]\n")
    assert len(read_file(str(path)).rules) == 3


def test_a_list_of_our_kind_is_opened_and_gives_its_items_their_type(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "apiVersion: adx-mon.azure.com/v1\nkind: SummaryRuleList\n"
        "items: [{metadata: {name: bare}}, " + ITEM + "]\n"
    )
    first, second = read_file(str(path)).rules
    assert (first["kind"], first["metadata"]) == ("SummaryRule", {"name": "bare"})
    assert second["apiVersion"] == "adx-mon.azure.com/v1"


def test_objects_of_other_kinds_are_named_and_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "built.yaml"
    path.write_text(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: monitoring}\n"
        f"---\n{HEAD}---\napiVersion: adx-mon.azure.com/v1\nkind: AlertRule\n"
    )
    file = read_file(str(path))
    assert len(file.rules) == 1
    assert file.note == (
        f"{path}: skipped 2 objects of another kind:"
        " v1 Namespace monitoring, adx-mon.azure.com/v1 AlertRule"
    )
    require_rules([file])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no SummaryRule"),
        ("a: [", "cannot be read as YAML"),
        ("- 1", "not an object"),
        ("apiVersion: v1\nkind: Pod\n", "expected adx-mon.azure.com/v1 SummaryRule, found v1 Pod"),
        ("!!python/object/apply:os.getpid []", "cannot be read as YAML"),
    ],
)
def test_what_is_no_summary_rule_is_refused_in_one_sentence(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(ManifestError, match=said):
        require_rules([read_file(str(path))])


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(ManifestError, match="No such file"):
        read_file("/nonexistent/rule.yaml")
