"""Writes the chart's README from its schema, its values and a template.

`make chart-readme` calls it; `test_reference.py` holds the file to it.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.chart.helm import CHART, Object

INTRODUCTION = Path(__file__).with_name("README.template.md")


def reference() -> str:
    """Give the README's text."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    rows = [row(*entry) for entry in entries(schema, values)]
    head = "| Value | Type | Default | What it is |\n| --- | --- | --- | --- |\n"
    return INTRODUCTION.read_text() + head + "\n".join(rows) + "\n"


def entries(schema: Object, values: Any, path: str = "") -> Iterator[tuple[str, Object, Any]]:
    """Yield each value that a person can set: its path, its schema, its default."""
    for name, child in schema["properties"].items():
        if name not in values:
            continue
        default = values[name]
        if "properties" in child and isinstance(default, dict) and default:
            yield from entries(child, default, f"{path}{name}.")
        else:
            yield f"{path}{name}", child, default


def row(path: str, schema: Object, default: Any) -> str:
    """Give the table's row of one value."""
    text = schema["description"].replace("|", "\\|")
    if "enum" in schema:
        text += " One of " + ", ".join(f"`{each}`" for each in schema["enum"]) + "."
    if "minimum" in schema:
        text += f" From {schema['minimum']} to {schema['maximum']}."
    return f"| `{path}` | {schema['type']} | `{json.dumps(default)}` | {text} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
