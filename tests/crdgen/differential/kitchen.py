"""Definitions to be stored and filled with objects: random schemas, and one field of every kind.

A definition has a dozen fields under `.spec`; an object fills one of them.
"""

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from crdgen.checks import check_definition
from crdgen.definition import Definition, decode_definition
from tests.crdgen.differential import definitions
from tests.crdgen.differential.definitions import GROUP, Schema, field_with, spec_with
from tests.crdgen.differential.strategies import schemas

FIELDS_EACH = 12


@dataclass(frozen=True, slots=True)
class Oven:
    """A definition, the schemas of its fields by name, and its crdgen form."""

    crd: dict[str, Any]
    fields: dict[str, Schema]
    definition: Definition

    def holding(self, field: str, value: Any) -> dict[str, Any]:
        """An object with `value` in `field`."""
        return {
            "apiVersion": f"{GROUP}/v1",
            "kind": self.crd["spec"]["names"]["kind"],
            "metadata": {"name": "x"},
            "spec": {field: value},
        }


def oven(number: int, fields: list[Schema]) -> Oven:
    """A definition with `fields`, its names made distinct by `number`."""
    named = {f"f{index}": schema for index, schema in enumerate(fields)}
    crd = spec_with(
        {"type": "object", "properties": named},
        names={
            "kind": f"Oven{number}",
            "listKind": f"Oven{number}List",
            "plural": f"ovens{number}",
            "singular": f"oven{number}",
        },
        metadata={"name": f"ovens{number}.{GROUP}"},
    )
    return Oven(crd, named, decode_definition(crd))


def ovens(examples: int) -> list[Oven]:
    """Definitions that the server takes, from `examples` random schemas and the hand-made ones."""
    taken = [schema for schema in _random(examples) if _is_taken(schema)]
    taken += [schema for _, schema in definitions.schemas() if _is_taken(schema)]
    groups = [taken[at : at + FIELDS_EACH] for at in range(0, len(taken), FIELDS_EACH)]
    made = [oven(number, group) for number, group in enumerate(groups)]
    return [each for each in made if check_definition(each.definition).accepted]


def _is_taken(schema: Schema) -> bool:
    return check_definition(decode_definition(field_with(schema))).accepted


def _random(examples: int) -> list[Schema]:
    found: list[Schema] = []

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(schemas())
    def collect(schema: Schema) -> None:
        if schema not in found:
            found.append(schema)

    collect()
    return found
