"""Functions of the extent that holds a row: when it was ingested, its id and its tags.

Source: Kusto docs, "ingestion_time()", "extent_id()", "extent_tags()". Of rows that no table holds
Kusto gives an empty value; here they are refused, since a query that asks for it is a mistake.
"""

from typing import Final

from emulator.engine.functions.registry import Call, register
from emulator.engine.problems import UnsupportedProblem
from emulator.engine.typed import Typed

_PROPERTIES: Final = {
    "ingestion_time": ("__emulator.ticks(ingested_on)", "datetime"),
    "extent_id": ("extent_id", "guid"),
    "extent_tags": ("to_json(tags)::VARCHAR", "dynamic"),
}


def _property(call: Call) -> Typed:
    relation = call.binder.relation
    if relation is None or not relation.extent:
        raise UnsupportedProblem(f"'{call.name}()' of rows that no table holds", call.at)
    value, kind = _PROPERTIES[call.name]
    sql = f"(SELECT {value} FROM __emulator.extents WHERE number = {relation.extent})"
    return call.result(sql, kind)


for _name in _PROPERTIES:
    register(_name, 0)(_property)
