"""SummaryRules in YAML and JSON files, read as kubectl reads them.

kubectl's YAML is go-yaml v2's (go.yaml.in/yaml/v2, resolve.go, by way of sigs.k8s.io/yaml): a time
stays text, ``1:30`` is not a number, ``yes``, ``on`` and ``y`` are booleans, ``1e3`` is a number, a
key is text, and a repeated key is an error. PyYAML's own rules differ. crdgen has a reader of its
own with the same rules (docs/decisions/0061-two-yaml-readers.md).
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import yaml

from summaryrule.api.constants import API_VERSION, KIND

_MAX_NODES: Final = 1_000_000
_TAG: Final = "tag:yaml.org,2002:"
_BOOLEAN: Final = re.compile(
    r"(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)\Z"
)
_TRUE: Final = frozenset({"y", "yes", "true", "on"})
_INTEGER: Final = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)\Z")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9_]+)?\Z")
_NULL: Final = re.compile(r"(?:~|null|Null|NULL|)\Z")
_BASES: Final = (("0b", 2), ("0x", 16), ("0o", 8))

Rule = dict[str, Any]


class ManifestError(ValueError):
    """A file that cannot be read, or that holds no SummaryRule; the message names the file."""


@dataclass(frozen=True, slots=True)
class Manifests:
    """The SummaryRules of one file, in order, and the objects of other kinds beside them.

    ``skipped`` has ``apiVersion kind name`` for each such object.
    """

    path: str
    rules: tuple[Rule, ...]
    skipped: tuple[str, ...]

    @property
    def note(self) -> str | None:
        """One line about what was skipped, None if nothing was."""
        if not self.skipped:
            return None
        objects = "object" if len(self.skipped) == 1 else "objects"
        listed = ", ".join(self.skipped)
        return f"{self.path}: skipped {len(self.skipped)} {objects} of another kind: {listed}"


def require_rules(files: Sequence[Manifests]) -> None:
    """Check that at least one of the files has a SummaryRule.

    Raises:
        ManifestError: none has one; the message says what each file holds instead.
    """
    if files and not any(file.rules for file in files):
        raise ManifestError("; ".join(map(_nothing_found, files)))


def read_file(path: str) -> Manifests:
    """One file; ``-`` is standard input. The items of a ``List`` are read as if they stood alone.

    Raises:
        ManifestError: it cannot be read, is not YAML, or holds something that is not an object.
    """
    objects = [each for document in _documents(path) for each in _objects(document, path)]
    rules = tuple(each for each in objects if _is_rule(each))
    return Manifests(path, rules, tuple(_label(each) for each in objects if not _is_rule(each)))


def _documents(path: str) -> list[Any]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text("utf-8")
        return load_all(text)
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror or error}") from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ManifestError(f"{path}: cannot be read as YAML: {reason}") from error


def load_all(text: str) -> list[Any]:
    """The documents of a YAML stream, empty ones left out.

    Raises:
        yaml.YAMLError: it is not YAML, repeats a key, or its aliases expand to too much.
    """
    nodes = list(yaml.compose_all(text, _Loader))
    for node in nodes:
        if _expanded_size(node, {}) > _MAX_NODES:
            raise yaml.YAMLError(f"aliases expand to more than {_MAX_NODES} values")
    return [document for document in map(_construct, nodes) if document is not None]


def _objects(document: object, path: str) -> Iterator[Rule]:
    if not isinstance(document, dict):
        raise ManifestError(f"{path}: holds a document that is not an object")
    kind, items = str(document.get("kind")), document.get("items")
    is_list = kind == "List" or (_is_ours(document) and kind == f"{KIND}List")
    if not is_list or not isinstance(items, list):
        yield document
        return
    for item in items:
        # As the API machinery does: items of a typed list may leave their own type out.
        typed = {"apiVersion": API_VERSION, "kind": KIND} if kind != "List" else {}
        yield from _objects({**typed, **item} if isinstance(item, dict) else item, path)


def _is_ours(document: Rule) -> bool:
    return document.get("apiVersion") == API_VERSION


def _is_rule(document: Rule) -> bool:
    return _is_ours(document) and document.get("kind") == KIND


def _label(document: Rule) -> str:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    parts = (document.get("apiVersion"), document.get("kind"), name)
    return " ".join(str(part) for part in parts if part is not None) or "an object without a kind"


def _nothing_found(file: Manifests) -> str:
    if not file.skipped:
        return f"{file.path}: holds no {KIND}"
    return f"{file.path}: expected {API_VERSION} {KIND}, found {', '.join(file.skipped)}"


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """A safe loader with go-yaml v2's rules for plain scalars and keys."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Rule:  # noqa: FBT001, FBT002, ARG002 - PyYAML's
        self.flatten_mapping(node)
        mapping: Rule = {}
        for key_node, value_node in node.value:
            key = _key(self.construct_object(key_node, deep=True))
            if key in mapping:
                raise yaml.constructor.ConstructorError(
                    None, None, f'key "{key}" already set in map', key_node.start_mark
                )
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping


def _key(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Iterator[Rule]:
    yield loader.construct_mapping(node)


def _integer(_loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(node.value).replace("_", "")
    digits = text.lstrip("+-")
    sign = -1 if text.startswith("-") else 1
    for prefix, base in _BASES:
        if digits.startswith(prefix):
            return sign * int(digits[2:], base)
    return sign * int(digits, 8 if digits.startswith("0") else 10)


_Loader.add_implicit_resolver(f"{_TAG}bool", _BOOLEAN, list("yYnNtTfFoO"))
_Loader.add_implicit_resolver(f"{_TAG}int", _INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}null", _NULL, ["~", "n", "N", ""])
_Loader.add_implicit_resolver(f"{_TAG}merge", re.compile(r"<<\Z"), ["<"])
_Loader.add_constructor(f"{_TAG}bool", lambda _, node: str(node.value).lower() in _TRUE)
_Loader.add_constructor(f"{_TAG}int", _integer)
_Loader.add_constructor(f"{_TAG}float", lambda _, node: float(str(node.value).replace("_", "")))
_Loader.add_constructor(f"{_TAG}timestamp", lambda _, node: str(node.value))
_Loader.add_constructor(f"{_TAG}map", _mapping)


def _construct(node: yaml.Node) -> Any:  # noqa: ANN401 - JSON
    loader = _Loader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _expanded_size(node: yaml.Node, sizes: dict[int, int]) -> int:
    """How many values a node has once its aliases are expanded; sizes of nodes seen are kept."""
    if id(node) not in sizes:
        sizes[id(node)] = 0
        children = (
            [child for pair in node.value for child in pair]
            if isinstance(node, yaml.MappingNode)
            else (node.value if isinstance(node, yaml.SequenceNode) else [])
        )
        sizes[id(node)] = 1 + sum(_expanded_size(child, sizes) for child in children)
    return sizes[id(node)]
