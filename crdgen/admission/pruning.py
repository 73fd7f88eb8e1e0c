"""What happens to an object before it is judged: unknown fields and stray nulls go, defaults come.

All three change the object in place, as the API server does while it decodes.
"""

from copy import deepcopy
from typing import Any, Final

from crdgen.schema_keywords import Schema

_META: Final = frozenset({"apiVersion", "kind", "metadata"})
_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED: Final = "x-kubernetes-embedded-resource"


def prune(data: Any, schema: Schema, *, root: bool) -> list[str]:  # noqa: ANN401 - JSON
    """Remove the fields that `schema` does not know; returns their paths.

    `root` says that `data` is a whole object, whose type and metadata are always known.
    """
    unknown: list[str] = []
    _prune(data, {**schema, _EMBEDDED: True} if root else schema, "", unknown)
    return sorted(unknown)


def drop_nulls(data: Any, schema: Schema) -> None:  # noqa: ANN401 - JSON
    """Remove nulls where the schema is neither nullable nor has a default."""
    if isinstance(data, dict):
        for key in list(data):
            inner = _field(key, schema)
            stray = inner is not None and not inner.get("nullable") and "default" not in inner
            if data[key] is None and stray:
                del data[key]
            else:
                drop_nulls(data[key], inner or {})
    elif isinstance(data, list):
        for item in data:
            drop_nulls(item, _items(schema) or {})


def apply_defaults(data: Any, schema: Schema) -> None:  # noqa: ANN401 - JSON
    """Fill in the defaults of absent fields, and of nulls where null is not allowed."""
    if isinstance(data, dict):
        for key, inner in schema.get("properties", {}).items():
            if "default" in inner and (key not in data or _is_stray(data[key], inner)):
                data[key] = deepcopy(inner["default"])
        for key in list(data):
            child = _field(key, schema)
            if child is None:
                continue
            if key not in schema.get("properties", {}) and _is_stray(data[key], child):
                data[key] = deepcopy(child.get("default"))
            apply_defaults(data[key], child)
    elif isinstance(data, list) and (inner := _items(schema)) is not None:
        for index, item in enumerate(data):
            if _is_stray(item, inner):
                data[index] = deepcopy(inner.get("default"))
            apply_defaults(data[index], inner)


def _is_stray(value: Any, schema: Schema) -> bool:  # noqa: ANN401 - JSON
    return value is None and not schema.get("nullable")


def _field(key: str, schema: Schema) -> Schema | None:
    found = schema.get("properties", {}).get(key)
    if found is None and isinstance(schema.get("additionalProperties"), dict):
        return schema["additionalProperties"]  # type: ignore[no-any-return]
    return found  # type: ignore[no-any-return]


def _items(schema: Schema) -> Schema | None:
    return schema["items"] if isinstance(schema.get("items"), dict) else None


def _prune(data: Any, schema: Schema | None, path: str, unknown: list[str]) -> None:  # noqa: ANN401
    if isinstance(data, dict):
        _prune_map(data, schema, path, unknown)
    elif isinstance(data, list):
        inner = _items(schema) if schema is not None else None
        if schema is not None and schema.get(_PRESERVE) and inner is None:
            return
        for index, item in enumerate(data):
            kept = schema is not None and schema.get(_PRESERVE)
            # NB: inside preserved lists only what the items' schema names is pruned (1.37).
            step = {**inner, _PRESERVE: True} if kept and inner is not None else inner
            _prune(item, step, f"{path}[{index}]", unknown)


def _prune_map(data: dict[str, Any], schema: Schema | None, path: str, unknown: list[str]) -> None:
    known = schema or {}
    extra = known.get("additionalProperties")
    for key in list(data):
        here = f"{path}.{key}" if path else key
        if known.get(_EMBEDDED) and key in _META:
            continue
        if key in known.get("properties", {}):
            _prune(data[key], known["properties"][key], here, unknown)
        elif extra is not None:
            _prune(data[key], extra if isinstance(extra, dict) else None, here, unknown)
        elif not known.get(_PRESERVE):
            if key not in _META or path:
                unknown.append(here)
            del data[key]
