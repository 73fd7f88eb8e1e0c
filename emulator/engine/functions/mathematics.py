"""Functions of numbers. Source: Kusto docs, "Mathematical functions"."""

import math
import random
from collections.abc import Callable
from typing import Any, Final

from emulator.engine.conversion import convert
from emulator.engine.functions.registry import Call, alias, define, python, register, template
from emulator.engine.problems import UnsupportedProblem
from emulator.engine.typed import INTEGERS, NUMBERS, Typed, constant


def _real_template(name: str, sql: str) -> None:
    template(name, "real", ["real"], sql)


for _name in ("sin", "cos", "tan", "atan", "exp", "degrees", "radians", "cot"):
    _real_template(_name, f"{_name}({{0}})")
for _name in ("asin", "acos"):
    _real_template(
        _name,
        f"CASE WHEN isnan({{0}}) THEN {{0}} WHEN {{0}} BETWEEN -1 AND 1 THEN {_name}({{0}}) END",
    )
_real_template("sqrt", "CASE WHEN isnan({0}) THEN {0} WHEN {0} >= 0 THEN sqrt({0}) END")
_real_template("exp2", "pow(2.0, {0})")
_real_template("exp10", "pow(10.0, {0})")


def _logarithm(base: Callable[[float], float]) -> Callable[[float | None], float | None]:
    def compute(value: float | None) -> float | None:
        if value is None or value < 0:
            return None
        return -math.inf if value == 0 else base(value)

    return compute


python("log", "real", ["real"], _logarithm(math.log))
python("log2", "real", ["real"], _logarithm(math.log2))
python("log10", "real", ["real"], _logarithm(math.log10))
template("atan2", "real", ["real", "real"], "atan2({0}, {1})")
template("pow", "real", ["real", "real"], "pow({0}, {1})")
template("pi", "real", [], "pi()")
template("isnan", "bool", ["real"], "coalesce(isnan({0}), false)")
template("isinf", "bool", ["real"], "coalesce(isinf({0}), false)")
template("isfinite", "bool", ["real"], "coalesce(isfinite({0}), false)")
template("sign", "real", ["real"], "coalesce(sign({0}), 0)::DOUBLE")
template("binary_and", "long", ["long", "long"], "({0} & {1})")
template("binary_or", "long", ["long", "long"], "({0} | {1})")
template("binary_xor", "long", ["long", "long"], "xor({0}, {1})")
template("binary_not", "long", ["long"], "(~{0})")
template("bitset_count_ones", "long", ["long"], "bit_count({0})::BIGINT")


def _shift_left(value: int | None, bits: int | None) -> int | None:
    if value is None or bits is None:
        return None
    shifted = (value << (bits % 64)) & (2**64 - 1)
    return shifted - 2**64 if shifted >= 2**63 else shifted


def _shift_right(value: int | None, bits: int | None) -> int | None:
    return None if value is None or bits is None else value >> (bits % 64)


python("binary_shift_left", "long", ["long", "long"], _shift_left)
python("binary_shift_right", "long", ["long", "long"], _shift_right)


@register("not", 1)
def _not(call: Call) -> Typed:
    return call.result(f"(NOT {convert(call.arguments[0], 'bool', call.at, 'not').sql})", "bool")


@register("abs", 1)
def _abs(call: Call) -> Typed:
    value = call.arguments[0]
    if value.type == "timespan":
        return call.result(f"abs({value.sql})", "timespan")
    value = call.argument(0, "number")
    value = convert(value, "long") if value.type == "int" else value
    return call.result(f"abs({value.sql})", value.type)


@register("ceiling", 1)
def _ceiling(call: Call) -> Typed:
    value = call.argument(0, "number")
    kind = "decimal" if value.type == "decimal" else "real"
    return call.result(f"ceil({convert(value, kind).sql})", kind)


alias("ceiling", "ceil")


def _round(value: float | None, precision: int | None) -> float | None:
    """Half away from zero, on the value times a power of ten."""
    if value is None or precision is None:
        return None
    if not math.isfinite(value) or not -308 < precision < 308:
        return value
    scale = 10.0 ** abs(precision)
    scaled = value * scale if precision >= 0 else value / scale
    if not math.isfinite(scaled) or abs(scaled) >= 2**53:
        return value
    whole = math.copysign(math.floor(abs(scaled) + 0.5), scaled)
    return whole / scale if precision >= 0 else whole * scale


define("round", "real", ["real", "long"], _round)


@register("round", 1, 2)
def _bind_round(call: Call) -> Typed:
    value = call.argument(0, "number")
    precision = call.argument(1, "long").sql if len(call.arguments) > 1 else "0::BIGINT"
    return call.result(f"k_round({convert(value, 'real').sql}, {precision})", "real")


@register("bin", 2)
def bind_bin(call: Call) -> Typed:
    """`bin(value, size)`: the multiple of `size` below, counted from 0 or 0001-01-01."""
    value, size = call.arguments
    if value.is_null or (value.type == "dynamic"):
        raise call.error("argument 1 must be a number, a datetime or a timespan; cast it")
    if value.type in ("datetime", "timespan"):
        step = size if size.type == "timespan" else convert(call.argument(1, "long"), "timespan")
        return call.result(f"(__emulator.bin({value.sql}, {step.sql}))", value.type)
    value, size = call.argument(0, "number"), call.argument(1, "number")
    if value.type in INTEGERS and size.type in INTEGERS:
        a, b = convert(value, "long").sql, convert(size, "long").sql
        return call.result(f"(__emulator.bin({a}, {b}))", "long")
    a, b = convert(value, "real").sql, convert(size, "real").sql
    return call.result(f"(__emulator.bin_real({a}, {b}))", "real")


register("floor", 2)(bind_bin)


@register("bin_at", 3)
def bind_bin_at(call: Call) -> Typed:
    """`bin_at(value, size, fixed point)`."""
    value, _, fixed = call.arguments
    if value.type in ("datetime", "timespan"):
        fixed = call.argument(2, value.type)
        step = call.argument(1, "timespan").sql
        sql = f"({fixed.sql} + __emulator.bin({value.sql} - {fixed.sql}, {step}))"
        return call.result(sql, value.type)
    numbers = [call.argument(index, "number") for index in range(3)]
    if all(number.type in INTEGERS for number in numbers):
        a, b, c = (convert(number, "long").sql for number in numbers)
        return call.result(f"({c} + __emulator.bin({a} - {c}, {b}))", "long")
    a, b, c = (convert(number, "real").sql for number in numbers)
    return call.result(f"({c} + __emulator.bin_real({a} - {c}, {b}))", "real")


@register("bin_auto", 1)
def _bin_auto(call: Call) -> Typed:
    options = call.binder.compiler.environment.options
    size = options.get("query_bin_auto_size")
    if not isinstance(size, Typed):
        raise call.error("the query does not set query_bin_auto_size")
    value = call.arguments[0]
    fixed = options.get("query_bin_auto_at")
    if not isinstance(fixed, Typed):
        fixed = constant(value.type, 0)
    return bind_bin_at(Call("bin_at", call.at, (value, size, fixed), call.binder))


def _extreme(call: Call, function: str, symbol: str) -> Typed:
    arguments = list(call.arguments)
    types = {value.type for value in arguments if not value.is_null}
    if types <= set(NUMBERS):
        kind = "real" if "real" in types else "decimal" if "decimal" in types else "long"
        if types == {"int"}:
            kind = "int"
        values = [convert(value, kind).sql for value in arguments]
        return call.result(f"{function}({', '.join(values)})", kind)
    if len(types) != 1 or "dynamic" in types or "bool" in types:
        raise call.error("the arguments must have one type that can be ordered")
    del symbol
    return call.result(f"{function}({', '.join(value.sql for value in arguments)})", types.pop())


@register("max_of", 2, 64)
def _max_of(call: Call) -> Typed:
    return _extreme(call, "greatest", ">")


@register("min_of", 2, 64)
def _min_of(call: Call) -> Typed:
    return _extreme(call, "least", "<")


def _loggamma(value: float | None) -> float | None:
    return None if value is None else math.lgamma(value)


def _gamma(value: float | None) -> float | None:
    if value is None:
        return None
    try:
        return math.gamma(value)
    except (ValueError, OverflowError):
        return math.nan if value <= 0 else math.inf


def _nullable(function: Callable[[float], float]) -> Callable[[float | None], float | None]:
    return lambda value: None if value is None else function(value)


python("gamma", "real", ["real"], _gamma)
python("loggamma", "real", ["real"], _loggamma)
python("erf", "real", ["real"], _nullable(math.erf))
python("erfc", "real", ["real"], _nullable(math.erfc))


def _beta_valid(x: float | None, a: float | None, b: float | None) -> bool:
    return None not in (x, a, b) and 0 <= (x or 0) <= 1 and (a or 0) > 0 and (b or 0) > 0


def _beta_pdf(x: float | None, a: float | None, b: float | None) -> float:
    if not _beta_valid(x, a, b) or x is None or a is None or b is None or x in (0.0, 1.0):
        return math.nan
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    return math.exp((a - 1) * math.log(x) + (b - 1) * math.log1p(-x) - log_beta)


def beta_cdf(x: float | None, a: float | None, b: float | None) -> float:
    """The regularized incomplete beta function, NaN outside its domain."""
    if a is not None and a <= 0 and x is not None and 0 <= x <= 1:
        return 1.0
    if not _beta_valid(x, a, b) or x is None or a is None or b is None:
        return math.nan
    if x in (0.0, 1.0):
        return x
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta)
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(x, a, b) / a
    return 1 - front * _beta_fraction(1 - x, b, a) / b


def _beta_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    tiny = 1e-300
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1), tiny)
    value = d
    for m in range(1, 500):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for numerator in (even, odd):
            d = 1 / _away(1 + numerator * d, tiny)
            c = _away(1 + numerator / c, tiny)
            value *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return value


def _away(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny


def _beta_inv(p: float | None, a: float | None, b: float | None) -> float:
    if not _beta_valid(p, a, b) or p is None:
        return math.nan
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        if beta_cdf(middle, a, b) < p:
            low = middle
        else:
            high = middle
    return (low + high) / 2


python("beta_pdf", "real", ["real", "real", "real"], _beta_pdf)
python("beta_cdf", "real", ["real", "real", "real"], beta_cdf)
python("beta_inv", "real", ["real", "real", "real"], _beta_inv)


@register("rand", 0, 1)
def _rand(call: Call) -> Typed:
    if not call.arguments:
        return call.result("random()", "real")
    return call.result(f"floor(random() * {call.argument(0, 'long').sql})", "real")


def _new_guid(_: int | None) -> str:
    return str(__import__("uuid").UUID(int=random.getrandbits(128), version=4))


@register("new_guid", 0)
def _bind_new_guid(call: Call) -> Typed:
    return call.result("uuid()", "guid")


_CONVERSIONS: Final[dict[str, dict[str, float]]] = {
    "length": {
        "Angstrom": 1e-10, "AstronomicalUnit": 1.4959787070e11, "Centimeter": 0.01,
        "Chain": 20.1168,
        "Decimeter": 0.1, "Fathom": 1.8288, "Foot": 0.3048, "Hand": 0.1016, "Hectometer": 100.0,
        "Inch": 0.0254, "Kilometer": 1000.0, "LightYear": 9.46073047258e15, "Meter": 1.0,
        "Microinch": 2.54e-8, "Micrometer": 1e-6, "Mil": 2.54e-5, "Mile": 1609.34,
        "Millimeter": 0.001,
        "Nanometer": 1e-9, "NauticalMile": 1852.0, "Yard": 0.9144,
    },
    "mass": {
        "Centigram": 1e-5, "Decagram": 0.01, "Decigram": 1e-4, "Grain": 6.479891e-5, "Gram": 0.001,
        "Hectogram": 0.1, "Kilogram": 1.0, "Kilotonne": 1e6, "LongTon": 1016.0469088,
        "Megatonne": 1e9, "Microgram": 1e-9, "Milligram": 1e-6, "Nanogram": 1e-12,
        "Ounce": 0.028349523125, "Pound": 0.45359237, "ShortTon": 907.18474, "Stone": 6.35029318,
        "Tonne": 1000.0,
    },
    "energy": {
        "Joule": 1.0, "Kilojoule": 1000.0, "Megajoule": 1e6, "Gigajoule": 1e9, "Calorie": 4.184,
        "Kilocalorie": 4184.0, "WattHour": 3600.0, "KilowattHour": 3.6e6, "MegawattHour": 3.6e9,
        "BritishThermalUnit": 1055.05585262, "ElectronVolt": 1.602176565e-19, "Erg": 1e-7,
    },
    "volume": {
        "AcreFoot": 1 / 0.000810714, "CubicMeter": 1.0,
        "CubicCentimeter": 1e-6, "CubicDecimeter": 1e-3, "CubicFoot": 0.028316846592,
        "CubicInch": 1.6387064e-5, "CubicKilometer": 1e9, "CubicMile": 4.16818182544058e9,
        "CubicMillimeter": 1e-9, "CubicYard": 0.764554857984, "Liter": 1e-3, "Milliliter": 1e-6,
        "Centiliter": 1e-5, "Deciliter": 1e-4, "Hectoliter": 0.1, "Kiloliter": 1.0,
    },
    "angle": {
        "Arcminute": math.pi / 10800, "Arcsecond": math.pi / 648000, "Degree": math.pi / 180,
        "Gradian": 0.9 * math.pi / 180, "Radian": 1.0, "Revolution": 2 * math.pi,
    },
    "speed": {
        "MeterPerSecond": 1.0, "KilometerPerHour": 1 / 3.6, "MilePerHour": 0.44704,
        "Knot": 1852 / 3600,
        "FootPerSecond": 0.3048, "CentimeterPerSecond": 0.01,
    },
}  # fmt: skip


def _converter(table: dict[str, float]) -> Callable[[float | None, str, str], float | None]:
    def compute(value: float | None, source: str, target: str) -> float | None:
        if value is None:
            return None
        return value * table[source] / table[target]

    return compute


def _convert(name: str, units: dict[str, Any], function: Callable[..., Any]) -> None:
    """Register `convert_<name>(value, from, to)` with constant units that are known here."""
    sql_name = define(f"convert_{name}", "real", ["real", "string", "string"], function)

    def bind(call: Call) -> Typed:
        for unit in call.arguments[1:]:
            if unit.constant not in units:
                raise UnsupportedProblem(f"the unit {unit.constant!r} in '{call.name}()'", call.at)
        values = ", ".join(
            call.argument(index, kind).sql
            for index, kind in enumerate(("real", "string", "string"))
        )
        return call.result(f"{sql_name}({values})", "real")

    register(f"convert_{name}", 3)(bind)


for _name, _table in _CONVERSIONS.items():
    _convert(_name, _table, _converter(_table))

_KELVIN: Final[dict[str, tuple[float, float]]] = {
    "Kelvin": (1.0, 0.0),
    "DegreeCelsius": (1.0, 273.15),
    "DegreeFahrenheit": (5 / 9, 459.67 * 5 / 9),
    "DegreeRankine": (5 / 9, 0.0),
    "DegreeReaumur": (1.25, 273.15),
}


def _convert_temperature(value: float | None, source: str, target: str) -> float | None:
    if value is None:
        return None
    scale, offset = _KELVIN[source]
    kelvin = value * scale + offset
    scale, offset = _KELVIN[target]
    return (kelvin - offset) / scale


_convert("temperature", dict(_KELVIN), _convert_temperature)


def real_text(value: float) -> str:
    """The text of a very small or large real, as .NET writes it."""
    digits, _, exponent = repr(value).partition("e")
    if not exponent:
        mantissa, _, power = f"{value:.16e}".partition("e")
        del mantissa
        digits, exponent = _shortest(value, int(power)), power
    number = int(exponent)
    digits = digits.removesuffix(".0")
    return f"{digits}E{'+' if number >= 0 else '-'}{abs(number):02}"


def _shortest(value: float, power: int) -> str:
    for precision in range(18):
        text = f"{value:.{precision}e}"
        if float(text) == value:
            return text.partition("e")[0]
    return str(value / 10.0**power)


define("real_text", "string", ["real"], real_text)


def _hex(text: str) -> int | None:
    value = int(text.strip(), 16)
    if value >= 2**64:
        return None
    return value - 2**64 if value >= 2**63 else value


define("hex", "long", ["string"], _hex)


def _special_real(text: str) -> float | None:
    known: dict[str, Any] = {"nan": math.nan, "inf": math.inf, "+inf": math.inf, "-inf": -math.inf}
    known |= {"infinity": math.inf, "-infinity": -math.inf}
    return known.get(text.strip().lower())


define("special_real", "real", ["string"], _special_real)
