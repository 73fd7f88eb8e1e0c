"""The functions of Kubernetes' CEL environment: names, overloads, parameter and result types.

Written down from the documentation of cel-spec and of Kubernetes' own libraries, as of what 1.37
accepts in new rules (compatibility version 1.36: no `list.includes`). One overload a line:
`id: [target.]name(arguments) -> result`; capitals are type parameters.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from crdgen.cel import types
from crdgen.cel.types import Type

_ORDERED: Final = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")
_SUMMED: Final = ("int", "uint", "double", "duration")
_NAMES: Final = {"duration": types.DURATION.name, "timestamp": types.TIMESTAMP.name}
_IDS: Final = {"int": "int64", "uint": "uint64"}
_STANDARD: Final = """
conditional: _?_:_(bool, A, A) -> A
logical_and: _&&_(bool, bool) -> bool
logical_or: _||_(bool, bool) -> bool
logical_not: !_(bool) -> bool
not_strictly_false: @not_strictly_false(bool) -> bool
equals: _==_(A, A) -> bool
not_equals: _!=_(A, A) -> bool
add_bytes: _+_(bytes, bytes) -> bytes
add_double: _+_(double, double) -> double
add_duration_duration: _+_(duration, duration) -> duration
add_duration_timestamp: _+_(duration, timestamp) -> timestamp
add_timestamp_duration: _+_(timestamp, duration) -> timestamp
add_int64: _+_(int, int) -> int
add_list: _+_(list(A), list(A)) -> list(A)
add_string: _+_(string, string) -> string
add_uint64: _+_(uint, uint) -> uint
divide_double: _/_(double, double) -> double
divide_int64: _/_(int, int) -> int
divide_uint64: _/_(uint, uint) -> uint
modulo_int64: _%_(int, int) -> int
modulo_uint64: _%_(uint, uint) -> uint
multiply_double: _*_(double, double) -> double
multiply_int64: _*_(int, int) -> int
multiply_uint64: _*_(uint, uint) -> uint
negate_double: -_(double) -> double
negate_int64: -_(int) -> int
subtract_double: _-_(double, double) -> double
subtract_duration_duration: _-_(duration, duration) -> duration
subtract_int64: _-_(int, int) -> int
subtract_timestamp_duration: _-_(timestamp, duration) -> timestamp
subtract_timestamp_timestamp: _-_(timestamp, timestamp) -> duration
subtract_uint64: _-_(uint, uint) -> uint
index_list: _[_](list(A), int) -> A
index_map: _[_](map(A, B), A) -> B
optional_list_index_int: _[_](optional(list(A)), int) -> optional(A)
optional_map_index_value: _[_](optional(map(A, B)), A) -> optional(B)
in_list: @in(A, list(A)) -> bool
in_map: @in(A, map(A, B)) -> bool
size_bytes: size(bytes) -> int
bytes_size: bytes.size() -> int
size_list: size(list(A)) -> int
list_size: list(A).size() -> int
size_map: size(map(A, B)) -> int
map_size: map(A, B).size() -> int
size_string: size(string) -> int
string_size: string.size() -> int
type: type(A) -> type(A)
bool_to_bool: bool(bool) -> bool
string_to_bool: bool(string) -> bool
bytes_to_bytes: bytes(bytes) -> bytes
string_to_bytes: bytes(string) -> bytes
double_to_double: double(double) -> double
int64_to_double: double(int) -> double
string_to_double: double(string) -> double
uint64_to_double: double(uint) -> double
duration_to_duration: duration(duration) -> duration
string_to_duration: duration(string) -> duration
to_dyn: dyn(A) -> dyn
int64_to_int64: int(int) -> int
double_to_int64: int(double) -> int
duration_to_int64: int(duration) -> int
string_to_int64: int(string) -> int
timestamp_to_int64: int(timestamp) -> int
uint64_to_int64: int(uint) -> int
string_to_string: string(string) -> string
bool_to_string: string(bool) -> string
bytes_to_string: string(bytes) -> string
double_to_string: string(double) -> string
duration_to_string: string(duration) -> string
int64_to_string: string(int) -> string
timestamp_to_string: string(timestamp) -> string
uint64_to_string: string(uint) -> string
ip_to_string: string(ip) -> string
cidr_to_string: string(cidr) -> string
timestamp_to_timestamp: timestamp(timestamp) -> timestamp
int64_to_timestamp: timestamp(int) -> timestamp
string_to_timestamp: timestamp(string) -> timestamp
uint64_to_uint64: uint(uint) -> uint
double_to_uint64: uint(double) -> uint
int64_to_uint64: uint(int) -> uint
string_to_uint64: uint(string) -> uint
contains_string: string.contains(string) -> bool
ends_with_string: string.endsWith(string) -> bool
starts_with_string: string.startsWith(string) -> bool
matches: matches(string, string) -> bool
matches_string: string.matches(string) -> bool
"""
_TIMES: Final = (
    "getFullYear", "getMonth", "getDayOfYear", "getDayOfMonth", "getDate", "getDayOfWeek",
    "getHours", "getMinutes", "getSeconds", "getMilliseconds",
)  # fmt: skip
_LIBRARIES: Final = """
string_char_at_int: string.charAt(int) -> string
string_index_of_string: string.indexOf(string) -> int
string_index_of_string_int: string.indexOf(string, int) -> int
string_last_index_of_string: string.lastIndexOf(string) -> int
string_last_index_of_string_int: string.lastIndexOf(string, int) -> int
string_lower_ascii: string.lowerAscii() -> string
string_replace_string_string: string.replace(string, string) -> string
string_replace_string_string_int: string.replace(string, string, int) -> string
string_split_string: string.split(string) -> list(string)
string_split_string_int: string.split(string, int) -> list(string)
string_substring_int: string.substring(int) -> string
string_substring_int_int: string.substring(int, int) -> string
string_trim: string.trim() -> string
string_upper_ascii: string.upperAscii() -> string
string_format: string.format(list(dyn)) -> string
strings_quote: strings.quote(string) -> string
list_join: list(string).join() -> string
list_join_string: list(string).join(string) -> string
list_sets_contains_list: sets.contains(list(T), list(T)) -> bool
list_sets_equivalent_list: sets.equivalent(list(T), list(T)) -> bool
list_sets_intersects_list: sets.intersects(list(T), list(T)) -> bool
list_slice: list(T).slice(int, int) -> list(T)
list_flatten: list(list(T)).flatten() -> list(T)
list_flatten_int: list(dyn).flatten(int) -> list(dyn)
lists_range: lists.range(int) -> list(int)
list_reverse: list(T).reverse() -> list(T)
list_distinct: list(T).distinct() -> list(T)
list_a_index_of_int: list(A).indexOf(A) -> int
list_a_last_index_of_int: list(A).lastIndexOf(A) -> int
string_find_string: string.find(string) -> string
string_find_all_string: string.findAll(string) -> list(string)
string_find_all_string_int: string.findAll(string, int) -> list(string)
string_to_url: url(string) -> url
url_get_scheme: url.getScheme() -> string
url_get_host: url.getHost() -> string
url_get_hostname: url.getHostname() -> string
url_get_port: url.getPort() -> string
url_get_escaped_path: url.getEscapedPath() -> string
url_get_query: url.getQuery() -> map(string, list(string))
is_url_string: isURL(string) -> bool
string_to_quantity: quantity(string) -> quantity
is_quantity_string: isQuantity(string) -> bool
quantity_sign: sign(quantity) -> int
quantity_is_greater_than: quantity.isGreaterThan(quantity) -> bool
quantity_is_less_than: quantity.isLessThan(quantity) -> bool
quantity_compare_to: quantity.compareTo(quantity) -> int
quantity_get_float: quantity.asApproximateFloat() -> double
quantity_get_int: quantity.asInteger() -> int
quantity_is_integer: quantity.isInteger() -> bool
quantity_add: quantity.add(quantity) -> quantity
quantity_add_int: quantity.add(int) -> quantity
quantity_sub: quantity.sub(quantity) -> quantity
quantity_sub_int: quantity.sub(int) -> quantity
string_to_ip: ip(string) -> ip
ip_family: ip.family() -> int
ip_is_canonical: ip.isCanonical(string) -> bool
ip_is_unspecified: ip.isUnspecified() -> bool
ip_is_loopback: ip.isLoopback() -> bool
ip_is_link_local_multicast: ip.isLinkLocalMulticast() -> bool
ip_is_link_local_unicast: ip.isLinkLocalUnicast() -> bool
ip_is_global_unicast: ip.isGlobalUnicast() -> bool
is_ip: isIP(string) -> bool
string_to_cidr: cidr(string) -> cidr
cidr_contains_ip_string: cidr.containsIP(string) -> bool
cidr_contains_ip_ip: cidr.containsIP(ip) -> bool
cidr_contains_cidr_string: cidr.containsCIDR(string) -> bool
cidr_contains_cidr: cidr.containsCIDR(cidr) -> bool
cidr_ip: cidr.ip() -> ip
cidr_prefix_length: cidr.prefixLength() -> int
cidr_masked: cidr.masked() -> cidr
is_cidr: isCIDR(string) -> bool
format-validate: format.validate(string) -> optional(list(string))
format-named: format.named(string) -> optional(format)
string_to_semver: semver(string) -> semver
is_semver_string: isSemver(string) -> bool
string_bool_to_semver: semver(string, bool) -> semver
is_semver_string_bool: isSemver(string, bool) -> bool
semver_is_greater_than: semver.isGreaterThan(semver) -> bool
semver_is_less_than: semver.isLessThan(semver) -> bool
semver_compare_to: semver.compareTo(semver) -> int
semver_major: semver.major() -> int
semver_minor: semver.minor() -> int
semver_patch: semver.patch() -> int
optional_of: optional.of(V) -> optional(V)
optional_ofNonZeroValue: optional.ofNonZeroValue(V) -> optional(V)
optional_none: optional.none() -> optional(V)
optional_value: optional(V).value() -> V
optional_hasValue: optional(V).hasValue() -> bool
optional_or_optional: optional(V).or(optional(V)) -> optional(V)
optional_orValue_value: optional(V).orValue(V) -> V
list_optindex_optional_int: _[?_](list(V), int) -> optional(V)
optional_list_optindex_optional_int: _[?_](optional(list(V)), int) -> optional(V)
map_optindex_optional_value: _[?_](map(K, V), K) -> optional(V)
optional_map_optindex_optional_value: _[?_](optional(map(K, V)), K) -> optional(V)
cel_map_insert_key_value: cel.@mapInsert(map(K, V), K, V) -> map(K, V)
cel_map_insert_map: cel.@mapInsert(map(K, V), map(K, V)) -> map(K, V)
"""
_FORMATS: Final = (
    "dns1123Label", "dns1123Subdomain", "dns1035Label", "qualifiedName", "dns1123LabelPrefix",
    "dns1123SubdomainPrefix", "dns1035LabelPrefix", "labelValue", "uri", "uuid", "byte", "date",
    "datetime",
)  # fmt: skip
# Functions whose names read like methods of a variable.
_QUALIFIED: Final = ("strings.", "sets.", "lists.", "optional.", "cel.", "format.", "ip.")
_NAMED: Final[dict[str, Type]] = {
    "bool": types.BOOL, "bytes": types.BYTES, "double": types.DOUBLE, "dyn": types.DYN,
    "duration": types.DURATION, "int": types.INT, "string": types.STRING,
    "timestamp": types.TIMESTAMP, "uint": types.UINT, "type": types.TYPE,
    "url": Type("struct", "kubernetes.URL"),
    "quantity": Type("struct", "kubernetes.Quantity"),
    "semver": Type("struct", "kubernetes.Semver"),
    "format": Type("struct", "kubernetes.NamedFormat"),
    "ip": Type("opaque", "net.IP"),
    "cidr": Type("opaque", "net.CIDR"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Overload:
    """One way to call a function; `args` includes the target of a method, first."""

    id: str
    name: str
    method: bool
    args: tuple[Type, ...]
    result: Type


@cache
def functions() -> dict[str, list[Overload]]:
    """Every function by name, its overloads in the order in which they are tried."""
    found: dict[str, list[Overload]] = {}
    for line in [*_STANDARD.split("\n"), *_comparisons(), *_times(), *_libraries()]:
        if line:
            overload = _overload(line)
            found.setdefault(overload.name, []).append(overload)
    return found


TYPE_NAMES: Final = {
    "bool": types.BOOL, "bytes": types.BYTES, "double": types.DOUBLE, "int": types.INT,
    "string": types.STRING, "uint": types.UINT, "null_type": types.NULL,
    "list": types.list_of(types.DYN), "map": types.map_of(types.DYN, types.DYN),
    "type": types.TYPE, types.DURATION.name: types.DURATION, types.TIMESTAMP.name: types.TIMESTAMP,
    "optional_type": types.optional_of(types.DYN),
    **{_NAMED[n].name: _NAMED[n] for n in ("url", "quantity", "semver", "format", "ip", "cidr")},
}  # fmt: skip
"""The names that stand for a type in an expression, such as `type(self) == string`."""


def _comparisons() -> list[str]:
    mixed = (("int", "double"), ("int", "uint"), ("uint", "double"), ("uint", "int"),
             ("double", "int"), ("double", "uint"))  # fmt: skip
    lines = []
    for operator, name in (
        ("_<_", "less"), ("_<=_", "less_equals"), ("_>_", "greater"), ("_>=_", "greater_equals"),
    ):  # fmt: skip
        lines += [f"{name}_{_id(t)}: {operator}({t}, {t}) -> bool" for t in _ORDERED]
        lines += [f"{name}_{_id(a)}_{_id(b)}: {operator}({a}, {b}) -> bool" for a, b in mixed]
    return lines


def _times() -> list[str]:
    lines = []
    for name in _TIMES:
        lines.append(f"timestamp_{name}: timestamp.{name}() -> int")
        lines.append(f"timestamp_{name}_tz: timestamp.{name}(string) -> int")
        if name in {"getHours", "getMinutes", "getSeconds", "getMilliseconds"}:
            lines.append(f"duration_{name}: duration.{name}() -> int")
    return lines


def _libraries() -> list[str]:
    lines = _LIBRARIES.split("\n")
    for kind in _ORDERED:
        lines.append(f"list_{kind}_is_sorted_bool: list({kind}).isSorted() -> bool")
        lines += [f"list_{kind}_{f}_{kind}: list({kind}).{f}() -> {kind}" for f in ("min", "max")]
        named = _NAMES.get(kind, kind)
        lines.append(f"list_{named}_sort: list({kind}).sort() -> list({kind})")
        sort = f"list_{named}_sortByAssociatedKeys"
        lines.append(f"{sort}: list(T).@sortByAssociatedKeys(list({kind})) -> list(T)")
    lines += [f"list_{kind}_sum_{kind}: list({kind}).sum() -> {kind}" for kind in _SUMMED]
    lines += [f"format.{name}: format.{name}() -> format" for name in _FORMATS]
    return lines


def _id(kind: str) -> str:
    return _IDS.get(kind, kind)


def _overload(line: str) -> Overload:
    ident, _, rest = line.partition(": ")
    call, _, result = rest.rpartition(" -> ")
    head, arguments = _split_call(call)
    method = "." in head and not head.startswith("_") and not _is_qualified(head, ident)
    target, _, name = head.rpartition(".") if method else ("", "", head)
    written = [each for each in (target, *_split_top(arguments)) if each]
    return Overload(ident, name, method, tuple(_type(each) for each in written), _type(result))


def _split_call(call: str) -> tuple[str, str]:
    depth = 0
    for at in range(len(call) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(call[at], 0)
        if depth == 0:
            break
    return call[:at], call[at + 1 : -1]


def _is_qualified(head: str, ident: str) -> bool:
    return head.startswith(_QUALIFIED) and not (
        ident == "format-validate" or (head.startswith("ip.") and ident != "ip_is_canonical")
    )


@cache
def _type(text: str) -> Type:
    name, paren, inner = text.partition("(")
    if not paren:
        return Type("param", text) if len(text) == 1 else _NAMED[text]
    params = [_type(each) for each in _split_top(inner[:-1])]
    if name == "map":
        return types.map_of(*params)
    builders = {"list": types.list_of, "optional": types.optional_of, "type": types.type_of}
    return builders[name](params[0])


def _split_top(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for at, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]
