"""Functions that encode, hash and take apart texts: base64, URLs, versions, paths."""

import base64
import binascii
import gzip
import hashlib
import re
import zlib
from typing import Any, Final
from urllib.parse import quote as url_quote
from urllib.parse import unquote
from uuid import UUID

from emulator.engine.conversion import json_sql, text_sql
from emulator.engine.functions.registry import Call, alias, define, python, register
from emulator.engine.typed import Typed


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _utf8(data: bytes | None) -> str:
    if data is None:
        return ""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def _array(data: bytes | None) -> list[int] | None:
    return None if data is None else list(data)


def _bytes(values: Any) -> bytes | None:  # noqa: ANN401 - JSON
    try:
        return bytes(values)
    except (TypeError, ValueError):
        return None


def _from_array(values: Any) -> str:  # noqa: ANN401 - JSON
    data = _bytes(values)
    return "" if data is None or not _utf8(data) else base64.b64encode(data).decode()


def _to_guid(text: str) -> str | None:
    data = _decoded(text)
    return str(UUID(bytes_le=data)) if data is not None and len(data) == 16 else None


def _from_guid(value: UUID | str | None) -> str:
    return "" if value is None else base64.b64encode(UUID(str(value)).bytes_le).decode()


python(
    "base64_encode_tostring",
    "string",
    ["text"],
    lambda text: base64.b64encode(text.encode()).decode(),
)
python("base64_decode_tostring", "string", ["text"], lambda text: _utf8(_decoded(text)))
python("base64_decode_toarray", "dynamic", ["text"], lambda text: _array(_decoded(text)))
python("base64_encode_fromarray", "string", ["dynamic"], _from_array)
python("base64_decode_toguid", "guid", ["text"], _to_guid)
python("base64_encode_fromguid", "string", ["guid"], _from_guid)
alias("base64_encode_tostring", "base64_encodestring")
alias("base64_decode_tostring", "base64_decodestring")


def _zlib_compress(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode())).decode()


def _zlib_decompress(text: str) -> str:
    try:
        return _utf8(zlib.decompress(_decoded(text) or b""))
    except zlib.error:
        return ""


def _gzip_compress(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _gzip_decompress(text: str) -> str:
    try:
        return _utf8(gzip.decompress(_decoded(text) or b""))
    except (OSError, EOFError, zlib.error):
        return ""


def _lower_escapes(text: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda found: found.group().lower(), text)


def _url_encode_component(text: str) -> str:
    return _lower_escapes(url_quote(text, safe="-_.!*()"))


def _url_encode(text: str) -> str:
    return _url_encode_component(text).replace("%20", "+")


python("zlib_decompress_from_base64_string", "string", ["text"], _zlib_decompress)
python("gzip_decompress_from_base64_string", "string", ["text"], _gzip_decompress)
python("url_encode", "string", ["text"], _url_encode)
python("url_encode_component", "string", ["text"], _url_encode_component)
python("url_decode", "string", ["text"], lambda text: unquote(text.replace("+", " ")))


def _hashed(name: str) -> Any:  # noqa: ANN401 - a hash
    return lambda text: getattr(hashlib, name)(text.encode()).hexdigest() if text else ""


for _name in ("md5", "sha1", "sha256"):
    define(f"hash_{_name}", "string", ["string"], _hashed(_name))


def _bind_hash(call: Call) -> Typed:
    return call.result(f"k_{call.name}({text_sql(call.arguments[0])})", "string")


for _name in ("hash_md5", "hash_sha1", "hash_sha256"):
    register(_name, 1)(_bind_hash)

_P1: Final = 0x9E3779B185EBCA87
_P2: Final = 0xC2B2AE3D27D4EB4F
_P3: Final = 0x165667B19E3779F9
_P4: Final = 0x85EBCA77C2B2AE63
_P5: Final = 0x27D4EB2F165667C5
_MASK: Final = 2**64 - 1


def _rotate(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _MASK


def _round(lane: int, block: int) -> int:
    return _rotate((lane + block * _P2) & _MASK, 31) * _P1 & _MASK


def xxhash64(data: bytes, seed: int = 0) -> int:
    """The 64-bit xxHash of `data` as a signed number."""
    at, size = 0, len(data)
    if size >= 32:
        lanes = [(seed + _P1 + _P2) & _MASK, (seed + _P2) & _MASK, seed, (seed - _P1) & _MASK]
        while at + 32 <= size:
            for lane in range(4):
                block = int.from_bytes(data[at + lane * 8 : at + lane * 8 + 8], "little")
                lanes[lane] = _round(lanes[lane], block)
            at += 32
        value = (
            sum(_rotate(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True))
            & _MASK
        )
        for lane in lanes:
            value = ((value ^ _round(0, lane)) * _P1 + _P4) & _MASK
    else:
        value = (seed + _P5) & _MASK
    value = _tail((value + size) & _MASK, data, at)
    value = (value ^ (value >> 33)) * _P2 & _MASK
    value = (value ^ (value >> 29)) * _P3 & _MASK
    value ^= value >> 32
    return value - 2**64 if value >= 2**63 else value


def _tail(value: int, data: bytes, at: int) -> int:
    while at + 8 <= len(data):
        value ^= _round(0, int.from_bytes(data[at : at + 8], "little"))
        value = (_rotate(value, 27) * _P1 + _P4) & _MASK
        at += 8
    if at + 4 <= len(data):
        value ^= int.from_bytes(data[at : at + 4], "little") * _P1 & _MASK
        value = (_rotate(value, 23) * _P2 + _P3) & _MASK
        at += 4
    for byte in data[at:]:
        value ^= byte * _P5 & _MASK
        value = _rotate(value, 11) * _P1 & _MASK
    return value


def _hash(kind: str, text: str, modulus: int | None) -> int | None:
    if kind in ("int", "long", "datetime", "timespan"):
        size = 4 if kind == "int" else 8
        data = int(text).to_bytes(size, "little", signed=True) if text else b""
    else:
        data = text.encode()
    value = xxhash64(data)
    return value if not modulus else abs(value) % modulus


define("hash", "long", ["string", "string", "long"], _hash)


@register("hash", 1, 2)
def _bind_xxhash(call: Call) -> Typed:
    value = call.arguments[0]
    if value.type in ("real", "decimal", "dynamic", "guid", "bool"):
        from emulator.engine.problems import UnsupportedProblem  # noqa: PLC0415 - one use

        raise UnsupportedProblem(
            f"'{call.name}()' of a {value.type}", call.at, "hash its tostring()"
        )
    text = f"coalesce({value.sql}::VARCHAR, '')"
    modulus = call.argument(1, "long").sql if len(call.arguments) > 1 else "NULL::BIGINT"
    return call.result(f"k_hash('{value.type}', {text}, {modulus})", "long")


alias("hash", "hash_xxhash64")


def _parse_url(text: str) -> Any:  # noqa: ANN401 - JSON
    found = re.match(
        r"(?:([^:/?#]+)://)?(?:([^:@/?#]*):([^@/?#]*)@)?(\[[^\]]*\]|[^:/?#]*)(?::(\d+))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$",
        text,
        re.DOTALL,
    )
    if found is None or not found[1]:
        found = None
    scheme, user, password, host, port, path, query, fragment = (
        found.groups("") if found else ("",) * 8
    )
    return {
        "Scheme": scheme,
        "Host": host,
        "Port": port,
        "Path": path,
        "Username": user,
        "Password": password,
        "Query Parameters": _query_parameters(query),
        "Fragment": fragment,
    }


def _query_parameters(query: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name and value:
            known = found.get(name)
            joined = (
                value
                if known is None
                else [*(known if isinstance(known, list) else [known]), value]
            )
            found[name] = joined
    return dict(sorted(found.items()))


python("parse_url", "dynamic", ["text"], _parse_url)
alias("parse_url", "parseurl")
python(
    "parse_urlquery",
    "dynamic",
    ["text"],
    lambda text: {"Query Parameters": _query_parameters(text.lstrip("?"))},
)


def _parse_version(text: str) -> str | None:
    parts = text.strip().split(".")
    if not 1 <= len(parts) <= 4 or not all(part.isdigit() for part in parts):
        return None
    parts += ["0"] * (4 - len(parts))
    return "".join(part.rjust(8, "0") for part in parts).lstrip("0") or "0"


define("parse_version", "string", ["string"], _parse_version)


def _parse_path(text: str) -> Any:  # noqa: ANN401 - JSON
    scheme, rest = "", text
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", text)
    if found:
        scheme, rest = found.groups()
    rest, _, stream = (
        rest.partition(":") if re.match(r"[A-Za-z]:[\\/]", rest) is None else (rest, "", "")
    )
    drive = ""
    if re.match(r"[A-Za-z]:", rest):
        drive, tail = rest[:2], rest[2:]
        tail, _, stream = tail.partition(":")
        rest = drive + tail
    root = re.match(r"[A-Za-z]:[\\/]|[\\/]+", rest)
    cut = max(rest.rfind("/"), rest.rfind("\\"))
    directory, name = (rest[:cut], rest[cut + 1 :]) if cut >= 0 else ("", rest)
    extension = name.rsplit(".", 1)[1] if "." in name else ""
    return {
        "Scheme": scheme,
        "RootPath": root.group() if root and drive else "",
        "DirectoryPath": directory,
        "DirectoryName": re.split(r"[/\\]", directory)[-1] if directory else "",
        "Filename": name,
        "Extension": extension,
        "AlternateDataStreamName": stream,
    }


python("parse_path", "dynamic", ["text"], _parse_path)


@register("hash_combine", 2, 64)
def _hash_combine(call: Call) -> Typed:
    from emulator.engine.problems import UnsupportedProblem  # noqa: PLC0415 - one use

    raise UnsupportedProblem("the function 'hash_combine()'", call.at)


@register("estimate_data_size", 1, 64)
def _data_size(call: Call) -> Typed:
    sizes = {"bool": 1, "int": 4, "guid": 16, "decimal": 34}
    parts = []
    for value in call.arguments:
        if value.type == "string":
            parts.append(f"octet_length(encode({value.sql}))")
        elif value.type == "dynamic":
            parts.append(f"octet_length(encode({json_sql(value)}))")
        else:
            parts.append(str(sizes.get(value.type, 8)))
    return call.result(f"({' + '.join(parts)})::BIGINT", "long")
