"""Functions of IP addresses. Source: Kusto docs, "IPv4/IPv6 functions"."""

import ipaddress
import re
from typing import Any, Final

from emulator.engine.conversion import to_string
from emulator.engine.functions.registry import Call, define, python, register, template
from emulator.engine.typed import Typed

_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4: Final = re.compile(rf"\s*({_OCTET})\.({_OCTET})\.({_OCTET})\.({_OCTET})(?:/(\d{{1,2}}))?\s*")
_ANY_IPV4: Final = re.compile(
    rf"(?<![0-9A-Za-z.])(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9A-Za-z]|\.[0-9])"
)


def _parse(text: str) -> tuple[int, int] | None:
    """The address as a number and its prefix, 32 when none is written."""
    found = _IPV4.fullmatch(text)
    if found is None or int(found[5] or 32) > 32:
        return None
    number = 0
    for octet in found.groups()[:4]:
        number = number * 256 + int(octet)
    return number, int(found[5] or 32)


def _mask(prefix: int) -> int:
    return (2**32 - 1) ^ ((1 << (32 - prefix)) - 1)


def _parse_ipv4(text: str) -> int | None:
    found = _parse(text)
    return None if found is None else found[0] & _mask(found[1])


def _parse_ipv4_mask(text: str, prefix: int | None) -> int | None:
    found = _parse(text)
    return (
        None
        if found is None or prefix is None or not 0 <= prefix <= 32
        else found[0] & _mask(prefix)
    )


def _dotted(number: int) -> str:
    return str(ipaddress.IPv4Address(number))


def _address(value: Any) -> tuple[int, int] | None:  # noqa: ANN401 - text or number
    if isinstance(value, int) and not isinstance(value, bool):
        return (value & (2**32 - 1), 32)
    return _parse(str(value)) if isinstance(value, str) else None


def _format(value: Any, prefix: int | None) -> str:  # noqa: ANN401 - text or number
    found = _address(value)
    if found is None or not 0 <= (32 if prefix is None else prefix) <= 32:
        return ""
    return _dotted(found[0] & _mask(min(found[1], 32 if prefix is None else prefix)))


def _format_mask(value: Any, prefix: int | None) -> str:  # noqa: ANN401 - text or number
    found = _address(value)
    if found is None or not 0 <= (32 if prefix is None else prefix) <= 32:
        return ""
    width = min(found[1], 32 if prefix is None else prefix)
    return f"{_dotted(found[0] & _mask(width))}/{width}"


def _compare(one: str, other: str, prefix: int | None) -> int | None:
    first, second = _parse(one), _parse(other)
    if first is None or second is None:
        return None
    width = min(first[1], second[1], 32 if prefix is None else prefix)
    a, b = first[0] & _mask(width), second[0] & _mask(width)
    return (a > b) - (a < b)


def _match(one: str, other: str, prefix: int | None) -> bool | None:
    found = _compare(one, other, prefix)
    return None if found is None else found == 0


def _in_range(text: str, network: str) -> bool | None:
    address, wanted = _parse(text), _parse(network)
    if address is None or wanted is None:
        return None
    return address[0] & _mask(wanted[1]) == wanted[0] & _mask(wanted[1])


def _ranges(values: Any) -> list[str]:  # noqa: ANN401 - JSON
    return [
        str(item) for value in values for item in (value if isinstance(value, list) else [value])
    ]


def _in_any_range(text: str, networks: Any) -> bool | None:  # noqa: ANN401 - JSON
    if _parse(text) is None:
        return None
    return any(_in_range(text, network) for network in _ranges(networks))


def _suffix(text: str) -> int | None:
    found = _parse(text)
    return None if found is None else found[1]


_PRIVATE: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")


def _is_private(text: str) -> bool | None:
    return None if _parse(text) is None else any(_in_range(text, network) for network in _PRIVATE)


def _cidrs(start: str, stop: str) -> list[str] | None:
    first, last = _parse(start), _parse(stop)
    if first is None or last is None or first[0] > last[0]:
        return None
    networks = ipaddress.summarize_address_range(
        ipaddress.IPv4Address(first[0]), ipaddress.IPv4Address(last[0])
    )
    return [str(network) for network in networks]


python("parse_ipv4", "long", ["text"], _parse_ipv4)
python("parse_ipv4_mask", "long", ["text", "long"], _parse_ipv4_mask)
python("format_ipv4", "string", ["any", "long"], _format, optional=1)
python("format_ipv4_mask", "string", ["any", "long"], _format_mask, optional=1)
python("ipv4_compare", "long", ["text", "text", "long"], _compare, optional=1)
python("ipv4_is_match", "bool", ["text", "text", "long"], _match, optional=1)
python("ipv4_is_in_range", "bool", ["text", "text"], _in_range)
python("ipv4_netmask_suffix", "long", ["text"], _suffix)
python("ipv4_is_private", "bool", ["text"], _is_private)
python("ipv4_range_to_cidr_list", "dynamic", ["text", "text"], _cidrs)
template("ipv4_is_loopback", "bool", ["text"], "starts_with({0}, '127.')")


def _many(name: str, least: int, function: Any) -> None:  # noqa: ANN401 - a function of a text and JSON
    sql_name = define(name, "bool", ["string", "dynamic"], function)

    def bind(call: Call) -> Typed:
        first = call.argument(0, "text").sql
        rest = [
            f"coalesce({value.sql}, 'null')"
            if value.type == "dynamic"
            else f"to_json({to_string(value).sql})::VARCHAR"
            for value in call.arguments[1:]
        ]
        return call.result(
            f"{sql_name}({first}, '[' || {' || chr(44) || '.join(rest)} || ']')", "bool"
        )

    register(name, least, 64)(bind)


_many("ipv4_is_in_any_range", 2, _in_any_range)


def _found(text: str) -> list[str]:
    return [match.group() for match in _ANY_IPV4.finditer(text)]


def _has_ipv4(text: str, values: Any) -> bool:  # noqa: ANN401 - JSON
    found = set(_found(text))
    return any(value in found for value in _ranges(values) if _parse(value) is not None)


def _has_prefix(text: str, values: Any) -> bool:  # noqa: ANN401 - JSON
    found = _found(text)
    return any(_starts(address, value) for value in _ranges(values) for address in found)


def _starts(address: str, prefix: str) -> bool:
    if prefix.endswith("."):
        return address.startswith(prefix)
    if "/" in prefix:
        return bool(_in_range(address, prefix))
    return address == prefix


for _name, _function in (
    ("has_ipv4", _has_ipv4),
    ("has_any_ipv4", _has_ipv4),
    ("has_ipv4_prefix", _has_prefix),
    ("has_any_ipv4_prefix", _has_prefix),
):
    _many(_name, 2, _function)


def _six(text: str) -> tuple[int, int] | None:
    """The address as a 128-bit number and its prefix."""
    address, _, suffix = text.strip().partition("/")
    address = address.partition("%")[0]
    is_four = ":" not in address or (
        address.count(".") == 3 and address.lower().startswith("::ffff:")
    )
    if suffix and not suffix.isdigit():
        return None
    try:
        if ":" not in address:
            if _parse(address) is None:
                return None
            number = int(ipaddress.IPv6Address(f"::ffff:{address}"))
        else:
            number = int(ipaddress.IPv6Address(address))
    except ValueError:
        return None
    width = int(suffix) if suffix else (32 if is_four else 128)
    if width > (32 if is_four else 128):
        return None
    return number, width + 96 if is_four else width


def _mask6(prefix: int) -> int:
    return (2**128 - 1) ^ ((1 << (128 - prefix)) - 1)


def _parse_ipv6(text: str) -> str:
    found = _six(text)
    return "" if found is None else ipaddress.IPv6Address(found[0] & _mask6(found[1])).exploded


def _parse_ipv6_mask(text: str, prefix: int | None) -> str:
    found = _six(text)
    if found is None or prefix is None or not 0 <= prefix <= 128:
        return ""
    return ipaddress.IPv6Address(found[0] & _mask6(min(found[1], prefix))).exploded


def _compare6(one: str, other: str, prefix: int | None) -> int | None:
    first, second = _six(one), _six(other)
    if first is None or second is None:
        return None
    width = min(first[1], second[1], 128 if prefix is None else prefix)
    a, b = first[0] & _mask6(width), second[0] & _mask6(width)
    return (a > b) - (a < b)


def _match6(one: str, other: str, prefix: int | None) -> bool | None:
    found = _compare6(one, other, prefix)
    return None if found is None else found == 0


def _in_range6(text: str, network: str) -> bool | None:
    address, wanted = _six(text), _six(network)
    if address is None or wanted is None:
        return None
    return address[0] & _mask6(wanted[1]) == wanted[0] & _mask6(wanted[1])


def _in_any_range6(text: str, networks: Any) -> bool | None:  # noqa: ANN401 - JSON
    if _six(text) is None:
        return None
    return any(_in_range6(text, network) for network in _ranges(networks))


python("parse_ipv6", "string", ["text"], _parse_ipv6)
python("parse_ipv6_mask", "string", ["text", "long"], _parse_ipv6_mask)
python("ipv6_compare", "long", ["text", "text", "long"], _compare6, optional=1)
python("ipv6_is_match", "bool", ["text", "text", "long"], _match6, optional=1)
python("ipv6_is_in_range", "bool", ["text", "text"], _in_range6)
_many("ipv6_is_in_any_range", 2, _in_any_range6)
