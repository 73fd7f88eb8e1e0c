"""SQL macros that the engine's expressions call, in the schema `__emulator`.

They keep a generated statement short, and evaluate an argument once where that matters. A datetime
or timespan is a number of ticks of 100 ns (`emulator.engine.typed`).
"""

from typing import Final

EPOCH_MICROSECONDS: Final = 62_135_596_800_000_000
"""Microseconds from 0001-01-01 to 1970-01-01."""
EPOCH_TICKS: Final = EPOCH_MICROSECONDS * 10
_DAY: Final = 864_000_000_000
_MAX: Final = 3_155_378_975_999_999_999

_MACROS: Final = {
    "ts(t)": f"make_timestamp((t // 10) - {EPOCH_MICROSECONDS})",
    "ticks(v)": f"epoch_us(v) * 10 + {EPOCH_TICKS}",
    "dt_valid(t)": f"CASE WHEN t BETWEEN 0 AND {_MAX} THEN t END",
    "dt_text(t)": (
        "coalesce(strftime(__emulator.ts(t), '%Y-%m-%dT%H:%M:%S') || '.' "
        "|| lpad((t % 10000000)::VARCHAR, 7, '0') || 'Z', '')"
    ),
    "clock_text(t)": (
        f"(CASE WHEN t >= {_DAY} THEN (t // {_DAY})::VARCHAR || '.' ELSE '' END "
        f"|| lpad((t % {_DAY} // 36000000000)::VARCHAR, 2, '0') || ':' "
        "|| lpad((t % 36000000000 // 600000000)::VARCHAR, 2, '0') || ':' "
        "|| lpad((t % 600000000 // 10000000)::VARCHAR, 2, '0') "
        "|| CASE WHEN t % 10000000 = 0 THEN '' "
        "ELSE '.' || lpad((t % 10000000)::VARCHAR, 7, '0') END)"
    ),
    "span_text(t)": (
        "coalesce(CASE WHEN t < 0 THEN '-' ELSE '' END || __emulator.clock_text(abs(t)), '')"
    ),
    "real_text(x)": (
        "CASE WHEN x IS NULL THEN '' WHEN isnan(x) THEN 'NaN' "
        "WHEN isinf(x) THEN CASE WHEN x > 0 THEN 'Infinity' ELSE '-Infinity' END "
        "WHEN x = 0 OR abs(x) BETWEEN 1e-4 AND 1e15 THEN x::VARCHAR ELSE k_real_text(x) END"
    ),
    "bool_text(b)": "CASE WHEN b IS NULL THEN '' WHEN b THEN 'True' ELSE 'False' END",
    "decimal_text(x)": (
        "coalesce(regexp_replace(regexp_replace("
        "x::VARCHAR, '(\\.\\d*?)0+$', '\\1'), '\\.$', ''), '')"
    ),
    "dyn_text(j)": "coalesce(json_extract_string(j, '$'), '')",
    "real_json(x)": (
        "CASE WHEN x IS NULL THEN 'null' WHEN isfinite(x) THEN to_json(x)::VARCHAR "
        "ELSE '\"' || __emulator.real_text(x) || '\"' END"
    ),
    "eq(a, b)": "CASE WHEN a IS NULL AND b IS NULL THEN NULL ELSE coalesce(a = b, false) END",
    "ne(a, b)": "CASE WHEN a IS NULL AND b IS NULL THEN NULL ELSE coalesce(a <> b, true) END",
    "mod(a, b)": "((a % nullif(b, 0)) + abs(b)) % nullif(abs(b), 0)",
    "fmod2(a, b)": "fmod(fmod(a, b) + abs(b), abs(b))",
    "bin(v, r)": "v - ((v % nullif(r, 0)) + abs(r)) % nullif(abs(r), 0)",
    "bin_real(v, r)": "CASE WHEN r = 0 THEN 'nan'::DOUBLE ELSE floor(v / r) * r END",
    "int_text(s)": (
        "CASE WHEN regexp_full_match(s, '\\s*[+-]?\\d+\\s*') THEN TRY_CAST(trim(s) AS BIGINT) "
        "WHEN regexp_full_match(s, '\\s*[+-]?0[xX][0-9a-fA-F]+\\s*') THEN k_hex(s) END"
    ),
    "real_of_text(s)": (
        "CASE WHEN regexp_full_match(s, '\\s*[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?\\s*') "
        "THEN TRY_CAST(trim(s) AS DOUBLE) ELSE k_special_real(s) END"
    ),
    "bool_of_text(s)": (
        "CASE WHEN lower(trim(s)) = 'true' THEN true WHEN lower(trim(s)) = 'false' THEN false "
        "ELSE __emulator.int_text(s) <> 0 END"
    ),
    "dt_of_text(s)": (
        "CASE WHEN regexp_full_match("
        "s, '\\d{4}-\\d{2}-\\d{2}[T ]\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,6})?Z?') "
        "THEN __emulator.ticks(TRY_CAST(replace(rtrim(s, 'Z'), 'T', ' ') AS TIMESTAMP)) "
        "ELSE k_parse_datetime(s) END"
    ),
    "real_to_long(x, low, high)": (
        "CASE WHEN x IS NULL OR NOT isfinite(x) THEN NULL WHEN x >= high THEN high "
        "WHEN x <= low THEN low ELSE trunc(x)::BIGINT END"
    ),
    "wrap32(x)": (
        "((x & 4294967295) - CASE WHEN (x & 4294967295) >= 2147483648 "
        "THEN 4294967296 ELSE 0 END)::INTEGER"
    ),
    "dyn_long(j)": (
        "CASE json_type(j) WHEN 'DOUBLE' THEN __emulator.real_to_long(TRY_CAST(j AS DOUBLE), "
        "(-9223372036854775807)::BIGINT, 9223372036854775807::BIGINT) "
        "WHEN 'BOOLEAN' THEN (j = 'true')::BIGINT "
        "ELSE __emulator.int_text(json_extract_string(j, '$')) END"
    ),
    "dyn_real(j)": (
        "CASE json_type(j) WHEN 'BOOLEAN' THEN (j = 'true')::INTEGER::DOUBLE "
        "ELSE __emulator.real_of_text(json_extract_string(j, '$')) END"
    ),
    "dyn_bool(j)": (
        "CASE json_type(j) WHEN 'DOUBLE' THEN TRY_CAST(j AS DOUBLE) <> 0 "
        "ELSE __emulator.bool_of_text(json_extract_string(j, '$')) END"
    ),
    "element(j)": "nullif(j::VARCHAR, 'null')",
}
MACROS: Final = tuple(
    f"CREATE OR REPLACE MACRO __emulator.{head} AS {body}" for head, body in _MACROS.items()
)
