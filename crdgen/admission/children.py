"""What stands right below a value, with its schema and its path as the server writes it."""

from collections.abc import Iterator
from typing import Any

from crdgen.schema_keywords import Schema


def children(
    value: Any,  # noqa: ANN401 - JSON
    schema: Schema,
    path: str,
) -> Iterator[tuple[str | int, Any, Schema, str]]:
    """The key, value, schema and path of each field, entry or item that the schema knows."""
    if isinstance(value, dict):
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties")
        for name, child in value.items():
            if name in properties:
                yield name, child, properties[name], f"{path}.{name}" if path else name
            elif isinstance(extra, dict):
                yield name, child, extra, f"{path}[{name}]"
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            yield index, item, schema["items"], f"{path}[{index}]"
