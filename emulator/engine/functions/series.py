"""Functions of series: arrays of numbers. Source: Kusto docs, "Series functions"."""

import math
import statistics
from collections.abc import Callable
from typing import Any, Final

from emulator.engine.conversion import convert, to_dynamic
from emulator.engine.functions.registry import Call, define, python, register
from emulator.engine.typed import Typed

Json = Any
Number = float | None


def _numbers(values: Json) -> list[Number] | None:
    if not isinstance(values, list):
        return None
    return [
        item if isinstance(item, int | float) and not isinstance(item, bool) else None
        for item in values
    ]


def _each(function: Callable[[float], float]) -> Callable[[Json], Json]:
    def compute(values: Json) -> Json:
        numbers = _numbers(values)
        return (
            None
            if numbers is None
            else [None if item is None else _safe(function, item) for item in numbers]
        )

    return compute


def _safe(function: Callable[..., float], *values: float) -> Number:
    try:
        return function(*values)
    except (ValueError, OverflowError, ZeroDivisionError):
        return None


for _name, _function in (
    ("abs", abs),
    ("acos", math.acos),
    ("asin", math.asin),
    ("atan", math.atan),
    ("ceiling", lambda value: float(math.ceil(value))),
    ("cos", math.cos),
    ("exp", math.exp),
    ("floor", lambda value: float(math.floor(value))),
    ("log", math.log),
    ("sign", lambda value: float((value > 0) - (value < 0))),
    ("sin", math.sin),
    ("tan", math.tan),
):
    python(f"series_{_name}", "dynamic", ["dynamic"], _each(_function))


def _pairs(one: Json, other: Json) -> list[tuple[Number, Number]] | None:
    first = _numbers(one) if isinstance(one, list) else None
    second = _numbers(other) if isinstance(other, list) else None
    if first is None and second is None:
        return None
    size = max(len(first or []), len(second or []))
    scalar_one = None if isinstance(one, list) else one
    scalar_other = None if isinstance(other, list) else other

    def item(values: list[Number] | None, scalar: Json, at: int) -> Number:
        if values is None:
            return scalar if isinstance(scalar, int | float) else None
        return values[at] if at < len(values) else None

    return [(item(first, scalar_one, at), item(second, scalar_other, at)) for at in range(size)]


def _combine(function: Callable[[float, float], Json]) -> Callable[[Json, Json], Json]:
    def compute(one: Json, other: Json) -> Json:
        pairs = _pairs(one, other)
        if pairs is None:
            return None
        return [None if a is None or b is None else _safe(function, a, b) for a, b in pairs]

    return compute


def _divide(a: float, b: float) -> float:
    if b == 0:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a)
    return a / b


for _name, _pair in (
    ("add", lambda a, b: a + b),
    ("subtract", lambda a, b: a - b),
    ("multiply", lambda a, b: a * b),
    ("divide", _divide),
    ("pow", lambda a, b: float(a**b)),
    ("equals", lambda a, b: a == b),
    ("not_equals", lambda a, b: a != b),
    ("greater", lambda a, b: a > b),
    ("greater_equals", lambda a, b: a >= b),
    ("less", lambda a, b: a < b),
    ("less_equals", lambda a, b: a <= b),
):
    python(f"series_{_name}", "dynamic", ["any", "any"], _combine(_pair))


def _filled(values: Json) -> list[float]:
    return [item for item in _numbers(values) or [] if item is not None]


def _sum(values: Json) -> Number:
    return float(sum(_filled(values))) if isinstance(values, list) else None


def _product(values: Json) -> Number:
    return float(math.prod(_filled(values))) if isinstance(values, list) else None


def _dot(one: Json, other: Json) -> Number:
    pairs = _pairs(one, other)
    return (
        None
        if pairs is None
        else float(sum(a * b for a, b in pairs if a is not None and b is not None))
    )


def _magnitude(values: Json) -> Number:
    return (
        math.sqrt(sum(item * item for item in _filled(values)))
        if isinstance(values, list)
        else None
    )


def _pearson(one: Json, other: Json) -> Number:
    pairs = [(a, b) for a, b in _pairs(one, other) or [] if a is not None and b is not None]
    if len(pairs) < 2:
        return None
    a, b = zip(*pairs, strict=True)
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    top = sum((x - mean_a) * (y - mean_b) for x, y in pairs)
    bottom = math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))
    return top / bottom if bottom else math.nan


def _cosine(one: Json, other: Json, first: float | None, second: float | None) -> Number:
    dot = _dot(one, other)
    a = first if first is not None else _magnitude(one)
    b = second if second is not None else _magnitude(other)
    return None if dot is None or not a or not b else dot / (a * b)


python("series_sum", "real", ["dynamic"], _sum)
python("series_product", "real", ["dynamic"], _product)
python("series_dot_product", "real", ["any", "any"], _dot)
python("series_magnitude", "real", ["dynamic"], _magnitude)
python("series_pearson_correlation", "real", ["dynamic", "dynamic"], _pearson)
python(
    "series_cosine_similarity", "real", ["dynamic", "dynamic", "real", "real"], _cosine, optional=2
)


def _is_missing(value: Json, placeholder: Json) -> bool:
    return value is None if placeholder is None else value == placeholder


def _fill_const(values: Json, filler: Json, placeholder: Json) -> Json:
    if not isinstance(values, list):
        return None
    return [filler if _is_missing(item, placeholder) else item for item in values]


def _fill_forward(values: Json, placeholder: Json) -> Json:
    if not isinstance(values, list):
        return None
    found, last = [], None
    for item in values:
        if not _is_missing(item, placeholder):
            last = item
        found.append(item if last is None else last)
    return found


def _fill_backward(values: Json, placeholder: Json) -> Json:
    forward = _fill_forward(values[::-1], placeholder) if isinstance(values, list) else None
    return None if forward is None else forward[::-1]


def _fill_linear(values: Json, placeholder: Json, edges: bool | None, constant: Json) -> Json:
    if not isinstance(values, list):
        return None
    known = [at for at, item in enumerate(values) if not _is_missing(item, placeholder)]
    if not known:
        return [0 if constant is None else constant] * len(values)
    found = list(values)
    for at in range(len(values)):
        if at in known:
            continue
        before = max((one for one in known if one < at), default=None)
        after = min((one for one in known if one > at), default=None)
        if before is not None and after is not None:
            share = (at - before) / (after - before)
            found[at] = values[before] + (values[after] - values[before]) * share
        elif edges is not False and (before is not None or after is not None):
            found[at] = values[before if before is not None else after or 0]
    return found


python("series_fill_const", "dynamic", ["dynamic", "any", "any"], _fill_const, optional=1)
python("series_fill_forward", "dynamic", ["dynamic", "any"], _fill_forward, optional=1)
python("series_fill_backward", "dynamic", ["dynamic", "any"], _fill_backward, optional=1)
python("series_fill_linear", "dynamic", ["dynamic", "any", "bool", "any"], _fill_linear, optional=3)


def _statistics(values: Json) -> dict[str, Number]:
    numbers = _filled(values)
    names = ("min", "min_idx", "max", "max_idx", "avg", "stdev", "variance", "sum", "len")
    if not numbers:
        return dict.fromkeys(names)
    raw = _numbers(values) or []
    variance = statistics.variance(numbers) if len(numbers) > 1 else 0.0
    low, high = min(numbers), max(numbers)
    figures = (
        *(float(low), raw.index(low), float(high), raw.index(high)),
        *(sum(numbers) / len(numbers), math.sqrt(variance), float(variance)),
        *(float(sum(numbers)), len(numbers)),
    )
    return dict(zip(names, figures, strict=True))


python(
    "series_stats_dynamic",
    "dynamic",
    ["dynamic", "bool"],
    lambda values, _: _statistics(values),
    optional=1,
)


def _fit(values: Json) -> dict[str, Json]:
    numbers = _numbers(values) or []
    points = [(float(at), item) for at, item in enumerate(numbers) if item is not None]
    size = len(points)
    if size < 2:
        return dict.fromkeys(
            ("rsquare", "slope", "variance", "rvariance", "interception", "line_fit")
        )
    mean_x, mean_y = sum(x for x, _ in points) / size, sum(y for _, y in points) / size
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    start = mean_y - slope * mean_x
    total = sum((y - mean_y) ** 2 for _, y in points)
    rest = sum((y - start - slope * x) ** 2 for x, y in points)
    return {
        "rsquare": 1 - rest / total if total else 1.0,
        "slope": slope,
        "variance": total / (size - 1),
        "rvariance": rest / (size - 1),
        "interception": start,
        "line_fit": [start + slope * at for at in range(len(numbers))],
    }


python("series_fit_line_dynamic", "dynamic", ["dynamic"], _fit)
SEVERAL: Final[dict[str, tuple[str, tuple[tuple[str, str, str], ...]]]] = {
    "series_stats": (
        "k_series_stats_dynamic({0}, NULL::BOOLEAN)",
        tuple(
            (name, name, "long" if name.endswith("idx") else "real")
            for name in ("min", "min_idx", "max", "max_idx", "avg", "stdev", "variance")
        ),
    ),
    "series_fit_line": (
        "k_series_fit_line_dynamic({0})",
        (
            ("rsquare", "rsquare", "real"),
            ("slope", "slope", "real"),
            ("variance", "variance", "real"),
            ("rvariance", "rvariance", "real"),
            ("interception", "interception", "real"),
            ("line_fit", "line_fit", "dynamic"),
        ),
    ),
}
"""Functions that give several columns: the SQL of their bag, and each member's suffix and type."""


def several(call: Call) -> list[Typed]:
    """The columns of a call of one of `SEVERAL`."""
    sql, members = SEVERAL[call.name]
    value = call.argument(0, "dynamic")
    bag = sql.format(value.sql)
    found = []
    for suffix, member, kind in members:
        one = Typed(f"__emulator.element(json_extract({bag}, '$.{member}'))", "dynamic")
        found.append(convert(one, kind).named(f"{call.name}_{value.name or ''}_{suffix}"))
    return found


for _name in SEVERAL:
    register(_name, 1, 2)(lambda call: several(call)[0])


def _fir(values: Json, weights: Json, normalize: bool | None, center: bool | None) -> Json:
    numbers, factors = _numbers(values), _numbers(weights)
    if numbers is None or not factors:
        return None
    taps = [float(factor or 0) for factor in factors]
    total = sum(taps)
    if normalize is not False and total:
        taps = [tap / total for tap in taps]
    shift = len(taps) // 2 if center else 0
    return [
        sum(
            float(numbers[at + shift - back] or 0) * tap
            for back, tap in enumerate(taps)
            if 0 <= at + shift - back < len(numbers)
        )
        for at in range(len(numbers))
    ]


def _iir(values: Json, numerators: Json, denominators: Json) -> Json:
    numbers, top, bottom = _numbers(values), _numbers(numerators), _numbers(denominators)
    if numbers is None or not top or not bottom or not bottom[0]:
        return None
    found: list[float] = []
    for at in range(len(numbers)):
        value = sum((numbers[at - i] or 0) * (b or 0) for i, b in enumerate(top) if at - i >= 0)
        value -= sum(found[at - j] * (a or 0) for j, a in enumerate(bottom) if j and at - j >= 0)
        found.append(value / bottom[0])
    return found


python("series_fir", "dynamic", ["dynamic", "dynamic", "bool", "bool"], _fir, optional=2)
python("series_iir", "dynamic", ["dynamic", "dynamic", "dynamic"], _iir)


def _tdigest_rank(digest: Json, value: float | None) -> int | None:
    if not isinstance(digest, list) or value is None:
        return None
    return sum(1 for item in digest if item <= value)


def percentile_of(values: list[Json], percent: float) -> Json:
    """The nearest rank percentile of sorted values."""
    if not values:
        return None
    return values[max(math.ceil(percent / 100 * len(values)) - 1, 0)]


def _array_percentile(digest: Json, percent: float | None) -> Json:
    if not isinstance(digest, list) or percent is None:
        return None
    return percentile_of(sorted(digest), percent)


define("percentile_tdigest", "dynamic", ["dynamic", "real"], _array_percentile)
python("rank_tdigest", "real", ["dynamic", "real"], _tdigest_rank)
python(
    "dcount_hll",
    "long",
    ["dynamic"],
    lambda sketch: len(sketch) if isinstance(sketch, list) else None,
)


@register("percentile_tdigest", 2, 3)
def _bind_percentile_tdigest(call: Call) -> Typed:
    found = call.result(
        f"k_percentile_tdigest({to_dynamic(call.arguments[0]).sql}, "
        f"{call.argument(1, 'real').sql})",
        "dynamic",
    )
    kind = str(call.arguments[2].constant) if len(call.arguments) > 2 else "dynamic"
    return convert(found, kind)
