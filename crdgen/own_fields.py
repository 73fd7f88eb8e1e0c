"""The fields that the API server owns: `apiVersion`, `kind` and `metadata` of every object.

A definition limits `metadata.name` and `metadata.generateName` only. What else a model says of
these fields must hold for every object, or it is refused.
"""

from collections.abc import Iterator
from typing import Final

from crdgen.passes.inline import inline_references
from crdgen.passes.walk import nodes
from crdgen.resources import Resource
from crdgen.schema_keywords import Schema, unsupported

DESCRIBED: Final[Schema] = {
    "apiVersion": {
        "type": "string",
        "description": "The group and version of this object's schema, as group/version.",
    },
    "kind": {"type": "string", "description": "The resource that this object is, in CamelCase."},
    "metadata": {"type": "object"},
}
_TYPES: Final = {
    **dict.fromkeys(
        ("name", "generateName", "namespace", "uid", "resourceVersion", "selfLink",
         "creationTimestamp", "deletionTimestamp"), "string",
    ),
    **dict.fromkeys(("generation", "deletionGracePeriodSeconds"), "integer"),
    **dict.fromkeys(("labels", "annotations"), "object"),
    **dict.fromkeys(("finalizers", "ownerReferences", "managedFields"), "array"),
}  # fmt: skip
_OF_TEXT: Final = frozenset({"labels", "annotations", "finalizers"})
_ALWAYS: Final = frozenset({"name", "uid", "resourceVersion", "generation", "creationTimestamp"})
_LIMITED: Final = frozenset({"name", "generateName"})
_LIMITS: Final = frozenset({
    "const", "enum", "maxItems", "maxLength", "maxProperties", "maximum", "minItems", "minLength",
    "minProperties", "minimum", "multipleOf", "pattern", "x-kubernetes-validations",
})  # fmt: skip
_TEXT: Final = ("maxLength", "minLength", "pattern")
_FORMATTED: Final = frozenset({
    "uid", "creationTimestamp", "deletionTimestamp", "ownerReferences", "managedFields",
})  # fmt: skip


def own_fields(root: Schema, resource: Resource, definitions: Schema) -> Schema:
    """The schemas of the three fields, with what the model says of them where it may."""
    given = {
        name: inline_references({**child, "$defs": definitions}, 0)
        for name, child in root.get("properties", {}).items()
        if name in DESCRIBED
    }
    wanted = {"apiVersion": f"{resource.group}/{resource.version['name']}", "kind": resource.kind}
    is_closed = root.get("additionalProperties") is False
    found = {
        name: {**DESCRIBED[name], **_literal(given.get(name, {}), value)}
        for name, value in wanted.items()
    }
    found["metadata"] = dict(DESCRIBED["metadata"])
    for node in _present(given.get("metadata", {})):
        found["metadata"] |= _metadata(node, has_namespace=resource.scope == "Namespaced")
    if is_closed and len(given) < len(DESCRIBED):
        names = ", ".join(sorted(DESCRIBED.keys() - given.keys()))
        why = f"the model refuses {names}, which every object has (extra='forbid')"
        found["metadata"] = unsupported(why, "declare them, or let extra be 'ignore'")
    return found


def _present(node: Schema) -> Iterator[Schema]:
    """The branches of the node that are not null."""
    yield from (each for each in node.get("anyOf", (node,)) if each.get("type") != "null")


def _literal(node: Schema, value: str) -> Schema:
    from crdgen.admission import schema  # noqa: PLC0415 - few models say anything here

    values = [node["const"]] if "const" in node else node.get("enum", [value])
    limits: Schema = {key: node[key] for key in _TEXT if key in node}
    if value in values and not list(schema.problems(value, {"type": "string", **limits})):
        return {}
    return unsupported(f"it is never {value!r}, what the API server sets", "drop the field")


def _metadata(node: Schema, *, has_namespace: bool) -> Schema:
    """What a definition says of metadata, the rest refused."""
    if node.get("x-kubernetes-validations"):
        return unsupported("rules on metadata are not run", "put the rule on the model itself")
    if node.get("additionalProperties") is False:
        names = ", ".join(sorted(_ALWAYS - node.get("properties", {}).keys()))
        why = f"it refuses {names}, which the API server sets (extra='forbid')"
        return unsupported(why, "let extra be 'ignore'") if names else {}
    extra = node.get("additionalProperties")
    if isinstance(extra, dict) and "type" in extra:
        return unsupported("its fields have several types", "use dict[str, Any], or a model")
    always = _ALWAYS | ({"namespace"} if has_namespace else frozenset())
    said: Schema = {}
    for name, child in node.get("properties", {}).items():
        is_required = name in node.get("required", ()) and name not in always
        if refusal := _refusal(name, child, is_required=is_required):
            said[name] = refusal
        elif name in _LIMITED and _limits(name, child):
            said[name] = child
    return {"properties": said} if said else {}


def _refusal(name: str, child: Schema, *, is_required: bool) -> Schema | None:
    """Why a definition cannot say this of a field of metadata, or None when it can."""
    if name not in _TYPES:
        return unsupported(f"metadata has no field {name}", "drop it")
    if is_required or child.get("required"):
        return unsupported("an object may have none", "give it a default")
    shapes = list(_present(child))
    leaves = [leaf for shape in shapes for leaf, _ in nodes(shape) if leaf is not shape]
    types = {shape.get("type", _TYPES[name]) for shape in shapes}
    if types != {_TYPES[name]}:
        return unsupported(f"it is of type {_TYPES[name]} in every object", "use that type")
    if name in _OF_TEXT and {leaf.get("type", "string") for leaf in leaves} - {"string", "null"}:
        return unsupported("it holds text in every object", "use str")
    limits = [] if name in _LIMITED else _limits(name, child)
    if not limits:
        return None
    why = f"a definition limits only name and generateName of metadata ('{limits[0]}')"
    return unsupported(why, "drop the limit")


def _limits(name: str, child: Schema) -> list[str]:
    known = _LIMITS if name in _FORMATTED else _LIMITS | {"format"}
    return sorted(known & {key for inner, _ in nodes(child) for key in inner})
