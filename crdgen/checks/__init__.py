"""Would the API server take this definition? Every rule of its validation, without a server.

The order and the gates are the server's:
nothing else is reported of schemas that are not structural, and CEL is compiled only for schemas
that are fine otherwise.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from crdgen.admission import defaults
from crdgen.cel.declarations import REQUEST
from crdgen.checks import columns, rules, schema, spec, structural
from crdgen.checks.rules import Cost
from crdgen.definition import LARGEST, Definition
from crdgen.field_errors import FieldError, invalid
from crdgen.passes.walk import nodes
from crdgen.schema_keywords import Schema

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ANNOTATIONS = 256 * 1024
"""Bytes of keys and values that Kubernetes allows."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What the server would say of one definition, what its CEL rules cost, and what to know."""

    name: str
    problems: tuple[FieldError, ...]
    costs: tuple[Cost, ...]
    notes: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether the server would take it."""
        return not self.problems


def check_definition(definition: Definition) -> CheckResult:
    """Judge one decoded definition as kube-apiserver 1.37 would on creation."""
    problems = [*definition.problems, *spec.problems(definition), *_too_large(definition.size)]
    costs: list[Cost] = []
    hoisted = _is_hoisted(definition.versions)
    for index, version in enumerate(definition.versions):
        path = "spec" if hoisted else f"spec.versions[{index}]"
        problems += columns.problems(version, path)
        if not hoisted or not index:
            found, priced = _schema(version, path, hoisted=hoisted)
            problems += found
            costs += priced
    return CheckResult(definition.name, _distinct(problems), tuple(costs), _notes(definition))


def _too_large(size: int) -> list[FieldError]:
    """What a request of `size` bytes is refused with, wherever it comes from."""
    if size > REQUEST:
        words = f"Request entity too large: limit is {REQUEST}"
        return [FieldError("<nil>", "Invalid", words)]
    if size > LARGEST:
        words = f"etcdserver: request is too large ({size:,} bytes of JSON; etcd takes 1.5 MiB)"
        return [FieldError("<nil>", "Invalid", words)]
    return []


def _notes(definition: Definition) -> tuple[str, ...]:
    annotations = definition.metadata.get("annotations") or {}
    held = sum(len(f"{key}{value}".encode()) for key, value in annotations.items())
    size = definition.size + held + len(_LAST_APPLIED) + 1
    if size <= _ANNOTATIONS:
        return ()
    words = (
        f"kubectl apply without --server-side fails: it copies the definition ({definition.size:,}"
        f" bytes) into an annotation, and annotations may not be more than {_ANNOTATIONS:,} bytes;"
        " use kubectl apply --server-side, or generate --no-descriptions"
    )
    return (words,)


def _distinct(problems: list[FieldError]) -> tuple[FieldError, ...]:
    return tuple(each for at, each in enumerate(problems) if each not in problems[:at])


def _is_hoisted(versions: list[Schema]) -> bool:
    """Whether the server sees one schema for all versions and names it `spec.validation`."""
    return bool(versions) and all(
        "schema" in version and version["schema"] == versions[0]["schema"] for version in versions
    )


def _schema(version: Schema, path: str, *, hoisted: bool) -> tuple[list[FieldError], list[Cost]]:
    tree = version.get("schema", {}).get("openAPIV3Schema")
    if tree is None:
        return [], []
    here = f"{path}.{'validation' if hoisted else 'schema'}.openAPIV3Schema"
    found = list(structural.root_problems(version, tree, here))
    shape = [] if _is_unreadable(tree) else list(_shape(tree, here))
    found += shape
    stated = list(schema.problems(tree, here))
    found += stated
    if shape or _is_unreadable(tree):
        return found, []
    if not found and _names_its_schema(tree):
        return [invalid(here, "", "OpenAPIV3Schema 'schema' is not supported")], []
    wrong, costs = rules.check_rules(tree, here, [problem.field for problem in stated])
    return [*found, *wrong], costs


def _shape(tree: Schema, path: str) -> Iterator[FieldError]:
    wrong = list(structural.problems(tree, path))
    yield from wrong
    if not wrong:
        yield from defaults.problems(tree, path)


def _names_its_schema(tree: Schema) -> bool:
    return any(node.get("$schema") for node, _ in nodes(tree))


def _is_unreadable(tree: Schema) -> bool:
    return any(
        tree.get(keyword)
        for keyword in ("id", "$schema", "$ref", "patternProperties", "dependencies",
                        "additionalItems", "definitions")
    )  # fmt: skip
