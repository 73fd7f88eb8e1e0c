"""Formats: what pydantic calls them, and how the API server holds text to each.

pydantic's formats are more than the server checks, and some mean something else to it. Each has
keywords here that take what the model takes, or has no counterpart.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from crdgen.schema_keywords import COSTLY, UNSUPPORTED, Schema, unsupported

KNOWN: Final = frozenset({
    "bsonobjectid", "byte", "cidr", "creditcard", "date", "date-time", "datetime", "double",
    "duration", "email", "float", "hexcolor", "hostname", "int32", "int64", "ipv4", "ipv6",
    "isbn", "isbn10", "isbn13", "k8s-long-name", "k8s-short-name", "mac", "password", "rgbcolor",
    "ssn", "uri", "uuid", "uuid3", "uuid4", "uuid5",
})  # fmt: skip
"""The formats that kube-apiserver 1.37 checks or documents; it warns of any other."""

_OCTET: Final = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4: Final = rf"^{_OCTET}(\.{_OCTET}){{3}}$"
_HEX: Final = r"[\da-f]"
_OFFSET: Final = "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_HOST: Final = (
    r"(\[[0-9A-Fa-f:.]+\]|([A-Za-z0-9_-]+\.)*[A-Za-z_-][A-Za-z0-9_-]*\.?"
    rf"|{_OCTET}(\.{_OCTET}){{3}})"
)
_PORT: Final = "(:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[0-5]?[0-9]{1,4}))?"
_WEB: Final = frozenset({"http", "https", "ws", "wss", "ftp"})
"""Schemes whose URLs have a host."""


def _network(family: int | None, *, masked: bool) -> Schema:
    rule = "isCIDR(self)"
    if masked:
        rule += " && cidr(self) == cidr(self).masked()"
    if family is not None:
        rule += f" && cidr(self).ip().family() == {family}"
    kind = "an IP network" if family is None else f"an IPv{family} network"
    example = "2001:db8::/32" if family == 6 else "10.0.0.0/8"  # noqa: PLR2004 - IPv6
    message = f"must be {kind} such as {example}"
    message += ", without bits after its prefix" if masked else ""
    rules = [{"rule": rule, "message": message}]
    return {"maxLength": 43, "x-kubernetes-validations": rules, COSTLY: True}


def _uuid(version: str) -> Schema:
    inner = f"(-{_HEX}{{4}}){{3}}"
    if version:
        inner = f"-{_HEX}{{4}}-{version}{_HEX}{{3}}-[89ab]{_HEX}{{3}}"
    return {"format": "uuid", "pattern": f"(?i)^{_HEX}{{8}}{inner}-{_HEX}{{12}}$"}


_TRANSLATED: Final[dict[str, Schema]] = {
    "ipv4": {"format": "ipv4", "pattern": _IPV4},
    "ipvanyaddress": {"anyOf": [{"pattern": _IPV4}, {"format": "ipv6"}]},
    **{
        f"ipv{name}{kind}": _network(family, masked=kind == "network")
        for name, family in (("4", 4), ("6", 6), ("any", None))
        for kind in ("network", "interface")
    },
    "path": {},
    "time": {
        "pattern": rf"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{{1,6}})?)?{_OFFSET}?$",
    },
    **{f"uuid{version}": _uuid(version) for version in ("", "1", "3", "4", "5", "6", "7", "8")},
}  # fmt: skip
BYTES: Final = unsupported("raw bytes have no JSON form", "use Base64Bytes, crdgen.Base64 or str")
"""What stands for bytes, until a format says how they are written."""
_BASE64: Final = {
    name: f"^([{letters}]{{4}})*([{letters}]{{2}}==|[{letters}]{{3}}=)?$"
    for name, letters in (("base64", "A-Za-z0-9+/"), ("base64url", "A-Za-z0-9_-"))
}
_REFUSED: Final = {
    "regex": ("the API server does not compile patterns of objects", "use str"),
    "file-path": ("the API server does not see files", "use Path or str"),
    "directory-path": ("the API server does not see folders", "use Path or str"),
    "multi-host-uri": ("the API server knows URLs of one host", "use str with a pattern"),
    "name-email": ("names beside an address are not written alike", "use str with a pattern"),
    **dict.fromkeys(
        ("base64", "base64url"),
        ("it must be the base64 of text, and the API server does not look inside", "use bytes"),
    ),
}


def translate(node: Schema) -> Schema:
    """The node with a format that the server checks, or keywords for it, or refused."""
    written = str(node.get("format", "date"))
    if written in _BASE64 and node.get(UNSUPPORTED) == BYTES[UNSUPPORTED]:
        rest = {key: v for key, v in node.items() if key not in {"format", UNSUPPORTED}}
        return {**rest, "pattern": _BASE64[written]}
    if written not in _TRANSLATED:
        return node if written in KNOWN else {**node, **_refusal(written)}
    rest = {key: value for key, value in node.items() if key != "format"}
    if {"minLength", "maxLength"} & rest.keys():
        return {**rest, **unsupported(f"the value of format {written} has no length", "use str")}
    found = dict(_TRANSLATED[written])
    if clash := found.keys() & rest.keys() - {"x-kubernetes-validations", "maxLength"}:
        names = " and ".join(sorted(clash))
        return {**rest, **unsupported(f"format {written} and {names} together", "use str")}
    rules: list[Any] = [
        *rest.get("x-kubernetes-validations", ()), *found.get("x-kubernetes-validations", ())
    ]  # fmt: skip
    return {**rest, **found, **({"x-kubernetes-validations": rules} if rules else {})}


def _refusal(written: str) -> Schema:
    why, instead = _REFUSED.get(
        written, (f"the API server does not know the format {written}", "drop it, or use a pattern")
    )
    return unsupported(why, instead)


def url_keywords(schemes: Sequence[str]) -> Schema:
    """What holds for pydantic's URL of one of `schemes`, beside its format."""
    if not schemes:
        why = "pydantic and the API server read URLs of some schemes differently"
        return unsupported(why, "use HttpUrl, or name the schemes with UrlConstraints")
    names = "|".join(map(re.escape, schemes))
    host = rf"([^/?#@\s]*@)?{_HOST}{_PORT}"
    host = host if set(schemes) <= _WEB else f"({host})?"
    return {"pattern": f"(?i)^({names})://{host}([/?#]|$)"}
