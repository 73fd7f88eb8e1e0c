"""URLs as Go's `url.ParseRequestURI` takes them: the format `uri` and Kubernetes' CEL URLs."""

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Final

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_USER: Final = re.compile(r"[A-Za-z0-9\-._~:!$&'()*+,;=%@]*")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9!$&'()*+,;=\[\]<>\"\-_.~]|%25|%[89A-Fa-f].|[^\x00-\x7f])*")
_PORT: Final = re.compile(r"(:[0-9]*)?")


def is_request_uri(text: str) -> bool:
    """Whether Go parses `text` as the URI of a request: an absolute URI, or a path from `/`."""
    if not text or re.search(r"[\x00-\x1f\x7f]", text) or text.startswith(":"):
        return False
    found = _SCHEME.match(text)
    rest = (text[found.end() :] if found else text).partition("?")[0]
    if text == "*" or (found and not rest.startswith("/")):
        return True
    if not rest.startswith("/"):
        return False
    if found and rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        return _is_authority(authority) and not _BROKEN_ESCAPE.search(slash + path)
    return not _BROKEN_ESCAPE.search(rest)


def _is_authority(text: str) -> bool:
    user, at, host = text.rpartition("@")
    if at and not (_USER.fullmatch(user) and not _BROKEN_ESCAPE.search(user)):
        return False
    if host.startswith("["):
        address, bracket, port = host[1:].rpartition("]")
        return bool(bracket) and bool(_PORT.fullmatch(port)) and _is_ipv6(address)
    name, colon, port = host.partition(":")
    is_port = _PORT.fullmatch(colon + port) is not None
    return is_port and not _BROKEN_ESCAPE.search(name) and bool(_HOST.fullmatch(name))


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(re.sub("%25.+", "", text) if "%25" in text else text.replace("%", "/"))
    except AddressValueError:
        return False
    return True
