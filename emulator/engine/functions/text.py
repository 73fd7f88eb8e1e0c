"""Functions of strings. Source: Kusto docs, "Scalar functions", "String functions"."""

import re
import shlex
from typing import Any, Final

from emulator.engine.arithmetic import check_regex, fold_text
from emulator.engine.conversion import text_sql, to_string
from emulator.engine.functions.registry import Call, alias, define, python, register, template
from emulator.engine.problems import UnsupportedProblem
from emulator.engine.typed import Typed, quote

template("strlen", "long", ["text"], "length({0})::BIGINT")
template("string_size", "long", ["text"], "octet_length(encode({0}))::BIGINT")
template("tolower", "string", ["text"], "lower({0})")
template("toupper", "string", ["text"], "upper({0})")
template("reverse", "string", ["castable"], "reverse({0})")
template("isempty", "bool", ["text"], "({0} = '')")
template("isnotempty", "bool", ["text"], "({0} <> '')")
alias("isnotempty", "notempty")
template(
    "strcmp",
    "long",
    ["text", "text"],
    "CASE WHEN {0} = {1} THEN 0 WHEN {0} < {1} THEN -1 ELSE 1 END::BIGINT",
)
template("replace_string", "string", ["text", "text", "text"], "replace({0}, {1}, {2})")
template("isascii", "bool", ["text"], "regexp_full_match({0}, '[\\x00-\\x7f]*')")
template("isutf8", "bool", ["text"], "({0} IS NOT NULL)")
template("regex_quote", "string", ["text"], "regexp_escape({0})")


@register("isempty", 1)
def _isempty(call: Call) -> Typed:
    return call.result(f"({to_string(call.arguments[0]).sql} = '')", "bool")


@register("isnotempty", 1)
def _isnotempty(call: Call) -> Typed:
    return call.result(f"({to_string(call.arguments[0]).sql} <> '')", "bool")


alias("isnotempty", "notempty")


@register("strcat", 1, 64)
def _strcat(call: Call) -> Typed:
    known = fold_text(list(call.arguments))
    if isinstance(known, str):
        return Typed(quote(known), "string", known)
    return call.result(
        "(" + " || ".join(text_sql(value) for value in call.arguments) + ")", "string"
    )


@register("strcat_delim", 2, 64)
def _strcat_delim(call: Call) -> Typed:
    first, *rest = (text_sql(value) for value in call.arguments)
    return call.result(f"(concat_ws({first}, {', '.join(rest)}))", "string")


def _substring(text: str, start: int | None, length: int | None) -> str:
    if start is None:
        return ""
    if start < 0:
        start += len(text)
        if start < 0:
            return ""
    return text[start:] if length is None else text[start : start + max(length, 0)]


define("substring", "string", ["string", "long", "long"], _substring)


@register("substring", 2, 3)
def _bind_substring(call: Call) -> Typed:
    text, start = call.argument(0, "text"), call.argument(1, "long")
    length = call.argument(2, "long") if len(call.arguments) > 2 else None
    if isinstance(start.constant, int) and start.constant >= 0:
        tail = "" if length is None else f", greatest({length.sql}, 0)"
        return call.result(
            f"coalesce(substring({text.sql}, {start.constant + 1}{tail}), '')", "string"
        )
    size = "NULL::BIGINT" if length is None else length.sql
    return call.result(f"coalesce(k_substring({text.sql}, {start.sql}, {size}), '')", "string")


def _split(text: str, delimiter: str, index: int | None) -> Any:  # noqa: ANN401 - JSON
    parts = text.split(delimiter) if delimiter else [text]
    if index is None:
        return parts
    return [parts[index]] if 0 <= index < len(parts) else []


define("split", "dynamic", ["string", "string", "long"], _split)


@register("split", 2, 3)
def _bind_split(call: Call) -> Typed:
    text, delimiter = call.argument(0, "text"), call.argument(1, "text")
    index = call.argument(2, "long").sql if len(call.arguments) > 2 else "NULL::BIGINT"
    if index.startswith("NULL") and delimiter.constant:
        return call.result(
            f"to_json(string_split({text.sql}, {delimiter.sql}))::VARCHAR", "dynamic"
        )
    return call.result(f"k_split({text.sql}, {delimiter.sql}, {index})", "dynamic")


def _regex_argument(call: Call, index: int) -> str:
    pattern = call.argument(index, "text")
    if isinstance(pattern.constant, str):
        check_regex(pattern.constant, call.at)
    return pattern.sql


@register("replace_regex", 3)
def _replace_regex(call: Call) -> Typed:
    text, to = call.argument(0, "text").sql, call.argument(2, "text")
    pattern = _regex_argument(call, 1)
    target = quote(_re2_rewrite(str(to.constant))) if isinstance(to.constant, str) else to.sql
    return call.result(f"regexp_replace({text}, {pattern}, {target}, 'g')", "string")


def _re2_rewrite(target: str) -> str:
    return re.sub(r"\$(\d)", r"\\\1", target)


@register("replace", 3)
def _replace(call: Call) -> Typed:
    text, to = call.argument(2, "text").sql, call.argument(1, "text")
    pattern = _regex_argument(call, 0)
    target = quote(_re2_rewrite(str(to.constant))) if isinstance(to.constant, str) else to.sql
    return call.result(f"regexp_replace({text}, {pattern}, {target}, 'g')", "string")


def _replace_strings(text: str, lookups: Any, rewrites: Any) -> str:  # noqa: ANN401 - JSON
    if not isinstance(lookups, list) or not isinstance(rewrites, list):
        return text
    parts: list[tuple[str, bool]] = [(text, False)]
    for old, new in zip(lookups, rewrites, strict=False):
        if isinstance(old, str) and old:
            parts = _replaced_parts(parts, old, new if isinstance(new, str) else old)
    return "".join(part for part, _ in parts)


def _replaced_parts(parts: list[tuple[str, bool]], old: str, new: str) -> list[tuple[str, bool]]:
    """`parts` with `old` replaced in those that no earlier pair has replaced."""
    found: list[tuple[str, bool]] = []
    for part, is_done in parts:
        if is_done:
            found.append((part, True))
            continue
        for number, piece in enumerate(part.split(old)):
            found += [(new, True)] if number else []
            found.append((piece, False))
    return found


python("replace_strings", "string", ["text", "dynamic", "dynamic"], _replace_strings)


def _trimmed(call: Call, before: bool, after: bool) -> Typed:
    pattern, text = _regex_argument(call, 0), call.argument(1, "text").sql
    if before and after:
        anchored = f"'^(?:' || {pattern} || ')|(?:' || {pattern} || ')$'"
        return call.result(f"regexp_replace({text}, {anchored}, '', 'g')", "string")
    anchored = f"'^(?:' || {pattern} || ')'" if before else f"'(?:' || {pattern} || ')$'"
    return call.result(f"regexp_replace({text}, {anchored}, '')", "string")


@register("trim", 2)
def _trim(call: Call) -> Typed:
    return _trimmed(call, before=True, after=True)


@register("trim_start", 2)
def _trim_start(call: Call) -> Typed:
    return _trimmed(call, before=True, after=False)


@register("trim_end", 2)
def _trim_end(call: Call) -> Typed:
    return _trimmed(call, before=False, after=True)


def _indexof(
    text: str, part: str, start: int | None, length: int | None, occurrence: int | None
) -> int | None:
    start, occurrence = start or 0, 1 if occurrence is None else occurrence
    start = max(start + len(text), 0) if start < 0 else start
    if occurrence < 0 or (length is not None and length < -1) or start > len(text):
        return None if occurrence < 0 or (length is not None and length < -1) else -1
    end = len(text) if length is None or length == -1 else start + length
    at = start - 1
    for _ in range(max(occurrence, 1)):
        at = text.find(part, at + 1)
        if at < 0 or at >= max(end, 1):
            return -1
    return at


python("indexof", "long", ["castable", "castable", "long", "long", "long"], _indexof, optional=3)


def _indexof_regex(
    text: str, pattern: str, start: int | None, length: int | None, occurrence: int | None
) -> int | None:
    start, occurrence = start or 0, 1 if occurrence is None else occurrence
    start = max(start + len(text), 0) if start < 0 else start
    if occurrence < 0:
        return None
    end = len(text) if length is None or length == -1 else start + length
    found = [match.start() for match in _compiled(pattern).finditer(text, start, end)]
    return found[occurrence - 1] if 0 < occurrence <= len(found) else -1


python(
    "indexof_regex", "long", ["text", "text", "long", "long", "long"], _indexof_regex, optional=3
)


def _compiled(pattern: str) -> re.Pattern[str]:
    """`pattern`, which RE2 reads, for Python."""
    return re.compile(
        pattern.replace(r"\pL", r"[^\W\d_]").replace(r"\pN", r"\d").replace(r"\z", r"\Z")
    )


def _countof(text: str, part: str) -> int:
    if not part:
        return 0
    return sum(text.startswith(part, at) for at in range(len(text)))


define("countof", "long", ["string", "string"], _countof)


@register("countof", 2, 3)
def _bind_countof(call: Call) -> Typed:
    kind = call.arguments[2].constant if len(call.arguments) > 2 else "normal"
    text = call.argument(0, "text").sql
    if kind == "regex":
        pattern = _regex_argument(call, 1)
        return call.result(f"len(regexp_extract_all({text}, {pattern}))::BIGINT", "long")
    if kind != "normal":
        raise call.error("the kind is 'normal' or 'regex'")
    return call.result(f"k_countof({text}, {call.argument(1, 'text').sql})", "long")


@register("extract", 3, 4)
def _extract(call: Call) -> Typed:
    pattern, group, text = (
        _regex_argument(call, 0),
        call.argument(1, "long"),
        call.argument(2, "text").sql,
    )
    if not isinstance(group.constant, int):
        raise UnsupportedProblem("a computed capture group in 'extract()'", call.at)
    if isinstance(call.arguments[0].constant, str):
        groups = _group_count(call.arguments[0].constant, call)
        if group.constant > groups:
            return call.result("''", "string")
    found = call.result(f"regexp_extract({text}, {pattern}, {group.constant})", "string")
    if len(call.arguments) == 3:
        return found
    return _typeof(call, found, 3)


def _typeof(call: Call, found: Typed, index: int) -> Typed:
    from emulator.engine.conversion import convert  # noqa: PLC0415 - one use

    kind = call.arguments[index].constant
    return convert(found, str(kind))


def _group_count(pattern: str, call: Call) -> int:
    try:
        return _compiled(pattern).groups
    except re.error:
        raise call.error(f"the regular expression {pattern!r} cannot be read", "SEM0420") from None


def _extract_all(pattern: str, groups: Any, text: str) -> Any:  # noqa: ANN401 - JSON
    compiled = _compiled(pattern)
    names = list(range(1, compiled.groups + 1))
    if isinstance(groups, list) and groups:
        names = [compiled.groupindex.get(str(item), item) for item in groups]
    found = []
    for match in compiled.finditer(text):
        values = [match.group(name) or "" for name in names]
        found.append(values[0] if len(values) == 1 else values)
    return found or None


define("extract_all", "dynamic", ["string", "any", "string"], _extract_all)


@register("extract_all", 2, 3)
def _bind_extract_all(call: Call) -> Typed:
    pattern = _regex_argument(call, 0)
    if isinstance(call.arguments[0].constant, str) and not _group_count(
        call.arguments[0].constant, call
    ):
        raise call.error("the regular expression has no capture group", "SEM0213")
    groups = call.argument(1, "any").sql if len(call.arguments) > 2 else "NULL::VARCHAR"
    text = call.argument(len(call.arguments) - 1, "text").sql
    return call.result(f"k_extract_all({pattern}, {groups}, {text})", "dynamic")


@register("strrep", 2, 3)
def _strrep(call: Call) -> Typed:
    text, times = text_sql(call.arguments[0]), call.argument(1, "long").sql
    if len(call.arguments) == 2:
        return call.result(f"coalesce(repeat({text}, greatest({times}, 0)), '')", "string")
    delimiter = text_sql(call.arguments[2])
    many = f"array_to_string(list_transform(range({times}), lambda i: {text}), {delimiter})"
    return call.result(f"coalesce({many}, '')", "string")


def _translate(search: str, replacement: str, text: str) -> str:
    table: dict[int, str | None] = {}
    for number, letter in enumerate(search):
        kept = replacement[min(number, len(replacement) - 1)] if replacement else None
        table.setdefault(ord(letter), kept)
    return text.translate(table)


python("translate", "string", ["text", "text", "text"], _translate)


def _tohex(value: int | None, width: int | None, bits: int) -> str:
    if value is None:
        return ""
    return f"{value & (2**bits - 1):x}".rjust(width or 0, "0")


define("tohex", "string", ["long", "long", "long"], _tohex)


@register("tohex", 1, 2)
def _bind_tohex(call: Call) -> Typed:
    bits = 32 if call.arguments[0].type == "int" else 64
    width = call.argument(1, "long").sql if len(call.arguments) > 1 else "0::BIGINT"
    return call.result(
        f"coalesce(k_tohex({call.argument(0, 'long').sql}, {width}, {bits}::BIGINT), '')", "string"
    )


def _has_any_index(text: str, values: Any) -> int:  # noqa: ANN401 - JSON
    for number, value in enumerate(values if isinstance(values, list) else [values]):
        if _has(text, str(value)):
            return number
    return -1


def _has(text: str, needle: str) -> bool:
    letters = r"[^\W_]"
    before = rf"(?<!{letters})" if needle[:1].isalnum() else ""
    after = rf"(?!{letters})" if needle[-1:].isalnum() else ""
    return re.search(before + re.escape(needle) + after, text, re.IGNORECASE) is not None


python("has_any_index", "long", ["text", "dynamic"], _has_any_index)


def _parse_csv(text: str) -> list[str]:
    fields, field, quoted, at = [], "", False, 0
    while at < len(text):
        letter = text[at]
        if quoted and letter == '"' and text[at + 1 : at + 2] == '"':
            field, at = field + '"', at + 1
        elif letter == '"' and (quoted or not field):
            quoted = not quoted
        elif letter == "," and not quoted:
            fields.append(field)
            field = ""
        elif letter in "\r\n" and not quoted:
            break
        else:
            field += letter
        at += 1
    return [*fields, field]


python("parse_csv", "dynamic", ["text"], _parse_csv)


def _parse_command_line(text: str, parser: str) -> list[str] | None:
    if parser != "windows":
        return None
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.escape, lexer.quotes, lexer.commenters = True, "", '"', ""
    return list(lexer)


python("parse_command_line", "dynamic", ["text", "text"], _parse_command_line)


def _codepoints_to_string(values: Any) -> str:  # noqa: ANN401 - JSON
    items = values if isinstance(values, list) else [values]
    flat = [one for item in items for one in (item if isinstance(item, list) else [item])]
    return "".join(chr(item) for item in flat if isinstance(item, int) and 0 <= item <= 0x10FFFF)


define("codepoints", "string", ["any"], _codepoints_to_string)


def _points(call: Call) -> Typed:
    from emulator.engine.conversion import json_sql  # noqa: PLC0415 - one use

    parts = " || ',' || ".join(json_sql(value) for value in call.arguments)
    return call.result(f"k_codepoints('[' || {parts} || ']')", "string")


register("unicode_codepoints_to_string", 1, 64)(_points)
alias("unicode_codepoints_to_string", "make_string")
python(
    "unicode_codepoints_from_string",
    "dynamic",
    ["text"],
    lambda text: [ord(letter) for letter in text],
)
alias("unicode_codepoints_from_string", "to_utf8")


def _domain_encode(text: str) -> str:
    parts = re.split("[.\u3002\uff61]", text)
    if any(part.startswith("xn--") for part in parts):
        raise ValueError("a domain in Punycode, which the local endpoint does not decode")
    return ".".join(
        part if part.isascii() else "xn--" + part.encode("punycode").decode() for part in parts
    )


def _punycode_decode(text: str) -> str:
    return text.encode("ascii").decode("punycode")


python("punycode_from_string", "string", ["text"], lambda text: text.encode("punycode").decode())
python("punycode_to_string", "string", ["text"], _punycode_decode)
python("punycode_domain_to_string", "string", ["text"], _domain_encode)

_UNITS: Final = ("Bytes", "KB", "MB", "GB", "TB", "PB", "EB")


def _format_bytes(value: float | None, precision: int | None, unit: str) -> str:
    if value is None:
        return ""
    power = _UNITS.index(unit) if unit in _UNITS else 0
    if not unit:
        while abs(value) / 1024**power >= 1024 and power < len(_UNITS) - 1:
            power += 1
    scaled = value / 1024**power
    text = f"{scaled:.{precision or 0}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text} {_UNITS[power]}"


define("format_bytes", "string", ["real", "long", "string"], _format_bytes)


@register("format_bytes", 1, 3)
def _bind_format_bytes(call: Call) -> Typed:
    value = call.argument(0, "real").sql
    precision = call.argument(1, "long").sql if len(call.arguments) > 1 else "0::BIGINT"
    unit = call.argument(2, "text").sql if len(call.arguments) > 2 else "''"
    return call.result(f"k_format_bytes({value}, {precision}, {unit})", "string")
