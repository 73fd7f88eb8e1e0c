"""Writes the chart's README and the comments of its values from the schema.

`make chart-readme` runs it; `test_reference.py` compares both files with what it writes.
"""

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.chart.helm import CHART, Object

INTRODUCTION = Path(__file__).with_name("README.template.md")
_WIDTH = 110
_HEAD = """\
# Helm refuses a value that values.schema.json does not know. The comments are written from it:
# change the description there, then run `make chart-readme`.
"""


def schema() -> Object:
    """Give the schema of the values."""
    found: Object = json.loads((CHART / "values.schema.json").read_text())
    return found


def values() -> Object:
    """Give the default values."""
    found: Object = yaml.safe_load((CHART / "values.yaml").read_text())
    return found


def reference() -> str:
    """Give the README's text."""
    rows = [row(*entry) for entry in entries(schema(), values())]
    head = "| Value | Type | Default | What it is |\n| --- | --- | --- | --- |\n"
    return INTRODUCTION.read_text() + head + "\n".join(rows) + "\n"


def values_file() -> str:
    """Give the text of values.yaml: the values that it has, each with its description."""
    return _HEAD + "".join(_commented(schema(), values(), 0))


def _commented(described: Object, given: Object, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, value in given.items():
        child = described["properties"][name]
        if depth == 0:
            yield "\n"
        text = child["description"]
        if "enum" in child:
            text += " One of " + ", ".join(map(str, child["enum"])) + "."
        first, next_ones = f"{indent}# -- ", f"{indent}#    "
        yield from (
            f"{line}\n"
            for line in textwrap.wrap(
                text,
                _WIDTH,
                initial_indent=first,
                subsequent_indent=next_ones,
                break_long_words=False,
            )
        )
        if "properties" in child and isinstance(value, dict) and value:
            yield f"{indent}{name}:\n"
            yield from _commented(child, value, depth + 1)
        else:
            dumped = yaml.safe_dump({name: value}, sort_keys=False, width=_WIDTH)
            yield textwrap.indent(dumped, indent)


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


def _type(schema: Object) -> str:
    found = schema["type"]
    return found if isinstance(found, str) else " or ".join(found)


def row(path: str, schema: Object, default: Any) -> str:
    """Give the table's row of one value."""
    text = schema["description"].replace("|", "\\|")
    if "enum" in schema:
        text += " One of " + ", ".join(f"`{each}`" for each in schema["enum"]) + "."
    if "minimum" in schema:
        text += f" From {schema['minimum']} to {schema['maximum']}."
    return f"| `{path}` | {_type(schema)} | `{json.dumps(default)}` | {text} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", choices=("readme", "values"))
    text = reference() if parser.parse_args().file == "readme" else values_file()
    sys.stdout.write(text)
