"""Functions of datetimes and timespans. Source: Kusto docs, "DateTime/timespan functions"."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from emulator.engine import literals
from emulator.engine.conversion import convert
from emulator.engine.functions.registry import Call, define, python, register, template
from emulator.engine.macros import EPOCH_TICKS
from emulator.engine.problems import UnsupportedProblem
from emulator.engine.typed import Typed, constant

_DAY: Final = literals.DAY
_WEEK: Final = 7 * _DAY

define("parse_datetime", "datetime", ["string"], literals.parse_datetime)
define("parse_timespan", "timespan", ["string"], literals.parse_timespan)
define("parse_guid", "string", ["string"], literals.parse_guid)


def _dynamic_timespan(value: Any) -> int | None:  # noqa: ANN401 - JSON
    if isinstance(value, bool) or value is None:
        return None
    return int(value) if isinstance(value, int | float) else literals.parse_timespan(str(value))


define("dynamic_timespan", "timespan", ["dynamic"], _dynamic_timespan)


@register("now", 0, 1)
def _now(call: Call) -> Typed:
    moment = call.binder.compiler.environment.now
    if not call.arguments:
        return constant("datetime", moment)
    offset = call.argument(0, "timespan")
    if isinstance(offset.constant, int):
        return constant("datetime", moment + offset.constant)
    return call.result(f"__emulator.dt_valid({moment} + {offset.sql})", "datetime")


@register("ago", 1)
def _ago(call: Call) -> Typed:
    moment, offset = call.binder.compiler.environment.now, call.argument(0, "timespan")
    if isinstance(offset.constant, int):
        return constant("datetime", moment - offset.constant)
    return call.result(f"__emulator.dt_valid({moment} - {offset.sql})", "datetime")


def _starts(name: str, sql: str) -> None:
    """`startof…(date, offset)`; `sql` gives the start of {0}'s unit, moved by {1} units."""

    def bind(call: Call) -> Typed:
        date = call.argument(0, "datetime").sql
        offset = call.argument(1, "long").sql if len(call.arguments) > 1 else "0"
        return call.result(f"__emulator.dt_valid({sql.format(date, offset)})", "datetime")

    def bind_end(call: Call) -> Typed:
        date = call.argument(0, "datetime").sql
        offset = call.argument(1, "long").sql if len(call.arguments) > 1 else "0"
        return call.result(
            f"__emulator.dt_valid({sql.format(date, f'({offset} + 1)')} - 1)", "datetime"
        )

    register(f"startof{name}", 1, 2)(bind)
    register(f"endof{name}", 1, 2)(bind_end)


_starts("day", f"({{0}} - {{0}} % {_DAY} + {{1}} * {_DAY})")
_starts("week", f"({{0}} - ({{0}} + {_DAY}) % {_WEEK} + {{1}} * {_WEEK})")
_starts(
    "month",
    "__emulator.ticks(date_trunc('month', __emulator.ts({0})) + to_months(({1})::INTEGER))",
)
_starts(
    "year",
    "__emulator.ticks(date_trunc('year', __emulator.ts({0})) + to_months((({1}) * 12)::INTEGER))",
)

template("dayofweek", "timespan", ["datetime"], f"(({{0}} + {_DAY}) % {_WEEK} // {_DAY}) * {_DAY}")
_PARTS: Final = {
    "year": "year(__emulator.ts({0}))",
    "quarter": "quarter(__emulator.ts({0}))",
    "month": "month(__emulator.ts({0}))",
    "week_of_year": "weekofyear(__emulator.ts({0}))",
    "weekofyear": "weekofyear(__emulator.ts({0}))",
    "day": "day(__emulator.ts({0}))",
    "dayofyear": "dayofyear(__emulator.ts({0}))",
    "hour": f"({{0}} % {_DAY} // 36000000000)",
    "minute": "({0} % 36000000000 // 600000000)",
    "second": "({0} % 600000000 // 10000000)",
    "millisecond": "({0} % 10000000 // 10000)",
    "microsecond": "({0} % 10000000 // 10)",
    "nanosecond": "({0} % 10000000 * 100)",
}
for _name, _part in (
    ("getyear", "year"),
    ("getmonth", "month"),
    ("monthofyear", "month"),
    ("week_of_year", "week_of_year"),
    ("weekofyear", "week_of_year"),
    ("dayofmonth", "day"),
    ("dayofyear", "dayofyear"),
    ("hourofday", "hour"),
):
    template(_name, "long", ["datetime"], f"({_PARTS[_part]})::BIGINT")
for _name in ("week_of_year", "weekofyear"):
    template(_name, "long", ["datetime"], f"({_PARTS['week_of_year']})::BIGINT")


@register("datetime_part", 2)
def _datetime_part(call: Call) -> Typed:
    part, value = str(call.arguments[0].constant), call.argument(1, "datetime")
    part = part.lower()
    if part not in _PARTS:
        raise call.error(f"{part!r} is not a part of a datetime")
    return call.result(f"({_PARTS[part].format(value.sql)})::BIGINT", "long")


_SPANS: Final = {
    "week": _WEEK,
    "day": _DAY,
    "hour": 36_000_000_000,
    "minute": 600_000_000,
    "second": 10_000_000,
    "millisecond": 10_000,
    "microsecond": 10,
}
_MONTHS: Final = {"year": 12, "quarter": 3, "month": 1}


def _period(call: Call) -> str:
    period = call.arguments[0].constant
    name = str(period).lower()
    if not isinstance(period, str):
        raise UnsupportedProblem(f"a computed period in '{call.name}()'", call.at)
    if name not in _SPANS and name not in _MONTHS and name != "nanosecond":
        raise call.error(f"{period!r} is not a period")
    return name


@register("datetime_add", 3)
def _datetime_add(call: Call) -> Typed:
    period, amount = _period(call), call.argument(1, "long").sql
    date = call.argument(2, "datetime").sql
    if period in _MONTHS:
        moved = f"__emulator.ts({date}) + to_months(({amount} * {_MONTHS[period]})::INTEGER)"
        sql = f"__emulator.ticks({moved}) + {date} % 10"
    elif period == "nanosecond":
        sql = f"{date} + {amount} // 100"
    else:
        sql = f"{date} + {amount} * {_SPANS[period]}"
    return call.result(f"__emulator.dt_valid({sql})", "datetime")


@register("datetime_diff", 3)
def _datetime_diff(call: Call) -> Typed:
    period = _period(call)
    a, b = call.argument(1, "datetime").sql, call.argument(2, "datetime").sql
    if period in _MONTHS:
        sql = f"date_diff('{period}', __emulator.ts({b}), __emulator.ts({a}))"
    elif period == "week":
        sql = f"(({a} + {_DAY}) // {_WEEK} - ({b} + {_DAY}) // {_WEEK})"
    elif period == "nanosecond":
        sql = f"({a} - {b}) * 100"
    else:
        sql = f"({a} // {_SPANS[period]} - {b} // {_SPANS[period]})"
    if period == "week":
        return call.result(f"({sql})::DOUBLE", "real")
    return call.result(f"({sql})::BIGINT", "long")


def _make_datetime(
    year: int | None,
    month: int | None,
    day: int | None,
    hour: int | None,
    minute: int | None,
    second: float | None,
) -> int | None:
    if None in (year, month, day):
        return None
    try:
        moment = datetime(year or 0, month or 0, day or 0, hour or 0, minute or 0, tzinfo=UTC)
    except ValueError:
        return None
    if not 0 <= (second or 0) < 60:
        return None
    return literals.datetime_ticks(moment) + int(round((second or 0) * literals.SECOND, 4))


define(
    "make_datetime", "datetime", ["long", "long", "long", "long", "long", "real"], _make_datetime
)


@register("make_datetime", 1, 7)
def _bind_make_datetime(call: Call) -> Typed:
    if len(call.arguments) in (1, 2):
        return convert(call.arguments[0], "datetime")
    parts = [call.argument(index, "long").sql for index in range(min(len(call.arguments), 5))]
    parts += ["0::BIGINT"] * (5 - len(parts))
    second = call.argument(5, "real").sql if len(call.arguments) > 5 else "0::DOUBLE"
    return call.result(f"k_make_datetime({', '.join([*parts, second])})", "datetime")


def _make_timespan(
    days: int | None, hours: int | None, minutes: int | None, seconds: float | None
) -> int | None:
    if None in (days, hours, minutes, seconds):
        return None
    if not (0 <= (hours or 0) < 24 and 0 <= (minutes or 0) < 60 and 0 <= (seconds or 0) < 60):
        return None
    whole = ((days or 0) * 24 + (hours or 0)) * 60 + (minutes or 0)
    return whole * 600_000_000 + int(round((seconds or 0) * literals.SECOND, 4))


define("make_timespan", "timespan", ["long", "long", "long", "real"], _make_timespan)


@register("make_timespan", 1, 4)
def _bind_make_timespan(call: Call) -> Typed:
    count = len(call.arguments)
    if count == 1:
        return convert(call.arguments[0], "timespan")
    days = call.argument(0, "long").sql if count == 4 else "0::BIGINT"
    first = count - 3 if count > 2 else 0
    hours, minutes = (call.argument(first + index, "long").sql for index in range(2))
    seconds = call.argument(count - 1, "real").sql if count > 2 else "0::DOUBLE"
    return call.result(f"k_make_timespan({days}, {hours}, {minutes}, {seconds})", "timespan")


def _unix(name: str, ticks: str) -> None:
    template(
        f"unixtime_{name}_todatetime",
        "datetime",
        ["real"],
        f"__emulator.dt_valid({EPOCH_TICKS} + {ticks})",
    )


_unix("seconds", "round({0} * 10000000)::BIGINT")
_unix("milliseconds", "round({0} * 10000)::BIGINT")
_unix("microseconds", "round({0} * 10)::BIGINT")
_unix("nanoseconds", "({0} // 100)::BIGINT")


@register("unixtime_nanoseconds_todatetime", 1)
def _unix_nanoseconds(call: Call) -> Typed:
    value = call.argument(0, "long").sql
    return call.result(f"__emulator.dt_valid({EPOCH_TICKS} + {value} // 100)", "datetime")


_ELEMENT: Final = re.compile(
    r"yyyy|yy|y|MM|M|dd|d|HH|H|hh|h|mm|m|ss|s|tt|f{1,7}|F{1,7}|[\s\-/:,.\[\]_]|.", re.DOTALL
)
_DELIMITERS: Final = frozenset(" -/:,.[]_")


def check_format(text: str, letters: str, call: Call) -> None:
    """Raise for a format that has other letters than Kusto knows."""
    for letter in text:
        if letter not in letters and letter not in _DELIMITERS:
            raise call.error(f"the format has {letter!r}, which is not a format specifier")


def _format_datetime(ticks: int | None, form: str) -> str:
    if ticks is None:
        return ""
    moment = literals.ticks_datetime(ticks)
    fraction = f"{ticks % literals.SECOND:07}"
    half = moment.hour % 12 or 12
    table = {
        "yyyy": f"{moment.year:04}", "yy": f"{moment.year % 100:02}", "y": str(moment.year % 100),
        "MM": f"{moment.month:02}", "M": str(moment.month), "dd": f"{moment.day:02}",
        "d": str(moment.day), "HH": f"{moment.hour:02}", "H": str(moment.hour), "hh": f"{half:02}",
        "h": str(half), "mm": f"{moment.minute:02}", "m": str(moment.minute),
        "ss": f"{moment.second:02}", "s": str(moment.second),
        "tt": "AM" if moment.hour < 12 else "PM",
    }  # fmt: skip
    return "".join(_element(part, table, fraction) for part in _ELEMENT.findall(form))


def _element(part: str, table: dict[str, str], fraction: str) -> str:
    if part[0] == "f":
        return fraction[: len(part)]
    if part[0] == "F":
        digits = fraction[: len(part)]
        return digits if digits.strip("0") else ""
    return table.get(part, part)


define("format_datetime", "string", ["datetime", "string"], _format_datetime)


@register("format_datetime", 2)
def _bind_format_datetime(call: Call) -> Typed:
    value, form = call.argument(0, "datetime"), call.argument(1, "string")
    if isinstance(form.constant, str):
        check_format(form.constant, "yMdHhmsftF", call)
        simple = _strftime(form.constant)
        if simple is not None:
            return call.result(
                f"coalesce(strftime(__emulator.ts({value.sql}), '{simple}'), '')", "string"
            )
    return call.result(f"coalesce(k_format_datetime({value.sql}, {form.sql}), '')", "string")


def _strftime(form: str) -> str | None:
    """The same format for `strftime`, None when it has no exact one."""
    table = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
    parts = _ELEMENT.findall(form)
    if all(part in table or part in _DELIMITERS for part in parts):
        return "".join(table.get(part, part) for part in parts)
    return None


_SPAN_ELEMENT: Final = re.compile(r"d{1,8}|HH|H|hh|h|mm|m|ss|s|f{1,7}|F{1,7}|.", re.DOTALL)


def _format_timespan(ticks: int | None, form: str) -> str:
    if ticks is None:
        return ""
    sign, ticks = ("-", -ticks) if ticks < 0 else ("", ticks)
    days, rest = divmod(ticks, _DAY)
    seconds, fraction = divmod(rest, literals.SECOND)
    numbers = {
        "h": seconds // 3600,
        "H": seconds // 3600,
        "m": seconds // 60 % 60,
        "s": seconds % 60,
        "d": days,
    }
    parts = []
    for part in _SPAN_ELEMENT.findall(form):
        if part[0] in numbers:
            parts.append(f"{numbers[part[0]]:0{len(part)}}")
        else:
            parts.append(_element(part, {}, f"{fraction:07}"))
    return sign + "".join(parts)


define("format_timespan", "string", ["timespan", "string"], _format_timespan)


@register("format_timespan", 2)
def _bind_format_timespan(call: Call) -> Typed:
    value, form = call.argument(0, "timespan"), call.argument(1, "string")
    if isinstance(form.constant, str):
        check_format(form.constant, "dHhmsfF", call)
    return call.result(f"coalesce(k_format_timespan({value.sql}, {form.sql}), '')", "string")


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _utc_to_local(ticks: int | None, name: str) -> int | None:
    zone = _zone(name)
    if ticks is None or zone is None:
        return None
    offset = literals.ticks_datetime(ticks).replace(tzinfo=UTC).astimezone(zone).utcoffset()
    return ticks + _offset_ticks(offset)


def _local_to_utc(ticks: int | None, name: str) -> int | None:
    zone = _zone(name)
    if ticks is None or zone is None:
        return None
    local = literals.ticks_datetime(ticks).replace(tzinfo=zone)
    before, after = (_offset_ticks(local.replace(fold=fold).utcoffset()) for fold in (0, 1))
    if before > after:
        raise ValueError(
            f"{local:%Y-%m-%dT%H:%M} is twice in {name}, which the local endpoint does not decide"
        )
    return ticks - after


def _offset_ticks(offset: timedelta | None) -> int:
    return 0 if offset is None else int(offset.total_seconds()) * literals.SECOND


python("datetime_utc_to_local", "datetime", ["datetime", "string"], _utc_to_local)
python("datetime_local_to_utc", "datetime", ["datetime", "string"], _local_to_utc)


@register("around", 3)
def _around(call: Call) -> Typed:
    value, center, delta = call.arguments
    del center, delta
    kind = value.type
    step = "timespan" if kind in ("datetime", "timespan") else kind
    a, b, c = call.argument(0, kind).sql, call.argument(1, kind).sql, call.argument(2, step).sql
    return call.result(f"({a} BETWEEN {b} - {c} AND {b} + {c})", "bool")


@register("datetime_list_timezones", 0)
def _zones(call: Call) -> Typed:
    del call
    return constant("dynamic", sorted(available_timezones()))
