"""The string formats that kube-apiserver 1.37 checks, as loosely or strictly as it does.

NB: `date-time` accepts lower-case `t` and `z`, any offset and any character before the fraction;
`duration` accepts words; `email`, `uri` and the like follow Go's parsers (kube-openapi strfmt).
"""

import ipaddress
import re
from collections.abc import Callable
from datetime import date
from typing import Final

from crdgen.cel import gotime, gourl

_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_UUID: Final = r"(?i)[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{third}-?{fourth}-?[0-9a-f]{{12}}"
_ANY4: Final = "[0-9a-f]{4}"
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]+"
_QUOTED: Final = r'"(?:[^"\\\r\n]|\\.)*"'
_DOTTED: Final = rf"{_ATOM}(?:\.{_ATOM})*"
_ADDRESS: Final = rf"(?:{_DOTTED}|{_QUOTED})@(?:{_DOTTED}|\[[^\[\]]*\])"
_NAMED: Final = rf"(?:(?:{_DOTTED}|{_QUOTED})[ \t]*)*<{_ADDRESS}>"
_EMAIL: Final = rf"[ \t]*(?:{_ADDRESS}|{_NAMED})[ \t]*(?:\([^()]*\))?[ \t]*"
_CARD: Final = (
    r"(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})"
)


def is_known(form: str) -> bool:
    """Whether the server checks format `form` on strings (`date-time` is `datetime` to it)."""
    return form.replace("-", "") in CHECKS


def is_valid(form: str, text: str) -> bool:
    """Whether `text` has the format `form`, which is known."""
    return CHECKS[form.replace("-", "")](text)


def _is_date(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return text.startswith("0000") and gotime.moment(f"{text}T00:00:00Z") is not None
    return True


def _is_moment(text: str) -> bool:
    if len(text) < 4:  # noqa: PLR2004 - shorter than any
        return False
    parts = text.lower().split("t")
    if len(parts) < 2 or not _is_date(parts[0]):  # noqa: PLR2004 - date and time
        return False
    clock = re.fullmatch(
        r"(\d\d):(\d\d):(\d\d)(.\d+)?(z|[+-]\d\d:\d\d)", parts[1], re.ASCII | re.DOTALL
    )
    return clock is not None and clock[1] <= "23" and clock[2] <= "59" and clock[3] <= "59"


def _is_ip(text: str, version: int) -> bool:
    if "%" in text:
        return False
    try:
        plain = re.sub(r"(^|[.:])0+(?=\d)", r"\1", text) if version == 4 else text  # noqa: PLR2004
        found = ipaddress.ip_address(plain)
    except ValueError:
        return False
    return found.version == version or (version == 4 and "." in text)  # noqa: PLR2004 - IPv4


def _is_cidr(text: str) -> bool:
    address, slash, bits = text.partition("/")
    version = 6 if ":" in address else 4
    return bool(
        slash and bits.isdigit() and _is_ip(address, version)
        and int(bits) <= (128 if version == 6 else 32)  # noqa: PLR2004 - address widths
    )  # fmt: skip


def _is_hostname(text: str) -> bool:
    pattern = (
        r"([a-zA-Z0-9]((-?[a-zA-Z0-9]{0,62})?)|([a-zA-Z0-9](([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)"
        r"(\.)){1,}([a-zA-Z]){2,63})"
    )
    known = re.fullmatch(pattern, re.sub(r"[^\W\d_]", "a", text))
    return bool(known) and len(text) <= 255 and all(len(p) <= 63 for p in text.split("."))  # noqa: PLR2004


def _is_isbn10(text: str) -> bool:
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"\d{9}[\dX]", digits):
        return False
    values = [10 if digit == "X" else int(digit) for digit in digits]
    return sum((n + 1) * value for n, value in enumerate(values)) % 11 == 0


def _is_isbn13(text: str) -> bool:
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"\d{13}", digits):
        return False
    return sum(int(d) * (3 if n % 2 else 1) for n, d in enumerate(digits)) % 10 == 0


def _is_card(text: str) -> bool:
    digits = re.sub(r"[^0-9]+", "", text)
    if not re.fullmatch(_CARD, digits):
        return False
    total = 0
    for n, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if n % 2 else 1)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - Luhn
    return total % 10 == 0


def _is_base64(text: str) -> bool:
    whole = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})"
    return bool(re.fullmatch(whole, text))


def _matches_loosely(pattern: str) -> Callable[[str], bool]:
    return lambda text: bool(re.fullmatch(pattern, text))


def _matches(pattern: str) -> Callable[[str], bool]:
    return lambda text: bool(re.fullmatch(pattern, text, re.ASCII))


_OCTET: Final = r"(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])"
CHECKS: Final[dict[str, Callable[[str], bool]]] = {
    "bsonobjectid": _matches("[0-9a-fA-F]{24}"),
    "uri": gourl.is_request_uri,
    "email": _matches_loosely(_EMAIL),
    "hostname": _is_hostname,
    "ipv4": lambda text: _is_ip(text, 4) and "." in text,
    "ipv6": lambda text: ":" in text and _is_ip(text, 6),
    "cidr": _is_cidr,
    "mac": _matches(
        r"[0-9a-fA-F]{2}(([:-][0-9a-fA-F]{2}){5}|([:-][0-9a-fA-F]{2}){7})"
        r"|[0-9a-fA-F]{4}((\.[0-9a-fA-F]{4}){2}|(\.[0-9a-fA-F]{4}){3})"
    ),
    "uuid": _matches(_UUID.format(third=_ANY4, fourth=_ANY4)),
    "uuid3": _matches(_UUID.format(third="3[0-9a-f]{3}", fourth=_ANY4)),
    "uuid4": _matches(_UUID.format(third="4[0-9a-f]{3}", fourth="[89ab][0-9a-f]{3}")),
    "uuid5": _matches(_UUID.format(third="5[0-9a-f]{3}", fourth="[89ab][0-9a-f]{3}")),
    "isbn": lambda text: _is_isbn10(text) or _is_isbn13(text),
    "isbn10": _is_isbn10,
    "isbn13": _is_isbn13,
    "creditcard": _is_card,
    "ssn": _matches(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "hexcolor": _matches("#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "rgbcolor": _matches(rf"rgb\(\s*{_OCTET}\s*,\s*{_OCTET}\s*,\s*{_OCTET}\s*\)"),
    "byte": _is_base64,
    "password": lambda text: True,  # noqa: ARG005 - any text
    "date": _is_date,
    "duration": lambda text: gotime.loose_duration(text) is not None,
    "datetime": _is_moment,
    "k8sshortname": lambda text: len(text) <= 63 and bool(re.fullmatch(_LABEL, text)),  # noqa: PLR2004
    "k8slongname": lambda text: (
        len(text) <= 253  # noqa: PLR2004 - RFC 1123
        and bool(re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", text))
    ),
}
