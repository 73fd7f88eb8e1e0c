"""One row of a group: `arg_max()`, `arg_min()`, `take_any()`."""

from emulator.engine.aggregates.registry import AGGREGATES, Aggregate, filter_clause, register
from emulator.engine.arithmetic import truth
from emulator.engine.functions.registry import Call
from emulator.engine.typed import Typed


def _packed(values: list[Typed]) -> str:
    fields = ", ".join(f"f{number} := {value.sql}" for number, value in enumerate(values))
    return f"struct_pack({fields})"


def _unpacked(struct: str, values: list[Typed]) -> list[Typed]:
    found = []
    for number, value in enumerate(values):
        sql = f"({struct}).f{number}"
        found.append(
            Typed(
                f"coalesce({sql}, '')" if value.type == "string" else sql,
                value.type,
                name=value.name,
            )
        )
    return found


def _arg_extreme(function: str) -> Aggregate:
    def bind(call: Call) -> list[Typed]:
        key, values = call.arguments[0], list(call.arguments)
        if key.type == "dynamic":
            raise call.error("argument 1 is a dynamic; cast it, as tostring(…) or toreal(…)")
        values[0] = key.named(key.name or f"{function[4:]}_")
        packed = _packed(values)
        keyed = f"{function}({packed}, {key.sql})"
        if key.type == "real":
            keyed += f" FILTER (WHERE NOT isnan({key.sql}))"
        return _unpacked(f"coalesce({keyed}, first({packed}))", values)

    return bind


register("arg_max", 1, None)(_arg_extreme("arg_max"))
register("arg_min", 1, None)(_arg_extreme("arg_min"))


@register("take_any", 1, None)
def _take_any(call: Call) -> list[Typed]:
    if len(call.arguments) == 1:
        return [_any(call.arguments[0], "")]
    values = list(call.arguments)
    return _unpacked(f"first({_packed(values)})", values)


def _any(value: Typed, clause: str) -> Typed:
    if value.type == "string":
        return Typed(
            f"coalesce(any_value(nullif({value.sql}, '')){clause}, '')", "string", name=value.name
        )
    return Typed(f"any_value({value.sql}){clause}", value.type, name=value.name)


@register("take_anyif", 2)
def _take_any_if(call: Call) -> list[Typed]:
    return [_any(call.arguments[0], filter_clause(truth(call.arguments[1], call.name, call.at)))]


AGGREGATES["any"], AGGREGATES["anyif"] = AGGREGATES["take_any"], AGGREGATES["take_anyif"]
