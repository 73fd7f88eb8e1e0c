"""Keys, certificates, when they are renewed, and sets of certificates.

Keys are P-256, made with the `cryptography` library.
"""

import random
import re
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far in the past a certificate begins, for machines whose clocks run behind; at most a
twentieth of its lifetime."""
_RENEWAL_SHARE: Final = 2 / 3
_RENEWAL_SHARES: Final = (0.60, 0.73)
"""The range of a share with jitter, so that replicas do not renew at the same moment."""

_COMMON_NAME: Final = "SummaryRule webhook"
_NO_USE: Final = dict.fromkeys(
    (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    ),
    False,
)  # fmt: skip
_PEM_BLOCK = re.compile(
    rb"-----BEGIN CERTIFICATE-----\s*([A-Za-z0-9+/=\s]*?)-----END CERTIFICATE-----"
)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate chain (leaf first) and its private key, both PEM."""

    chain: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class ServiceName:
    """The Service in front of this webhook."""

    service: str
    namespace: str

    @property
    def dns_name(self) -> str:
        """The name that the API server verifies (apiserver v0.37, util/webhook/client.go)."""
        return f"{self.service}.{self.namespace}.svc"

    @property
    def dns_names(self) -> tuple[str, ...]:
        """Every DNS name that its certificate needs."""
        full = (self.dns_name, f"{self.dns_name}.cluster.local")
        return (*full, f"{self.service}.{self.namespace}", self.service)


def new_ca(now: datetime, lifetime: timedelta) -> KeyPair:
    """Make a self-signed CA that ends ``lifetime`` from now and signs leaves only."""
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"{_COMMON_NAME} CA {serial:x}"[:64])]
    )
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    builder = (
        _begin(name, name, key.public_key(), now=now, lifetime=lifetime)
        .serial_number(serial)
        .add_extension(constraints, critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    )
    return KeyPair(_pem(builder.sign(key, hashes.SHA256())), _key_pem(key))


def new_leaf(ca: KeyPair, names: tuple[str, ...], now: datetime, lifetime: timedelta) -> KeyPair:
    """Make a server certificate for the DNS ``names`` that ends no later than its ``ca``."""
    issuer = x509.load_pem_x509_certificate(ca.chain)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _COMMON_NAME)])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(_signing_key(ca).public_key())
    builder = (
        _begin(
            subject,
            issuer.subject,
            key.public_key(),
            now=now,
            lifetime=lifetime,
            latest=issuer.not_valid_after_utc,
        )
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectAlternativeName(list(map(x509.DNSName, names))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(usage, critical=False)
        .add_extension(key_id, critical=False)
    )
    return KeyPair(_pem(builder.sign(_signing_key(ca), hashes.SHA256())), _key_pem(key))


def placeholder(names: tuple[str, ...], now: datetime) -> KeyPair:
    """Make a leaf by a CA that nobody trusts, to answer probes before there is another."""
    day = timedelta(days=1)
    return new_leaf(new_ca(now, day), names, now, day)


def validity(chain: bytes) -> tuple[datetime, datetime]:
    """Return when the first certificate of a PEM chain begins and ends (both UTC).

    Raises:
        ValueError: when there is none.
    """
    certificate = x509.load_pem_x509_certificate(chain)
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def renewal(chain: bytes, *, with_jitter: bool = False) -> datetime:
    """Return when two thirds of a certificate's lifetime are over."""
    share = random.uniform(*_RENEWAL_SHARES) if with_jitter else _RENEWAL_SHARE  # noqa: S311 - jitter, not a secret
    begin, end = validity(chain)
    return begin + (end - begin) * share


def certificates(pem: bytes) -> dict[bytes, bytes]:
    """Return every certificate in a PEM text, DER to PEM, in order; other text is ignored."""
    found = {}
    for block in _PEM_BLOCK.finditer(pem):
        try:
            found[b64decode(block[1], validate=False)] = block[0] + b"\n"
        except ValueError:
            continue
    return found


def merge(parts: Iterable[bytes]) -> bytes:
    """Return one PEM text with every certificate of ``parts`` once."""
    merged = {}
    for part in parts:
        merged.update(certificates(part))
    return b"".join(merged.values())


def equal(one: bytes, other: bytes) -> bool:
    """Return whether two PEM texts hold the same certificates."""
    return certificates(one).keys() == certificates(other).keys()


def contains(bundle: bytes, part: bytes) -> bool:
    """Return whether ``bundle`` has every certificate of ``part``."""
    return certificates(part).keys() <= certificates(bundle).keys()


def _begin(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    *,
    now: datetime,
    lifetime: timedelta,
    latest: datetime | None = None,
) -> x509.CertificateBuilder:
    end = now + lifetime
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .not_valid_before(now - min(CLOCK_SKEW, lifetime / 20))
        .not_valid_after(min(end, latest or end))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*uses: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{**_NO_USE, **dict.fromkeys(uses, True)})


def _signing_key(ca: KeyPair) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(ca.key, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the CA's key is not an elliptic-curve key")
    return key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
