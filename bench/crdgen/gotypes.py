"""Go types that say what a definition says, with kubebuilder's markers.

Written from the definition that the models become, so that both generators get equal work and
the comparison cannot drift.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

Schema = dict[str, Any]
_SCALARS: Final = {
    "string": "string", "boolean": "bool", "integer": "int64", "number": "float64",
}  # fmt: skip
_BOUNDS: Final = {
    "minLength": "MinLength", "maxLength": "MaxLength", "minItems": "MinItems",
    "maxItems": "MaxItems", "minimum": "Minimum", "maximum": "Maximum",
    "minProperties": "MinProperties", "maxProperties": "MaxProperties",
}  # fmt: skip
_RULE_KEYS: Final = ("rule", "message", "messageExpression", "reason", "fieldPath")
_HEAD: Final = """\
// Package {version} holds the types of {kind}, equal to its Python models.
// +kubebuilder:object:generate=false
// +groupName={group}
package {version}

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

"""


def written(crd: Schema) -> str:
    """The Go file for the first version of `crd`."""
    spec = crd["spec"]
    version, names = spec["versions"][0], spec["names"]
    writer = _Writer(names["kind"])
    writer.root(version, spec)
    head = _HEAD.format(version=version["name"], kind=names["kind"], group=spec["group"])
    return head + "\n".join(writer.types)


class _Writer:
    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.types: list[str] = []

    def root(self, version: Schema, spec: Schema) -> None:
        """The root type, its markers and everything below."""
        tree = version["schema"]["openAPIV3Schema"]
        lines = [*_described(tree), "// +kubebuilder:object:root=true"]
        lines += [f"// +kubebuilder:subresource:{name}" for name in version.get("subresources", {})]
        lines += map(_column, version.get("additionalPrinterColumns", ()))
        names = spec["names"]
        plain = f"path={names['plural']},singular={names['singular']}"
        for key, word in (("shortNames", "shortName"), ("categories", "categories")):
            if names.get(key):
                plain += f",{word}={';'.join(names[key])}"
        lines += [f"// +kubebuilder:resource:{plain}", f"type {self._kind} struct {{"]
        lines += ['\tmetav1.TypeMeta `json:",inline"`']
        lines += ['\tmetav1.ObjectMeta `json:"metadata,omitempty"`']
        lines += self._fields(tree, self._kind, skip=("apiVersion", "kind", "metadata"))
        self.types.append("\n".join([*lines, "}", ""]))

    def _struct(self, node: Schema, name: str) -> None:
        lines = [*_described(node), *_markers(node, of_type=True), f"type {name} struct {{"]
        fields = self._fields(node, name, skip=())
        self.types.append("\n".join([*lines, *fields, "}", ""]))

    def _fields(self, node: Schema, owner: str, skip: tuple[str, ...]) -> list[str]:
        lines: list[str] = []
        for name, child in node.get("properties", {}).items():
            if name in skip:
                continue
            required = name in node.get("required", ())
            lines += [f"\t{line}" for line in (*_described(child), *_markers(child, of_type=False))]
            lines.append("\t// +required" if required else "\t// +optional")
            title = name[0].upper() + name[1:]
            kind = self._type(child, f"{owner}{title}")
            pointer = "*" if not required and not kind.startswith(("[]", "map")) else ""
            omit = "" if required else ",omitempty"
            lines.append(f'\t{title} {pointer}{kind} `json:"{name}{omit}"`')
        return lines

    def _type(self, node: Schema, name: str) -> str:
        kind = node["type"]
        if kind in _SCALARS:
            return _SCALARS[kind]
        if kind == "array":
            return f"[]{self._type(node['items'], f'{name}Item')}"
        if "additionalProperties" in node:
            return f"map[string]{self._type(node['additionalProperties'], f'{name}Value')}"
        self._struct(node, name)
        return name


def _described(node: Schema) -> Iterator[str]:
    for line in str(node.get("description", "")).splitlines():
        yield f"// {line}"


def _markers(node: Schema, *, of_type: bool) -> Iterator[str]:
    is_struct = node.get("type") == "object" and "properties" in node
    if of_type == is_struct:
        for rule in node.get("x-kubernetes-validations", ()):
            parts = ",".join(f"{key}={json.dumps(rule[key])}" for key in _RULE_KEYS if key in rule)
            yield f"// +kubebuilder:validation:XValidation:{parts}"
    if of_type:
        return
    for key, word in _BOUNDS.items():
        if key in node:
            yield f"// +kubebuilder:validation:{word}={node[key]}"
    if "enum" in node:
        yield f"// +kubebuilder:validation:Enum={';'.join(map(json.dumps, node['enum']))}"
    if "default" in node:
        # NB: the marker of kubebuilder reads no negative number inside of an object (0.23).
        yield f"// +default={json.dumps(node['default'])}"
    if "x-kubernetes-list-type" in node:
        yield f"// +listType={node['x-kubernetes-list-type']}"
        for key in node.get("x-kubernetes-list-map-keys", ()):
            yield f"// +listMapKey={key}"


def _column(column: Schema) -> str:
    parts = [f"name={json.dumps(column['name'])}", f"type={column['type']}"]
    parts.append(f"JSONPath={json.dumps(column['jsonPath'])}")
    if "description" in column:
        parts.append(f"description={json.dumps(column['description'])}")
    return f"// +kubebuilder:printcolumn:{','.join(parts)}"
