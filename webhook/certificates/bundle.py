"""A caBundle as a set: PEM text in, certificates compared whatever their order and spacing."""

import re
from base64 import b64decode
from collections.abc import Iterable

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----\s*([A-Za-z0-9+/=\s]*?)-----END CERTIFICATE-----")


def certificates(pem: bytes) -> dict[bytes, bytes]:
    """Every certificate in a PEM text: DER to PEM, in order, once each. Other text is ignored."""
    found = {}
    for block in _BLOCK.finditer(pem):
        try:
            found[b64decode(block[1], validate=False)] = block[0] + b"\n"
        except ValueError:
            continue
    return found


def joined(parts: Iterable[bytes]) -> bytes:
    """One PEM text with every certificate of ``parts``, each once."""
    together = {}
    for part in parts:
        together.update(certificates(part))
    return b"".join(together.values())


def is_same(one: bytes, other: bytes) -> bool:
    """Whether two PEM texts hold the same certificates."""
    return certificates(one).keys() == certificates(other).keys()


def holds(bundle: bytes, part: bytes) -> bool:
    """Whether ``bundle`` has every certificate of ``part``."""
    return certificates(part).keys() <= certificates(bundle).keys()
