"""Hand-made definitions at the edges of what the API server takes, each with a name.

`spec_with` puts a schema under `.spec`; everything else is a change of an ordinary definition.
"""
# ruff: noqa: E501 - one case a line

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

Schema = dict[str, Any]
GROUP = "edges.example.com"


def definition(root: Schema, **changes: Any) -> dict[str, Any]:
    """An ordinary definition of kind Oven with `root` as its schema and `changes` to its spec."""
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": root},
    } | changes.pop("version", {})  # fmt: skip
    spec = {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"kind": "Oven", "listKind": "OvenList", "plural": "ovens", "singular": "oven"},
        "versions": [version],
    }
    metadata = {"name": f"ovens.{GROUP}"} | changes.pop("metadata", {})
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": spec | changes,
    }


def spec_with(schema: Schema, **changes: Any) -> dict[str, Any]:
    """A definition whose `.spec` has `schema`."""
    return definition({"type": "object", "properties": {"spec": schema}}, **changes)


def field_with(schema: Schema, **changes: Any) -> dict[str, Any]:
    """A definition whose `.spec.a` has `schema`."""
    return spec_with({"type": "object", "properties": {"a": schema}}, **changes)


def _rule(rule: str, **more: Any) -> Schema:
    return {"x-kubernetes-validations": [{"rule": rule, **more}]}


STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
BOOLEAN: Schema = {"type": "boolean"}
SHORT: Schema = {"type": "string", "maxLength": 10}
STRINGS: Schema = {"type": "array", "items": STRING}
SHORTS: Schema = {"type": "array", "maxItems": 10, "items": SHORT}
LABELS: Schema = {"type": "object", "additionalProperties": STRING}
FEW_LABELS: Schema = {"type": "object", "maxProperties": 8, "additionalProperties": SHORT}
ANYTHING: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
EITHER: Schema = {"x-kubernetes-int-or-string": True}
PAIR: Schema = {"type": "object", "properties": {"a": STRING, "b": INTEGER}}
KEYED: Schema = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": {
        "type": "object", "required": ["name"], "properties": {"name": STRING, "port": INTEGER},
    },
}  # fmt: skip
BAD_METADATA: dict[str, Any] = {
    "a bad label": {"labels": {"a b": "c"}},
    "a bad label value": {"labels": {"a": "c d"}},
    "a bad finalizer": {"finalizers": ["x y/z"]},
    "an empty finalizer": {"finalizers": [""]},
    "two ways to delete": {"finalizers": ["orphan", "foregroundDeletion"]},
    "an owner without uid": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a"}]},
    "an Event as owner": {
        "ownerReferences": [{"apiVersion": "v1", "kind": "Event", "name": "a", "uid": "u"}]
    },
    "a bad namespace": {"namespace": "Bad"},
    "a negative generation": {"generation": -1},
    "a field of another type": {"labels": {"a": 1}},
    "a bad time": {"creationTimestamp": "x"},
    "good parts": {"labels": {"a": "b"}, "finalizers": ["a.b/c"]},
}
EMBEDDED: Schema = {
    "type": "object",
    "x-kubernetes-embedded-resource": True,
    "x-kubernetes-preserve-unknown-fields": True,
}


def schemas() -> Iterator[tuple[str, Schema]]:
    """Schemas to stand at `.spec.a`."""
    yield from _types()
    yield from _keywords()
    yield from _junctors()
    yield from _lists()
    yield from _extensions()
    yield from _defaults()


def _types() -> Iterator[tuple[str, Schema]]:
    for kind in ("string", "integer", "number", "boolean", "object", "null", "file", ""):
        yield f"type {kind!r}", {"type": kind}
    yield "no type", {}
    yield "no type but a description", {"description": "x"}
    yield "array without items", {"type": "array"}
    yield "array with a list of items", {"type": "array", "items": [STRING]}
    yield "items without type", {"type": "array", "items": {}}
    yield "property without type", {"type": "object", "properties": {"b": {}}}
    yield "additionalProperties without type", {"type": "object", "additionalProperties": {}}
    yield "additionalProperties true", {"type": "object", "additionalProperties": True}
    yield "additionalProperties false", {"type": "object", "additionalProperties": False}
    for extra in (True, False, STRING):
        both = {"type": "object", "properties": {"b": STRING}, "additionalProperties": extra}
        yield f"properties and additionalProperties {extra}", both
    yield "nested lists", {"type": "array", "items": STRINGS}
    yield "nullable string", {"type": "string", "nullable": True}
    yield "type null nullable", {"type": "null", "nullable": True}
    yield "properties on a string", {"type": "string", "properties": {"b": STRING}}
    yield "items on an object", {"type": "object", "items": STRING}
    yield "deep", {"type": "object", "properties": {"b": PAIR | {"required": ["zz"]}}}


def _keywords() -> Iterator[tuple[str, Schema]]:
    yield "min above max", {"type": "integer", "minimum": 5, "maximum": 1}
    yield "negative maxLength", {"type": "string", "maxLength": -1}
    yield "negative maxItems", {"type": "array", "items": STRING, "maxItems": -1}
    yield "maxLength on an integer", {"type": "integer", "maxLength": 3}
    yield "exclusiveMinimum as a number", {"type": "integer", "exclusiveMinimum": 3}
    yield "exclusiveMinimum alone", {"type": "integer", "exclusiveMinimum": True}
    yield "multipleOf zero", {"type": "integer", "multipleOf": 0}
    yield "multipleOf negative", {"type": "integer", "multipleOf": -2}
    yield "maxLength as text", {"type": "string", "maxLength": "3"}
    yield "maxLength as a fraction", {"type": "string", "maxLength": 3.5}
    yield "uniqueItems true", {"type": "array", "items": STRING, "uniqueItems": True}
    yield "uniqueItems false", {"type": "array", "items": STRING, "uniqueItems": False}
    yield "const", {"type": "string", "const": "a"}
    yield "unknown keyword", {"type": "string", "colour": "red"}
    yield "patternProperties", {"type": "object", "patternProperties": {"a": STRING}}
    yield "definitions", {"type": "object", "definitions": {"a": STRING}}
    yield "dependencies", {"type": "object", "dependencies": {"a": ["b"]}}
    yield "$ref", {"$ref": "#/x"}
    yield "$ref beside type", {"type": "string", "$ref": "#/x"}
    yield "id", {"type": "string", "id": "x"}
    yield "$schema", {"type": "string", "$schema": "http://json-schema.org/schema#"}
    yield "additionalItems", {"type": "array", "items": STRING, "additionalItems": True}
    yield "title", {"type": "string", "title": "x"}
    yield "example", {"type": "string", "example": "x"}
    yield "externalDocs", {"type": "string", "externalDocs": {"url": "http://x"}}
    yield "discriminator", {"type": "object", "discriminator": {"propertyName": "kind"}}
    yield "unknown format", {"type": "string", "format": "zip-code"}
    yield "format on an object", {"type": "object", "format": "date"}
    for pattern in ("^a+$", "(?=a)", "(", "a{1,1000}", "a{1,1001}", r"\d", r"\1", "[[:alpha:]]",
                    "(?P<x>a)", r"\p{Greek}", "", "a**", r"\Z", r"\z", "(?i)a", "[z-a]"):  # fmt: skip
        yield f"pattern {pattern}", {"type": "string", "pattern": pattern}
    yield "enum of other types", {"type": "string", "enum": [1, True, None, {}]}
    yield "empty enum", {"type": "string", "enum": []}
    yield "required not in properties", {"type": "object", "required": ["b"]}
    yield "required twice", {"type": "object", "required": ["b", "b"]}


def _junctors() -> Iterator[tuple[str, Schema]]:
    for junctor in ("anyOf", "oneOf", "allOf"):
        yield f"{junctor} values", {"type": "string", junctor: [{"pattern": "a"}, {"maxLength": 1}]}
        yield f"{junctor} type", {"type": "string", junctor: [{"type": "string"}]}
        yield f"{junctor} empty", {"type": "string", junctor: []}
        yield f"{junctor} required", PAIR | {junctor: [{"required": ["a"]}, {"required": ["b"]}]}
        known = {"properties": {"a": {"minLength": 1}}}
        yield f"{junctor} known property", PAIR | {junctor: [known]}
        yield (
            f"{junctor} unknown property",
            PAIR | {junctor: [{"properties": {"z": {"minLength": 1}}}]},
        )
        yield f"{junctor} pattern", {"type": "string", junctor: [{"pattern": "("}]}
        yield f"{junctor} rule", {"type": "string", junctor: [_rule("self == 'a'")]}
        yield f"{junctor} nested", {"type": "string", junctor: [{"not": {"type": "string"}}]}
    for keyword, value in (
        ("default", "a"), ("title", "a"), ("description", "a"), ("nullable", True),
        ("nullable", False), ("x-kubernetes-preserve-unknown-fields", True),
        ("x-kubernetes-embedded-resource", True), ("x-kubernetes-int-or-string", True),
        ("x-kubernetes-list-type", "set"), ("x-kubernetes-map-type", "atomic"),
        ("x-kubernetes-list-map-keys", ["a"]), ("x-kubernetes-list-map-keys", []),
        ("additionalProperties", STRING), ("additionalProperties", True),
        ("additionalProperties", False), ("enum", ["a"]), ("format", "date"), ("title", ""),
    ):  # fmt: skip
        yield f"not {keyword} {value}", {"type": "object", "not": {keyword: value}}
    yield "not metadata", {"type": "object", "not": {"properties": {"metadata": {}}}}
    yield "not items", {"type": "array", "items": STRING, "not": {"items": {"pattern": "a"}}}
    yield "not items unknown", {"type": "object", "not": {"items": {"pattern": "a"}}}


def _lists() -> Iterator[tuple[str, Schema]]:
    for kind in ("set", "map", "atomic", "bag"):
        yield f"list of strings {kind}", STRINGS | {"x-kubernetes-list-type": kind}
    yield "list type on an object", {"type": "object", "x-kubernetes-list-type": "set"}
    yield "list type without type", {"x-kubernetes-list-type": "set"}
    for kind in ("atomic", "granular", "set"):
        yield f"map type {kind}", LABELS | {"x-kubernetes-map-type": kind}
    yield "map type on a string", STRING | {"x-kubernetes-map-type": "atomic"}
    set_of = {"type": "array", "x-kubernetes-list-type": "set"}
    yield "set of objects", set_of | {"items": PAIR}
    yield "set of atomic objects", set_of | {"items": PAIR | {"x-kubernetes-map-type": "atomic"}}
    yield "set of lists", set_of | {"items": STRINGS}
    yield "set of sets", set_of | {"items": STRINGS | {"x-kubernetes-list-type": "set"}}
    yield "set of nullable", set_of | {"items": STRING | {"nullable": True}}
    yield "list map", KEYED
    yield "list map without keys", {k: v for k, v in KEYED.items() if not k.endswith("keys")}
    yield (
        "keys without list map",
        {k: v for k, v in KEYED.items() if not k.endswith("type")} | {"type": "array"},
    )
    yield "keys with a set", STRINGS | {
        "x-kubernetes-list-type": "set", "x-kubernetes-list-map-keys": ["a"],
    }  # fmt: skip
    for keys in (["name", "name"], ["nope"], ["name", "port"], []):
        yield f"list map keys {keys}", KEYED | {"x-kubernetes-list-map-keys": keys}
    item: Schema = KEYED["items"]
    for what, change in (
        ("optional key", {"required": []}),
        ("nullable items", {"nullable": True}),
        ("object key", {"properties": {"name": PAIR}}),
        ("list key", {"properties": {"name": STRINGS}}),
        ("nullable key", {"properties": {"name": STRING | {"nullable": True}}}),
        ("defaulted key", {"required": [], "properties": {"name": STRING | {"default": "x"}}}),
        ("untyped key", {"properties": {"name": EITHER}}),
    ):
        yield f"list map {what}", KEYED | {"items": item | change}


def _extensions() -> Iterator[tuple[str, Schema]]:
    yield "int-or-string", EITHER
    yield "int-or-string with type", EITHER | {"type": "string"}
    pair = [{"type": "integer"}, {"type": "string"}]
    yield "int-or-string anyOf", EITHER | {"anyOf": pair}
    yield "int-or-string anyOf reversed", EITHER | {"anyOf": pair[::-1]}
    yield "int-or-string anyOf more", EITHER | {"anyOf": [*pair, {"pattern": "a"}]}
    yield "int-or-string allOf", EITHER | {"allOf": [{"anyOf": pair}, {"pattern": "a"}]}
    yield "int-or-string allOf second", EITHER | {"allOf": [{"pattern": "a"}, {"anyOf": pair}]}
    yield "anyOf without int-or-string", {"type": "string", "anyOf": pair}
    preserve = {"x-kubernetes-preserve-unknown-fields": True}
    yield "preserve without type", preserve
    yield "preserve false", {"type": "object", "x-kubernetes-preserve-unknown-fields": False}
    yield "preserve int-or-string", EITHER | preserve
    yield "preserve on a string", STRING | preserve
    yield "embedded", EMBEDDED
    pairs = PAIR | {"x-kubernetes-map-type": "atomic", "properties": {"n": NUMBER}}
    yield "set of pairs", {"type": "array", "x-kubernetes-list-type": "set", "items": pairs}
    yield "embedded alone", {"type": "object", "x-kubernetes-embedded-resource": True}
    yield "embedded with properties", PAIR | {"x-kubernetes-embedded-resource": True}
    yield "embedded on a string", STRING | {"x-kubernetes-embedded-resource": True}
    yield "embedded without type", {"x-kubernetes-embedded-resource": True, **preserve}
    yield "embedded with additionalProperties", LABELS | EMBEDDED
    yield "embedded kind integer", EMBEDDED | {"properties": {"kind": INTEGER}}
    yield (
        "embedded metadata",
        EMBEDDED | {"properties": {"metadata": {"type": "object", "properties": {"name": STRING}}}},
    )
    yield "embedded metadata string", EMBEDDED | {"properties": {"metadata": STRING}}
    yield "embedded in embedded metadata", EMBEDDED | {"properties": {"metadata": EMBEDDED}}
    yield "metadata property below", {"type": "object", "properties": {"metadata": STRING}}


def _defaults() -> Iterator[tuple[str, Schema]]:
    yield "default", STRING | {"default": "a"}
    yield "default null", STRING | {"default": None}
    yield "default of another type", STRING | {"default": 1}
    yield "default breaks maxLength", {"type": "string", "maxLength": 1, "default": "abc"}
    yield "default breaks enum", {"type": "string", "enum": ["a"], "default": "b"}
    yield "default breaks a rule", STRING | {"default": "b"} | _rule("self == 'a'")
    yield "default keeps a rule", STRING | {"default": "a"} | _rule("self == 'a'")
    yield "default with unknown fields", PAIR | {"default": {"z": 1}}
    yield "default object", PAIR | {"default": {"a": "x"}}
    yield "default lacks a required child", PAIR | {"required": ["a"], "default": {}}
    child = {"type": "object", "properties": {"a": STRING | {"default": "x"}}, "required": ["a"]}
    yield "default of {} with a required child that has a default", child | {"default": {}}
    yield "default list", STRINGS | {"default": ["a"]}
    yield "default list of another type", STRINGS | {"default": [1]}
    yield "default in items", {"type": "array", "items": STRING | {"default": "a"}}
    yield "default in a map", {"type": "object", "additionalProperties": STRING | {"default": "a"}}
    yield "default integer for a number", NUMBER | {"default": 1}
    yield "default fraction for an integer", INTEGER | {"default": 1.5}
    yield "default for int-or-string", EITHER | {"default": 1}
    yield "default set with duplicates", STRINGS | {
        "x-kubernetes-list-type": "set", "default": ["a", "a"],
    }  # fmt: skip
    yield "default embedded", EMBEDDED | {"default": {"apiVersion": "v1", "kind": "Pod"}}
    yield "default embedded without kind", EMBEDDED | {"default": {"apiVersion": "v1"}}
    for name, metadata in BAD_METADATA.items():
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        yield f"default embedded with {name}", EMBEDDED | {"default": pod}
    yield "default bad date", {"type": "string", "format": "date-time", "default": "yesterday"}
    yield (
        "default in embedded metadata",
        EMBEDDED
        | {
            "properties": {
                "metadata": {"type": "object", "properties": {"name": STRING | {"default": "x"}}}
            }
        },
    )
    yield "default old self rule", STRING | {"default": "b"} | _rule("self == oldSelf")
    yield "default beside preserve", ANYTHING | {"default": {"x": 1}}


def whole() -> Iterator[tuple[str, dict[str, Any]]]:
    """Definitions with something odd outside of one field's schema."""
    yield from _envelopes()
    yield from _versions()
    yield from _roots()
    yield from _columns()


def _envelopes() -> Iterator[tuple[str, dict[str, Any]]]:
    plain: Schema = {"type": "object"}
    yield "plain", definition(plain)
    yield "wrong name", definition(plain, metadata={"name": "oven.edges.example.com"})
    yield "no scope", definition(plain, scope="")
    yield "odd scope", definition(plain, scope="Galaxy")
    yield "cluster scope", definition(plain, scope="Cluster")
    for group in ("example", "Example.com", "ex_ample.com", "", "a.b.c.example.com"):
        yield (
            f"group {group!r}",
            definition(plain, group=group, metadata={"name": f"ovens.{group}"}),
        )
    names = definition(plain)["spec"]["names"]
    for key, value in (
        ("kind", "oven"), ("kind", "Oven_"), ("kind", ""), ("kind", "9Oven"), ("plural", "Ovens"),
        ("singular", "Oven"), ("singular", ""), ("listKind", "Oven"), ("listKind", ""),
        ("shortNames", ["ov"]), ("shortNames", ["Ov"]), ("categories", ["all"]),
        ("categories", ["a b"]), ("shortNames", "ov"), ("shortNames", [""]), ("colour", "red"),
    ):  # fmt: skip
        changed = names | {key: value}
        name = {"name": f"{changed['plural']}.{GROUP}"}
        yield f"names {key} {value!r}", definition(plain, names=changed, metadata=name)
    yield "preserveUnknownFields", definition(plain, preserveUnknownFields=True)
    yield "preserveUnknownFields false", definition(plain, preserveUnknownFields=False)
    yield "unknown spec field", definition(plain, colour="red")
    yield "labels", definition(plain, metadata={"labels": {"a": "b"}})
    protected = {"group": "edges.k8s.io", "metadata": {"name": "ovens.edges.k8s.io"}}
    yield "protected group", definition(plain, **deepcopy(protected))
    for approval in ("unapproved, for tests", "https://example.com/approval", "yes", ""):
        metadata = protected["metadata"] | {"annotations": {"api-approved.kubernetes.io": approval}}  # type: ignore[operator]
        changes = deepcopy(protected | {"metadata": metadata})
        yield f"protected group approved {approval!r}", definition(plain, **changes)
    client: Schema = {"service": {"name": "s", "namespace": "n"}}
    webhook = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
    for what, conversion in (
        ("none", {"strategy": "None"}), ("odd", {"strategy": "Magic"}), ("empty", {}),
        ("webhook alone", {"strategy": "Webhook"}),
        ("webhook", {"strategy": "Webhook", "webhook": webhook}),
        ("none with webhook", {"strategy": "None", "webhook": webhook}),
        ("no reviews", {"strategy": "Webhook", "webhook": {"clientConfig": client}}),
        ("unknown review", {"strategy": "Webhook", "webhook": webhook | {"conversionReviewVersions": ["v2"]}}),
        ("two reviews", {"strategy": "Webhook", "webhook": webhook | {"conversionReviewVersions": ["v1", "v1"]}}),
        ("url", {"strategy": "Webhook", "webhook": webhook | {"clientConfig": {"url": "https://x.example/y"}}}),
        ("http url", {"strategy": "Webhook", "webhook": webhook | {"clientConfig": {"url": "http://x.example/y"}}}),
        ("url with query", {"strategy": "Webhook", "webhook": webhook | {"clientConfig": {"url": "https://x.example/y?z"}}}),
        ("url and service", {"strategy": "Webhook", "webhook": webhook | {"clientConfig": client | {"url": "https://x"}}}),
        ("port 0", {"strategy": "Webhook", "webhook": webhook | {"clientConfig": {"service": client["service"] | {"port": 0}}}}),
    ):  # fmt: skip
        yield f"conversion {what}", definition(plain, conversion=conversion)


def _versions() -> Iterator[tuple[str, dict[str, Any]]]:
    plain: Schema = {"type": "object"}
    for name in ("v1", "V1", "v1beta1", "1", "", "v-1"):
        yield f"version name {name!r}", definition(plain, version={"name": name})
    yield "not served", definition(plain, version={"served": False})
    yield "not stored", definition(plain, version={"storage": False})
    yield "no versions", definition(plain, versions=[])
    first = definition(plain)["spec"]["versions"][0]
    second = first | {"name": "v2", "storage": False}
    yield "two versions", definition(plain, versions=[first, second])
    yield "two stored", definition(plain, versions=[first, second | {"storage": True}])
    yield "twice the same", definition(plain, versions=[first, second | {"name": "v1"}])
    other = {"openAPIV3Schema": {"type": "object", "properties": {"spec": {}}}}
    yield "second broken", definition(plain, versions=[first, second | {"schema": other}])
    yield "no schema", definition(plain, version={"schema": None})
    yield "empty schema", definition(plain, version={"schema": {}})
    for deprecated, warning in (
        (True, "go away"), (False, "go away"), (True, ""), (True, "x" * 257), (True, "a\nb"),
        (True, None), (True, "\u00e9\u200b"),
    ):  # fmt: skip
        change = {"deprecated": deprecated, "deprecationWarning": warning}
        yield f"deprecated {deprecated} {str(warning)[:9]!r}", definition(plain, version=change)
    yield "status in spec field", definition(plain, version={"status": {}})


def _roots() -> Iterator[tuple[str, dict[str, Any]]]:
    status: Schema = {"version": {"subresources": {"status": {}}}}
    for what, root in (
        ("empty", {}), ("no type", {"properties": {"spec": STRING}}), ("string", STRING),
        ("nullable", {"type": "object", "nullable": True}),
        ("additionalProperties", LABELS), ("preserve", ANYTHING),
        ("required", {"type": "object", "required": ["spec"]}),
        ("anyOf", {"type": "object", "anyOf": [{"required": ["spec"]}]}),
        ("oneOf property", {"type": "object", "properties": {"spec": STRING}, "oneOf": [{"properties": {"spec": {"minLength": 1}}}]}),
        ("oneOf unknown property", {"type": "object", "oneOf": [{"properties": {"spec": {"minLength": 1}}}]}),
        ("oneOf deep", {"type": "object", "properties": {"spec": PAIR}, "oneOf": [{"properties": {"spec": {"properties": {"z": {"minLength": 1}}}}}]}),
        ("enum", {"type": "object", "enum": [{}]}),
        ("minProperties", {"type": "object", "minProperties": 1}),
        ("default", {"type": "object", "default": {}}),
        ("description", {"type": "object", "description": "x"}),
        ("map type", {"type": "object", "x-kubernetes-map-type": "atomic"}),
        ("embedded", {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": STRING}}),
        ("rule", {"type": "object"} | _rule("self.metadata.name != 'x'")),
        ("rule on labels", {"type": "object"} | _rule("self.metadata.labels['a'] == 'x'")),
        ("metadata", {"type": "object", "properties": {"metadata": {"type": "object"}}}),
        ("metadata string", {"type": "object", "properties": {"metadata": STRING}}),
        ("metadata described", {"type": "object", "properties": {"metadata": {"type": "object", "description": "x"}}}),
        ("metadata name", {"type": "object", "properties": {"metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 9}}}}}),
        ("metadata generateName", {"type": "object", "properties": {"metadata": {"type": "object", "properties": {"generateName": STRING, "name": STRING}}}}),
        ("metadata labels", {"type": "object", "properties": {"metadata": {"type": "object", "properties": {"labels": LABELS}}}}),
        ("metadata default", {"type": "object", "properties": {"metadata": {"type": "object", "default": {}}}}),
        ("metadata required", {"type": "object", "properties": {"metadata": {"type": "object", "required": ["name"]}}}),
        ("kind integer", {"type": "object", "properties": {"kind": INTEGER}}),
        ("apiVersion enum", {"type": "object", "properties": {"apiVersion": {"type": "string", "enum": ["x"]}}}),
        ("kind default", {"type": "object", "properties": {"kind": STRING | {"default": "x"}}}),
        ("status", {"type": "object", "properties": {"status": STRING}}),
    ):  # fmt: skip
        yield f"root {what}", definition(root)
        yield f"root {what} with status", definition(root, **deepcopy(status))


def _columns() -> Iterator[tuple[str, dict[str, Any]]]:
    fields: Schema = {
        "type": "object",
        "properties": {
            "a": STRING, "b": STRINGS, "c": PAIR, "m": LABELS, "i": INTEGER, "n": NUMBER,
            "t": BOOLEAN, "e": EITHER, "d-d": STRING,
        },
    }  # fmt: skip

    def version(**change: Any) -> dict[str, Any]:
        return spec_with(fields, version=change)

    column = {"name": "A", "type": "string", "jsonPath": ".spec.a"}
    for key, value in (
        ("name", ""), ("type", ""), ("type", "text"), ("type", "date"), ("format", "int32"),
        ("format", "odd"), ("jsonPath", ""), ("jsonPath", "spec.a"), ("jsonPath", ".spec.zz"),
        ("jsonPath", ".spec.b[0"), ("jsonPath", "."), ("jsonPath", ".spec.b[?(@.x=='y')]"),
        ("priority", 1), ("priority", -1), ("priority", "x"), ("description", "d"),
        ("jsonPath", "{.spec.a}"), ("colour", "red"),
    ):  # fmt: skip
        yield f"column {key} {value!r}", version(additionalPrinterColumns=[column | {key: value}])
    yield "two columns of one name", version(additionalPrinterColumns=[column, column])
    for path in (
        ".spec.a", ".spec.i", ".spec.t", ".spec.n", ".spec.b", ".spec.c", ".spec.c.a", ".spec.zz",
        "spec.a", ".spec['a']", ".metadata.name", ".spec.m.x", "", ".", ".spec.", ".spec.e",
        ".spec.d-d", ".spec.b[0]",
    ):  # fmt: skip
        yield f"selectable {path!r}", version(selectableFields=[{"jsonPath": path}])
    yield "selectable twice", version(selectableFields=[{"jsonPath": ".spec.a"}] * 2)
    many = {"type": "object", "properties": {f"f{n}": STRING for n in range(9)}}
    for count in (8, 9):
        paths = [{"jsonPath": f".spec.f{n}"} for n in range(count)]
        yield f"{count} selectable", spec_with(many, version={"selectableFields": paths})
    scale = {"specReplicasPath": ".spec.i", "statusReplicasPath": ".status.i"}
    for key, value in (
        ("specReplicasPath", ".spec.zz"), ("specReplicasPath", ".status.i"),
        ("specReplicasPath", ""), ("statusReplicasPath", ".spec.i"), ("statusReplicasPath", "x"),
        ("labelSelectorPath", ".status.s"), ("labelSelectorPath", ".spec.s"),
        ("labelSelectorPath", ".metadata.s"), ("labelSelectorPath", ""), ("specReplicasPath", ".spec."),
    ):  # fmt: skip
        yield f"scale {key} {value!r}", version(subresources={"scale": scale | {key: value}})
