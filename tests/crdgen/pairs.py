"""Pairs of definitions, each with the grade that `crdgen diff` must give and objects that show it.

A field pair is two schemas of one field. `Breaking` and `Ratcheted` carry a witness: a value that
the API server admits under the old schema and refuses, or stores differently, under the new one.
`Safe` carries values that both admit and store alike.
"""
# ruff: noqa: E501 - one case a line

from dataclasses import dataclass, field
from typing import Any

from tests.crdgen.differential.definitions import (
    BOOLEAN,
    EITHER,
    EMBEDDED,
    INTEGER,
    KEYED,
    LABELS,
    NUMBER,
    PAIR,
    SHORT,
    STRING,
    STRINGS,
    Schema,
)

NOTHING: Any = object()
"""The field is absent."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An old and a new schema of one field, and the rule and grade of the change."""

    name: str
    old: Schema
    new: Schema
    grade: str
    rule: str
    values: list[Any] = field(default_factory=list)
    before: Any = NOTHING


def _rules(*rules: str) -> Schema:
    return {"x-kubernetes-validations": [{"rule": rule} for rule in rules]}


def _object(required: list[str], **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": required}


def _breaking(name: str, old: Schema, new: Schema, rule: str, witness: Any, **more: Any) -> Pair:
    return Pair(name, old, new, "breaking", rule, [witness], **more)


def _ratcheted(name: str, old: Schema, new: Schema, rule: str, witness: Any) -> Pair:
    return Pair(name, old, new, "ratcheted", rule, [witness])


def _safe(name: str, old: Schema, new: Schema, rule: str, *values: Any) -> Pair:
    return Pair(name, old, new, "safe", rule, list(values))


ITEM: Schema = KEYED["items"]
DEFAULTED = STRING | {"default": "x"}
TRIGGER = _object(["kind"], kind=STRING | {"enum": ["a", "b", "c"]}, x=STRING, y=STRING, z=STRING)
BRANCHES = [
    {"properties": {"kind": {"enum": [kind]}}, "required": [name]}
    for kind, name in (("a", "x"), ("b", "y"), ("c", "z"))
]

BREAKING = [
    _breaking("a field goes", PAIR, _object([], a=STRING), "field-removed", {"b": 1}),
    _breaking("a field of list items goes", KEYED, KEYED | {"items": _object(["name"], name=STRING)}, "field-removed", [{"name": "x", "port": 1}]),
    _breaking("a field becomes required", PAIR, PAIR | {"required": ["a"]}, "required-added", {"b": 1}),
    _breaking("a new field is required", PAIR, _object(["c"], a=STRING, b=INTEGER, c=STRING), "required-added", {"a": "x"}),
    _breaking("a field of map values becomes required", {"type": "object", "additionalProperties": PAIR}, {"type": "object", "additionalProperties": PAIR | {"required": ["a"]}}, "required-added", {"k": {"b": 1}}),
    _breaking("a default that a required field lived on goes", _object(["a"], a=DEFAULTED), _object(["a"], a=STRING), "default-removed", {}),
    _breaking("another type", STRING, INTEGER, "type-changed", "x"),
    _breaking("a list becomes a single value", STRINGS, STRING, "type-changed", ["x"]),
    _breaking("a map becomes an object", LABELS, PAIR, "type-changed", {"k": "v"}),
    _breaking("null is no longer kept", STRING | {"nullable": True}, STRING, "nullable-removed", None),
    _breaking("a default appears", _object([], a=STRING), _object([], a=DEFAULTED), "default-added", {}),
    _breaking("a default changes", _object([], a=DEFAULTED), _object([], a=STRING | {"default": "y"}), "default-changed", {}),
    _breaking("a default goes", _object([], a=DEFAULTED), _object([], a=STRING), "default-removed", {}),
    _breaking("a list item's default changes", {"type": "array", "items": _object([], a=DEFAULTED)}, {"type": "array", "items": _object([], a=STRING | {"default": "y"})}, "default-changed", [{}]),
    _breaking("unknown fields are pruned", PAIR | {"x-kubernetes-preserve-unknown-fields": True}, PAIR, "unknown-fields-pruned", {"zz": 1}),
    _breaking("a rule over several fields appears", PAIR, PAIR | _rules("!has(self.a) || self.a != 'x'"), "rule-added", {"a": "x"}),
    _breaking("a rule over several fields gets a condition more", PAIR | _rules("has(self.a)"), PAIR | _rules("has(self.a) && !has(self.b)"), "rule-changed", {"a": "x", "b": 1}),
    _breaking("a field becomes immutable", STRING, STRING | _rules("self == oldSelf"), "rule-added", "y", before="x"),
    _breaking("a combination is forbidden", PAIR, PAIR | {"not": {"required": ["a", "b"]}}, "not-added", {"a": "x", "b": 1}),
    _breaking("a branch of a union goes", TRIGGER | {"oneOf": BRANCHES}, TRIGGER | {"oneOf": BRANCHES[:2]}, "oneof-changed", {"kind": "c", "z": "x"}),
    _breaking("fewer keys tell items apart", KEYED | {"x-kubernetes-list-map-keys": ["name", "port"], "items": ITEM | {"required": ["name", "port"]}}, KEYED | {"items": ITEM | {"required": ["name", "port"]}}, "list-keys-changed", [{"name": "a", "port": 1}, {"name": "a", "port": 2}]),
    _breaking("an object must be a whole resource", EMBEDDED | {"x-kubernetes-embedded-resource": False}, EMBEDDED, "embedded-added", {"spec": {}}),
]  # fmt: skip

RATCHETED = [
    _ratcheted("a shorter text", STRING | {"maxLength": 9}, STRING | {"maxLength": 3}, "maxlength-tightened", "xxxx"),
    _ratcheted("a length limit where none was", STRING, SHORT, "maxlength-tightened", "x" * 11),
    _ratcheted("an enum value goes", STRING | {"enum": ["a", "b"]}, STRING | {"enum": ["a"]}, "enum-value-removed", "b"),
    _ratcheted("an enum where none was", STRING, STRING | {"enum": ["a"]}, "enum-added", "b"),
    _ratcheted("a pattern", STRING, STRING | {"pattern": "^a"}, "pattern-added", "b"),
    _ratcheted("another pattern", STRING | {"pattern": "^a|b"}, STRING | {"pattern": "^a"}, "pattern-changed", "b"),
    _ratcheted("a format", STRING, STRING | {"format": "date"}, "format-added", "x"),
    _ratcheted("a larger minimum", INTEGER | {"minimum": 1}, INTEGER | {"minimum": 2}, "minimum-tightened", 1),
    _ratcheted("a bound becomes exclusive", NUMBER | {"minimum": 1}, NUMBER | {"minimum": 1, "exclusiveMinimum": True}, "minimum-tightened", 1),
    _ratcheted("fewer items", STRINGS | {"maxItems": 2}, STRINGS | {"maxItems": 1}, "maxitems-tightened", ["a", "b"]),
    _ratcheted("more entries of a map", LABELS, LABELS | {"minProperties": 1}, "minproperties-tightened", {}),
    _ratcheted("another multiple", INTEGER | {"multipleOf": 2}, INTEGER | {"multipleOf": 3}, "multipleof-tightened", 2),
    _ratcheted("a list becomes a set", STRINGS, STRINGS | {"x-kubernetes-list-type": "set"}, "list-type-keyed", ["a", "a"]),
    _ratcheted("a number becomes whole", NUMBER, INTEGER, "type-narrowed", 1.5),
    _ratcheted("a rule on one value", STRING, STRING | _rules("self != 'x'"), "rule-added", "x"),
    _ratcheted("a rule's bound gets tighter", INTEGER | _rules("self < 9"), INTEGER | _rules("self < 5"), "rule-changed", 7),
]  # fmt: skip

SAFE = [
    _safe("an optional field comes", _object([], a=STRING), PAIR, "field-added", {"a": "x"}, {}),
    _safe("an object of optional fields comes", _object([], a=STRING), _object([], a=STRING, o=PAIR), "field-added", {"a": "x"}),
    _safe("a required field has a default already", _object([], a=DEFAULTED), _object(["a"], a=DEFAULTED), "required-with-default", {}, {"a": "y"}),
    _safe("a field becomes optional", PAIR | {"required": ["a"]}, PAIR, "required-removed", {"a": "x"}),
    _safe("an enum value comes", STRING | {"enum": ["a"]}, STRING | {"enum": ["b", "a"]}, "enum-value-added", "a"),
    _safe("an enum goes", STRING | {"enum": ["a"]}, STRING, "enum-dropped", "a"),
    _safe("a longer text", SHORT, STRING | {"maxLength": 11}, "maxlength-loosened", "x" * 10),
    _safe("a minimum goes", INTEGER | {"minimum": 1}, INTEGER, "minimum-loosened", 1),
    _safe("a bound is no longer exclusive", NUMBER | {"maximum": 1, "exclusiveMaximum": True}, NUMBER | {"maximum": 1}, "maximum-loosened", 0.5),
    _safe("a pattern goes", STRING | {"pattern": "^a"}, STRING, "pattern-removed", "a"),
    _safe("a coarser multiple becomes finer", INTEGER | {"multipleOf": 4}, INTEGER | {"multipleOf": 2}, "multipleof-loosened", 4),
    _safe("null may be kept", STRING, STRING | {"nullable": True}, "nullable-added", "a"),
    _safe("a number or a text", INTEGER, EITHER, "type-widened", 1),
    _safe("unknown fields are kept", PAIR, PAIR | {"x-kubernetes-preserve-unknown-fields": True}, "unknown-fields-kept", {"a": "x"}),
    _safe("a rule goes", STRING | _rules("self != 'x'"), STRING, "rule-removed", "a"),
    _safe("a rule gets an alternative", STRING | _rules("self != 'x'"), STRING | _rules("self != 'x' || self == 'y'"), "rule-loosened", "a"),
    _safe("a rule loses a condition", PAIR | _rules("has(self.a) && has(self.b)"), PAIR | _rules("has(self.a)"), "rule-loosened", {"a": "x", "b": 1}),
    _safe("a rule's bound gets wider", INTEGER | _rules("self < 5"), INTEGER | _rules("self < 9"), "rule-loosened", 4),
    _safe("a rule's list gets longer", STRING | _rules("self in ['a']"), STRING | _rules("self in ['a', 'b']"), "rule-loosened", "a"),
    _safe("a rule tells otherwise", STRING | _rules("self != 'x'"), STRING | {"x-kubernetes-validations": [{"rule": "self != 'x'", "message": "not x"}]}, "rule-message-changed", "a"),
    _safe("a branch of a union comes", TRIGGER | {"oneOf": BRANCHES[:2]}, TRIGGER | {"oneOf": BRANCHES}, "oneof-loosened", {"kind": "a", "x": "1"}),
    _safe("an alternative comes", PAIR | {"anyOf": [{"required": ["a"]}]}, PAIR | {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, "anyof-loosened", {"a": "x"}),
    _safe("appliers may own single fields", LABELS | {"x-kubernetes-map-type": "atomic"}, LABELS, "map-type-granular", {"k": "v"}),
]  # fmt: skip

SAME = [
    ("a description", BOOLEAN, BOOLEAN | {"description": "x"}),
    ("an unknown format", STRING, STRING | {"format": "zip-code"}),
    ("a minimum of zero items", STRINGS, STRINGS | {"minItems": 0}),
    ("an exclusive whole bound", INTEGER | {"minimum": 0, "exclusiveMinimum": True}, INTEGER | {"minimum": 1}),
    ("the atomic list type", STRINGS, STRINGS | {"x-kubernetes-list-type": "atomic"}),
    ("white space in a rule", STRING | _rules("self != 'x'"), STRING | _rules("self  !=  'x'")),
    ("the order of what is required", PAIR | {"required": ["a", "b"]}, PAIR | {"required": ["b", "a"]}),
]  # fmt: skip
"""Changes of the text that change nothing."""
