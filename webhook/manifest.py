"""SummaryRules out of the YAML that people write, read as kubectl reads it.

Used by ``webhook review``. kubectl's YAML is go-yaml v2's (go.yaml.in/yaml/v2, resolve.go): a time
stays text, ``1:30`` is no number, ``yes`` and ``on`` are booleans. PyYAML's own rules differ, and
a review that reads another object than the cluster gets would be worthless.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from summaryrule.api.constants import GROUP, KIND
from webhook.errors import UnreadableManifestError

_API_VERSION = f"{GROUP}/v1"


class _KubectlLoader(yaml.SafeLoader):
    """A safe loader with go-yaml v2's idea of what a plain scalar is."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's


_PLAIN = {
    "bool": (
        r"y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF",
        "yYnNtTfFoO",
    ),
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "int": (r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)", "-+0123456789"),
    "float": (r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+0123456789."),
    "merge": (r"<<", "<"),
}  # fmt: skip
for _tag, (_pattern, _first) in _PLAIN.items():
    _KubectlLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(rf"(?:{_pattern})\Z"),
        list(_first.replace("\0", "")),
    )
_KubectlLoader.yaml_implicit_resolvers.setdefault("", []).append(
    ("tag:yaml.org,2002:null", re.compile(r"\Z"))
)
_KubectlLoader.bool_values = {**yaml.SafeLoader.bool_values, "y": True, "n": False}
_KubectlLoader.add_constructor(
    "tag:yaml.org,2002:float",
    lambda _loader, node: float(node.value.replace("_", "")),
)


def read(path: str) -> list[dict[str, Any]]:
    """Every SummaryRule in a file (``-`` is standard input); a ``kind: List`` is opened.

    Raises:
        UnreadableManifestError: when the file cannot be read, is no YAML, or has another kind.
    """
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text("utf-8")
        documents = list(yaml.load_all(text, _KubectlLoader))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise UnreadableManifestError(f"{path}: cannot be read as YAML: {error}") from error
    rules = [rule for document in documents for rule in _rules(document, path)]
    if not rules:
        raise UnreadableManifestError(f"{path}: holds no {KIND}")
    return rules


def _rules(document: object, path: str) -> Iterator[dict[str, Any]]:
    if document is None:
        return
    if not isinstance(document, dict):
        raise UnreadableManifestError(f"{path}: holds a document that is not an object")
    if document.get("kind") == "List" and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _rules(item, path)
    elif (document.get("apiVersion"), document.get("kind")) == (_API_VERSION, KIND):
        yield document
    else:
        found = f"{document.get('apiVersion')} {document.get('kind')}"
        raise UnreadableManifestError(f"{path}: expected {_API_VERSION} {KIND}, found {found}")
