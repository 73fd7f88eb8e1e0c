"""Walks two schemas of one version side by side and asks each rule about each node."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from crdgen.compatibility import constraints, rules, types
from crdgen.compatibility.change import READERS, STORED, WRITERS, Change, breaking, ratcheted, safe
from crdgen.schema_keywords import Schema

_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"


@dataclass(frozen=True, slots=True)
class Node:
    """One node in both schemas; `path` is how users write it, after the version."""

    old: Schema
    new: Schema
    path: str


def changes(old: Schema, new: Schema, version: str) -> Iterator[Change]:
    """What changed between two schemas of version `version`."""
    yield from _node(Node(old, new, version))


def _node(node: Node) -> Iterator[Change]:
    if node.old == node.new:
        return
    yield from types.changes(node.old, node.new, node.path)
    if types.is_incompatible(node.old, node.new):
        return
    yield from _null(node)
    yield from _default(node)
    yield from constraints.changes(node.old, node.new, node.path)
    yield from types.list_type_changes(node.old, node.new, node.path)
    yield from constraints.combinator_changes(node.old, node.new, node.path)
    yield from rules.changes(node.old, node.new, node.path)
    yield from _unknown(node)
    yield from _required(node)
    yield from _fields(node)
    yield from _inner(node)


def _null(node: Node) -> Iterator[Change]:
    was, now = bool(node.old.get("nullable")), bool(node.new.get("nullable"))
    if was and not now:
        why = "an explicit null is dropped, or replaced by the default"
        yield breaking("nullable-removed", node.path, "no longer nullable", why, STORED)
    elif now and not was:
        yield safe("nullable-added", node.path, "nullable", "null is kept now", READERS)


def _default(node: Node) -> Iterator[Change]:
    if node.old.get("default") == node.new.get("default"):
        return
    was, now = node.old.get("default"), node.new.get("default")
    if "default" not in node.old:
        what, verb = f"default {now!r} added", "added"
        why = "objects without the field are stored with it, so absent and set look alike"
    elif "default" not in node.new:
        what, verb = f"default {was!r} removed", "removed"
        why = "objects without the field stay without it"
    else:
        what, verb = f"default {was!r} → {now!r}", "changed"
        why = "objects without the field get another value"
    yield breaking(f"default-{verb}", node.path, what, why, f"{WRITERS} without the field")


def _unknown(node: Node) -> Iterator[Change]:
    was, now = bool(node.old.get(_PRESERVE)), bool(node.new.get(_PRESERVE))
    if was and not now and "additionalProperties" not in node.new:
        why = "fields that the schema does not name are dropped"
        yield breaking("unknown-fields-pruned", node.path, "unknown fields pruned", why)
    elif now and not was:
        why = "fields that the schema does not name are kept"
        yield safe("unknown-fields-kept", node.path, "unknown fields kept", why)


def _required(node: Node) -> Iterator[Change]:
    was, now = set(node.old.get("required", ())), set(node.new.get("required", ()))
    properties = node.new.get("properties", {})
    for name in sorted(now - was):
        path, what = f"{node.path}.{name}", "required"
        if "default" in properties.get(name, {}):
            yield safe("required-with-default", path, what, "its default fills it in")
        else:
            why = f"objects without it are refused, at any edit of {node.path}"
            yield breaking("required-added", path, what, why)
    for name in sorted(was - now):
        yield safe(
            "required-removed", f"{node.path}.{name}", "optional", "it may be absent", READERS
        )


def _fields(node: Node) -> Iterator[Change]:
    was, now = node.old.get("properties", {}), node.new.get("properties", {})
    kept = bool(node.new.get(_PRESERVE)) or "additionalProperties" in node.new
    for name in sorted(was.keys() - now.keys()):
        path = f"{node.path}.{name}"
        if kept:
            yield safe("field-untyped", path, "no longer typed", "any value is kept", READERS)
        else:
            why = "its value is dropped from every object; kubectl refuses manifests with it"
            yield breaking("field-removed", path, "removed", why)
    for name in sorted(now.keys() - was.keys()):
        path = f"{node.path}.{name}"
        if node.old.get(_PRESERVE) and now[name].get("type") is not None:
            why = "it held anything; now only values of its schema are taken"
            yield ratcheted("field-typed", path, f"typed {types.type_name(now[name])}", why)
        else:
            yield safe("field-added", path, f"added ({types.type_name(now[name])})", "it is new")
    for name in sorted(was.keys() & now.keys()):
        yield from _node(Node(was[name], now[name], f"{node.path}.{name}"))


def _inner(node: Node) -> Iterator[Change]:
    for keyword in ("items", "additionalProperties"):
        was, now = node.old.get(keyword), node.new.get(keyword)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _node(Node(was, now, f"{node.path}[*]"))
