"""`x-kubernetes-list-type`, `-map-type` and `-list-map-keys`: what lists and maps may say."""

from collections.abc import Iterator
from typing import Any

from crdgen.field_errors import FieldError, forbidden, invalid, required, unsupported
from crdgen.schema_keywords import Schema

_LIST = "x-kubernetes-list-type"
_MAP = "x-kubernetes-map-type"
_KEYS = "x-kubernetes-list-map-keys"


def problems(node: Schema, path: str) -> Iterator[FieldError]:
    """What is wrong with the list or map type of one node."""
    yield from _of_kind(node, path, _MAP, "object", ("atomic", "granular"))
    yield from _of_kind(node, path, _LIST, "array", ("atomic", "set", "map"))
    kind, items = node.get(_LIST), _items(node)
    if kind == "set" and node.get("type") == "array" and items is not None:
        yield from _set(items, path)
    if node.get(_KEYS) and kind != "map":
        words = f"must be map if {_KEYS} is non-empty"
        yield (
            required(f"{path}.{_LIST}", words)
            if kind is None
            else invalid(f"{path}.{_LIST}", kind, words)
        )
    if kind == "map":
        yield from _map(node, items, path)
    if kind in {"set", "map"} and items is not None and items.get("nullable"):
        yield forbidden(f"{path}.items.nullable", f"cannot be nullable when {_LIST} is {kind}")


def _items(node: Schema) -> Schema | None:
    items = node.get("items")
    return items if isinstance(items, dict) else None


def _of_kind(
    node: Schema, path: str, keyword: str, kind: str, known: tuple[str, ...]
) -> Iterator[FieldError]:
    value, found = node.get(keyword), node.get("type", "")
    if value is None:
        return
    words = f"must be {kind} if {keyword} is specified"
    if not found:
        yield required(f"{path}.type", words)
    elif found != kind:
        yield invalid(f"{path}.type", found, words)
    if value not in known:
        yield unsupported(f"{path}.{keyword}", value, known)


def _set(items: Schema, path: str) -> Iterator[FieldError]:
    words = "must be atomic as item of a list with x-kubernetes-list-type=set"
    if items.get("type") == "array" and items.get(_LIST, "atomic") != "atomic":
        yield invalid(f"{path}.items.{_LIST}", items[_LIST], words)
    if items.get("type") == "object" and items.get(_MAP) != "atomic":
        yield invalid(f"{path}.items.{_MAP}", items.get(_LIST), words)


def _map(node: Schema, items: Schema | None, path: str) -> Iterator[FieldError]:
    keys: list[Any] = node.get(_KEYS, [])
    if not keys:
        yield required(f"{path}.{_KEYS}", f"must not be empty if {_LIST} is map")
    if items is None:
        yield required(f"{path}.items", f"must have a schema if {_LIST} is map")
        return
    if items.get("type") != "object":
        words = f"must be object if parent array's {_LIST} is map"
        yield invalid(f"{path}.items.type", items.get("type", ""), words)
        return
    for index, key in enumerate(keys):
        child = items.get("properties", {}).get(key)
        if child is None:
            words = "entries must all be names of item properties"
            yield invalid(f"{path}.{_KEYS}", keys, words)
        else:
            yield from _key(child, key, items, f"{path}.items.properties[{key}]")
        if key in keys[:index]:
            yield invalid(f"{path}.{_KEYS}", keys, "must not contain duplicate entries")


def _key(child: Schema, key: str, items: Schema, path: str) -> Iterator[FieldError]:
    if child.get("type") in {"array", "object"}:
        words = f"must be a scalar type if parent array's {_LIST} is map"
        yield invalid(f"{path}.type", items.get("type"), words)
    if key not in items.get("required", ()) and "default" not in child:
        yield required(
            f"{path}.default",
            f"this property is in {_KEYS}, so it must have a default or be a required property",
        )
    if child.get("nullable"):
        words = f"this property is in {_KEYS}, so it cannot be nullable"
        yield forbidden(f"{path}.nullable", words)
