"""``webhook review`` reads YAML as kubectl does, not as PyYAML does."""

from pathlib import Path

import pytest

from webhook.errors import UnreadableManifestError
from webhook.manifest import read

HEAD = "apiVersion: adx-mon.azure.com/v1\nkind: SummaryRule\n"


def spec_of(tmp_path: Path, value: str) -> object:
    path = tmp_path / "rule.yaml"
    path.write_text(f"{HEAD}spec: {{value: {value}}}\n", "utf-8")
    return read(str(path))[0]["spec"]["value"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-31T13:00:00Z", "2026-01-31T13:00:00Z"),
        ("2026-01-31", "2026-01-31"),
        ("1:30", "1:30"),
        ("3600", 3600),
        ("1_000", 1000),
        ("0x1F", 31),
        ("-1.5", -1.5),
        ("1e3", 1000.0),
        ("yes", True),
        ("y", True),
        ("Off", False),
        ("~", None),
        ("", None),
        ("'yes'", "yes"),
        ("1h", "1h"),
    ],
)
def test_a_plain_scalar_means_what_kubectl_takes_it_for(
    tmp_path: Path, written: str, meant: object
) -> None:
    found = spec_of(tmp_path, written)
    assert found == meant
    assert type(found) is type(meant)


def test_a_list_and_many_documents_are_opened(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    item = "{apiVersion: adx-mon.azure.com/v1, kind: SummaryRule}"
    path.write_text(f"{HEAD}---\n---\napiVersion: v1\nkind: List\nitems: [{item}, {item}]\n")
    assert len(read(str(path))) == 3


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
    with pytest.raises(UnreadableManifestError, match=said):
        read(str(path))


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(UnreadableManifestError, match="No such file"):
        read("/nonexistent/rule.yaml")
