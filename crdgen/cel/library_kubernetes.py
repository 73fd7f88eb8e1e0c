"""Kubernetes' own CEL types: URLs, quantities, IP addresses and networks, versions, formats."""

import ipaddress
import re
from collections.abc import Callable
from fractions import Fraction
from functools import total_ordering
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from crdgen.cel import gotime, gourl
from crdgen.cel.values import NONE, EvaluationError, Opaque, Optional, Value

_SUFFIXES: Final[dict[str, int | Fraction]] = {
    "": 1, "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "k": 10**3,
    "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18, "Ki": 2**10, "Mi": 2**20,
    "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip
_QUANTITY: Final = re.compile(r"([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:([eE][+-]?\d+)|([a-zA-Z]*))")
_SEMVER: Final = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?"
)
_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME: Final = r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"


def quantity(text: str) -> Fraction | None:
    """The value of a Kubernetes quantity such as `1500m` or `2Gi`, or None."""
    found = _QUANTITY.fullmatch(text)
    if found is None or (found[4] or "") not in _SUFFIXES:
        return None
    value = Fraction(found[2].rstrip(".") if found[2] != "." else "0") * _SUFFIXES[found[4] or ""]
    if found[3]:
        value *= Fraction(f"1{found[3]}")
    return -value if found[1] == "-" else value


@total_ordering
class Version:
    """A semantic version (semver.org 2.0.0)."""

    def __init__(self, match: re.Match[str]) -> None:
        self.numbers = (int(match[1]), int(match[2]), int(match[3]))
        self.pre = match[4]

    def _key(self) -> tuple[Any, ...]:
        parts = [
            (0, int(part), "") if part.isdigit() else (1, 0, part)
            for part in (self.pre.split(".") if self.pre else ())
        ]
        return (*self.numbers, not self.pre, parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __lt__(self, other: "Version") -> bool:
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash(self.numbers)


def _parser(kind: str, read: Callable[[str], Any], what: str) -> Callable[[str], Opaque]:
    def parse(text: str) -> Opaque:
        found = read(text)
        if found is None:
            raise EvaluationError(f"{what}: {text}")
        return Opaque(kind, found)

    return parse


def _version(text: str, normalize: bool = False) -> Version | None:  # noqa: FBT001, FBT002 - CEL's
    if normalize:
        text = re.sub(r"(^|\.)0+(?=\d)", r"\1", text.removeprefix("v"))
        head, sep, tail = re.fullmatch(r"([0-9.]*)([-+]?)(.*)", text).groups()  # type: ignore[union-attr]
        head += ".0" * max(2 - head.count("."), 0)
        text = head + sep + tail
    found = _SEMVER.fullmatch(text)
    return Version(found) if found else None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None
    return None if mapped or "%" in text else found


def _network(text: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface | None:
    if not re.fullmatch(r"[^/]+/\d+", text) or _address(text.partition("/")[0]) is None:
        return None
    try:
        return ipaddress.ip_interface(text)
    except ValueError:
        return None


def _url(text: str) -> Any | None:  # noqa: ANN401 - a SplitResult
    return urlsplit(text) if gourl.is_request_uri(text) else None


def _contains_ip(network: Opaque, other: Value) -> bool:
    address = _address(other) if isinstance(other, str) else other.value
    if address is None:
        raise EvaluationError(f'IP Address "{other}" parse error during conversion from string')
    return bool(address.version == network.value.version and address in network.value.network)


def _contains_cidr(network: Opaque, other: Value) -> bool:
    inner = _network(other) if isinstance(other, str) else other.value
    if inner is None:
        raise EvaluationError(
            f'network address parse error during conversion from string: "{other}"'
        )
    same = inner.version == network.value.version
    return bool(same and inner.network.subnet_of(network.value.network))


def _compare(one: Opaque, other: Opaque) -> int:
    return int((one.value > other.value) - (one.value < other.value))


def _whole(one: Opaque) -> int:
    if one.value.denominator != 1 or not -(2**63) <= one.value < 2**63:
        raise EvaluationError("cannot convert value to integer")
    return int(one.value)


def _plus(one: Opaque, other: Value, sign: int) -> Opaque:
    amount = other if isinstance(other, int) else other.value
    return Opaque("kubernetes.Quantity", one.value + sign * amount)


def _ip(value: Value) -> Opaque:
    if isinstance(value, Opaque):
        return Opaque("net.IP", value.value.ip)
    parse = _parser("net.IP", _address, "IP Address parse error during conversion from string")
    return parse(value)


def _mask(value: Opaque) -> Opaque:
    return Opaque("net.CIDR", ipaddress.ip_interface(str(value.value.network)))


def _is_global(value: Opaque) -> bool:
    address = value.value
    return not (
        address.is_unspecified or address.is_loopback or address.is_multicast
        or address.is_link_local or str(address) == "255.255.255.255"
    )  # fmt: skip


def _query(value: Opaque) -> dict[str, list[str]]:
    return parse_qs(value.value.query, keep_blank_values=True)


_FORMATS: Final[dict[str, Callable[[str], bool]]] = {
    "dns1123Label": lambda t: len(t) <= 63 and bool(re.fullmatch(_LABEL, t)),  # noqa: PLR2004
    "dns1123Subdomain": lambda t: (
        len(t) <= 253  # noqa: PLR2004 - RFC 1123
        and bool(re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", t))
    ),
    "dns1035Label": lambda t: (
        len(t) <= 63  # noqa: PLR2004 - RFC 1035
        and bool(re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", t))
    ),
    "qualifiedName": lambda t: (
        bool(re.fullmatch(rf"({_LABEL}(\.{_LABEL})*/)?{_NAME}", t))
        and len(t.rpartition("/")[2]) <= 63  # noqa: PLR2004 - Kubernetes' names
    ),
    "labelValue": lambda t: len(t) <= 63 and bool(re.fullmatch(rf"({_NAME})?", t)),  # noqa: PLR2004
    "uri": gourl.is_request_uri,
    "uuid": lambda t: bool(re.fullmatch(r"(?i)[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", t)),
    "byte": lambda t: len(t) % 4 == 0 and bool(re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", t)),
    "date": lambda t: gotime.moment(f"{t}T00:00:00Z") is not None,
    "datetime": lambda t: gotime.moment(t.upper()) is not None,
}
for _prefixed in ("dns1123Label", "dns1123Subdomain", "dns1035Label"):
    _FORMATS[f"{_prefixed}Prefix"] = (
        lambda t, check=_FORMATS[_prefixed]: check(  # type: ignore[misc]
            t[:-1] + "a" if t.endswith("-") else t
        )
    )


def _named(name: str) -> Optional:
    if name not in _FORMATS:
        return NONE
    return Optional(present=True, value=Opaque("kubernetes.NamedFormat", name))


def _validate(form: Opaque, text: str) -> Optional:
    if _FORMATS[form.value](text):
        return NONE
    return Optional(present=True, value=[f"not a valid {form.value}"])


FUNCTIONS: Final[dict[str, Callable[..., Value]]] = {
    "url": _parser("kubernetes.URL", _url, "URL parse error during conversion from string"),
    "isURL": lambda text: _url(text) is not None,
    "getScheme": lambda url: url.value.scheme,
    "getHost": lambda url: url.value.netloc.rpartition("@")[2],
    "getHostname": lambda url: url.value.hostname or "",
    "getPort": lambda url: str(url.value.port or ""),
    "getEscapedPath": lambda url: quote(url.value.path, safe="/%:@!$&'()*+,;=~-._"),
    "getQuery": _query,
    "quantity": _parser("kubernetes.Quantity", quantity, "quantity parse error"),
    "isQuantity": lambda text: quantity(text) is not None,
    "sign": lambda one: (one.value > 0) - (one.value < 0),
    "isGreaterThan": lambda one, other: one.value > other.value,
    "isLessThan": lambda one, other: one.value < other.value,
    "compareTo": _compare,
    "asInteger": _whole,
    "isInteger": lambda one: one.value.denominator == 1,
    "asApproximateFloat": lambda one: float(one.value),
    "add": lambda one, other: _plus(one, other, 1),
    "sub": lambda one, other: _plus(one, other, -1),
    "ip": _ip,
    "isIP": lambda text: _address(text) is not None,
    "ip.isCanonical": lambda text: str(_ip(text).value) == text,
    "family": lambda one: one.value.version,
    "isUnspecified": lambda one: one.value.is_unspecified,
    "isLoopback": lambda one: one.value.is_loopback,
    "isLinkLocalMulticast": lambda one: str(one.value).startswith(("224.0.0.", "ff02:")),
    "isLinkLocalUnicast": lambda one: one.value.is_link_local,
    "isGlobalUnicast": _is_global,
    "cidr": _parser(
        "net.CIDR", _network, "network address parse error during conversion from string"
    ),
    "isCIDR": lambda text: _network(text) is not None,
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "prefixLength": lambda one: one.value.network.prefixlen,
    "masked": _mask,
    "semver": lambda text, *rest: _parser(
        "kubernetes.Semver", lambda t: _version(t, *rest), "semver parse error"
    )(text),
    "isSemver": lambda text, *rest: _version(text, *rest) is not None,
    "major": lambda one: one.value.numbers[0],
    "minor": lambda one: one.value.numbers[1],
    "patch": lambda one: one.value.numbers[2],
    "format.named": _named,
    "validate": _validate,
    **{
        f"format.{name}": lambda form=name: Opaque("kubernetes.NamedFormat", form)
        for name in _FORMATS
    },
}
