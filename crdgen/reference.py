"""Definitions as a page of Markdown: one table a version, one row a field."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from crdgen.compatibility.types import type_name
from crdgen.definition import Definition
from crdgen.schema_keywords import Schema

_BOUNDS: Final = (
    ("minLength", "at least {} characters"), ("maxLength", "at most {} characters"),
    ("minItems", "at least {} items"), ("maxItems", "at most {} items"),
    ("minProperties", "at least {} entries"), ("maxProperties", "at most {} entries"),
    ("multipleOf", "a multiple of {}"), ("pattern", "matches `{}`"), ("format", "format {}"),
)  # fmt: skip
_MARKUP: Final = re.compile(r"(`[^`]+`)|([\\*_<>\[\]])")
_HIDDEN: Final = frozenset({"apiVersion", "kind", "metadata"})


def render_page(definitions: Sequence[Definition]) -> str:
    """The page for `definitions`, the same text every time."""
    lines: list[str] = []
    for definition in definitions:
        lines += _definition(definition)
    return "\n".join(lines).rstrip("\n") + "\n"


def _definition(definition: Definition) -> Iterator[str]:
    names = definition.spec.get("names", {})
    for version in definition.versions:
        tree = version.get("schema", {}).get("openAPIV3Schema", {})
        yield f"# {names.get('kind')} `{definition.spec.get('group')}/{version['name']}`"
        yield ""
        if tree.get("description"):
            yield from (tree["description"], "")
        yield from (_facts(definition, version), "")
        yield from ("| Field | Type | | Description |", "|---|---|---|---|")
        yield from _rows(tree, "")
        yield ""


def _facts(definition: Definition, version: Schema) -> str:
    names = definition.spec.get("names", {})
    facts = [f"Scope: {definition.spec.get('scope')}", f"plural `{names.get('plural')}`"]
    if names.get("shortNames"):
        facts.append("short " + ", ".join(f"`{name}`" for name in names["shortNames"]))
    facts += [f"subresource `{name}`" for name in sorted(version.get("subresources", {}))]
    if version.get("deprecated"):
        facts.append(f"deprecated: {version.get('deprecationWarning', 'yes')}")
    return "; ".join(facts) + "."


def _rows(node: Schema, path: str) -> Iterator[str]:
    required = node.get("required", ())
    for name, child in sorted(node.get("properties", {}).items()):
        if not path and name in _HIDDEN:
            continue
        here = f"{path}.{name}" if path else name
        yield _row(here, child, required=name in required)
        yield from _rows(child, here)
    for keyword in ("items", "additionalProperties"):
        inner = node.get(keyword)
        if isinstance(inner, dict):
            yield from _rows(inner, f"{path}[*]")


def _row(path: str, node: Schema, *, required: bool) -> str:
    notes = [*(["required"] if required else []), *_notes(node)]
    texts = [str(node.get("description", "")).replace("\n", " ")]
    texts += [str(rule["message"]) for rule in node.get("x-kubernetes-validations", ())
             if rule.get("message")]  # fmt: skip
    text = " ".join(_plain(_sentence(each)) for each in texts if each)
    cells = (f"`{path}`", _kind(node), "; ".join(notes), text)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    """Words with what Markdown would take for markup escaped, but for spans of code."""
    return _MARKUP.sub(lambda found: found[1] or f"\\{found[2]}", text)


def _sentence(text: str) -> str:
    """The text from a capital letter to a full stop; the name of a field keeps its own letters."""
    first = text.partition(" ")[0]
    if first.isalpha() and first.islower():
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", ":", ";")) else f"{text}."


def _kind(node: Schema) -> str:
    kind = type_name(node)
    inner = node.get("items") if kind == "array" else node.get("additionalProperties")
    if kind in {"array", "map"} and isinstance(inner, dict):
        return f"{'list' if kind == 'array' else 'map'} of {_kind(inner)}"
    return kind


def _notes(node: Schema) -> Iterator[str]:
    if "default" in node:
        yield f"default `{_json(node['default'])}`"
    if node.get("enum"):
        yield "one of " + ", ".join(f"`{_json(value)}`" for value in node["enum"])
    for name, sign, strict in (("minimum", "≥", ">"), ("maximum", "≤", "<")):
        if name in node:
            exclusive = node.get(f"exclusive{name.capitalize()}")
            yield f"{strict if exclusive else sign} {node[name]}"
    yield from (words.format(node[key]) for key, words in _BOUNDS if node.get(key))
    if node.get("nullable"):
        yield "may be null"


def _json(value: Any) -> str:  # noqa: ANN401 - JSON
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
