"""The stack's own certificate authority, made anew for every stack.

All keys are P-256: a dozen of them take a few milliseconds.
"""

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=365)
CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """A CA in `directory` (`ca.crt`); what it signs is valid from `now` - 1 h for a year."""

    def __init__(self, directory: Path, now: datetime) -> None:
        self._directory = directory
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("summaryrule-devstack")
        self.certificate = directory / "ca.crt"
        certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def client(self, name: str, user: str, groups: Sequence[str] = ()) -> Pair:
        """Sign a client pair; the API server reads CN as the user and O as the groups."""
        return self._sign(name, _name(user, groups), [ExtendedKeyUsageOID.CLIENT_AUTH], [])

    def server(self, name: str, hosts: Sequence[str], *, is_client: bool = False) -> Pair:
        """Sign a serving pair for DNS names and IP addresses; `is_client` allows both uses."""
        alternatives = [_alternative(host) for host in hosts]
        usages = [ExtendedKeyUsageOID.SERVER_AUTH]
        usages += [ExtendedKeyUsageOID.CLIENT_AUTH] if is_client else []
        return self._sign(name, _name(name), usages, alternatives)

    def _sign(
        self,
        name: str,
        subject: x509.Name,
        usages: Sequence[x509.ObjectIdentifier],
        alternatives: Sequence[x509.GeneralName],
    ) -> Pair:
        key = write_key(self._directory / f"{name}.key")
        builder = self._builder(subject, key.public_key()).add_extension(
            x509.ExtendedKeyUsage(usages), critical=False
        )
        if alternatives:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(alternatives), critical=False
            )
        pair = Pair(self._directory / f"{name}.crt", self._directory / f"{name}.key")
        certificate = builder.sign(self._key, hashes.SHA256())
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return pair

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - CLOCK_SKEW)
            .not_valid_after(self._now + LIFETIME)
        )


def client_tls_context(ca: Path, pair: Pair | None = None) -> ssl.SSLContext:
    """Return a TLS context that trusts `ca` only and presents `pair`."""
    context = ssl.create_default_context(cafile=ca)
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


def write_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Make a private key and write it with mode 0600."""
    key = ec.generate_private_key(ec.SECP256R1())
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return key


def write_public_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write the public key of `key`."""
    path.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def _name(user: str, groups: Sequence[str] = ()) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
