"""Reads YAML and JSON files as the API server's clients do, within bounds.

Where PyYAML and the Kubernetes tools disagree, the tools' parser (sigs.k8s.io/yaml, seen with
kubectl 1.37) is followed: bare `y` and `n` are booleans, keys included; `1e3` is a number; times
are text; a repeated key is an error. Aliases are refused when they multiply.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import yaml

from crdgen.errors import InputError

_LARGEST: Final = 16 * 1024 * 1024
"""Bytes. An API server takes 3 MiB; a file may hold several documents."""
_MOST_NODES: Final = 1_000_000
_BOOLEAN: Final = re.compile(
    "^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$"
)
_TRUE: Final = frozenset({"y", "yes", "true", "on"})
_INTEGER: Final = re.compile(r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$")
_FLOAT: Final = re.compile(r"^[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9_]+)?$")
_TAG: Final = "tag:yaml.org,2002:"


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Resolves scalars as the Kubernetes tools do and counts what aliases make of the text."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002, ARG002 - PyYAML's
        self.flatten_mapping(node)
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _key(self.construct_object(key_node, deep=True))
            if key in mapping:
                raise yaml.constructor.ConstructorError(
                    None, None, f'key "{key}" already set in map', key_node.start_mark
                )
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping


def _key(key: Any) -> str:  # noqa: ANN401 - any scalar
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)


def _integer(loader: Any, node: yaml.ScalarNode) -> int:  # noqa: ANN401, ARG001 - PyYAML's
    text = str(node.value).replace("_", "")
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    for prefix, base in (("0b", 2), ("0x", 16), ("0o", 8)):
        if digits.startswith(prefix):
            return sign * int(digits[2:], base)
    octal = len(digits) > 1 and digits.startswith("0") and not set(digits) & set("89")
    return sign * int(digits, 8 if octal else 10)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Iterator[dict[str, Any]]:
    yield loader.construct_mapping(node)


_Loader.add_implicit_resolver(f"{_TAG}bool", _BOOLEAN, list("yYnNtTfFoO"))
_Loader.add_implicit_resolver(f"{_TAG}int", _INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))
_Loader.add_implicit_resolver(
    f"{_TAG}null", re.compile("^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)
_Loader.add_implicit_resolver(f"{_TAG}merge", re.compile("^<<$"), ["<"])
_Loader.add_constructor(f"{_TAG}bool", lambda _, node: str(node.value).lower() in _TRUE)
_Loader.add_constructor(f"{_TAG}int", _integer)
_Loader.add_constructor(f"{_TAG}timestamp", lambda _, node: str(node.value))
_Loader.add_constructor(f"{_TAG}map", _mapping)


def read_documents(path: Path) -> list[dict[str, Any]]:
    """Every object in the YAML or JSON file at `path`, lists unwrapped, empty documents skipped.

    Raises:
        InputError: it cannot be read, is too large, or holds something else than objects.
    """
    text = _text(path)
    try:
        nodes = list(yaml.compose_all(text, Loader=_Loader))
        for node in nodes:
            _require_bounded(node, path)
        found = [_construct(node) for node in nodes]
    except yaml.MarkedYAMLError as error:
        raise InputError(f"{path}: not YAML: {_place(error)}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not YAML: {str(error).splitlines()[0]}") from error
    return list(_objects([document for document in found if document is not None], path))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            megabytes = path.stat().st_size / 1024 / 1024
            raise InputError(
                f"{path}: {megabytes:.0f} MB is more than the {_LARGEST // 1024 // 1024} MB that"
                " are read; split it"
            )
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: {error.reason}") from error


def _construct(node: yaml.Node | None) -> Any:  # noqa: ANN401 - JSON
    if node is None:
        return None
    loader = _Loader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _require_bounded(node: yaml.Node | None, path: Path) -> None:
    sizes: dict[int, int] = {}

    def size(each: yaml.Node) -> int:
        if id(each) in sizes:
            return sizes[id(each)]
        sizes[id(each)] = 0
        total = 1
        if isinstance(each, yaml.MappingNode):
            total += sum(size(key) + size(value) for key, value in each.value)
        elif isinstance(each, yaml.SequenceNode):
            total += sum(size(child) for child in each.value)
        sizes[id(each)] = total
        return total

    if node is not None and size(node) > _MOST_NODES:
        raise InputError(f"{path}: its aliases expand to more than {_MOST_NODES} values")


def _objects(found: list[Any], path: Path) -> Iterator[dict[str, Any]]:
    for document in found:
        if not isinstance(document, dict):
            raise InputError(f"{path}: holds {_kind(document)} where an object should be")
        if document.get("kind") == "List" and isinstance(document.get("items"), list):
            yield from _objects(document["items"], path)
        else:
            yield document


def _kind(value: object) -> str:
    names = {list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "something")


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}{error.problem or error.context}"
