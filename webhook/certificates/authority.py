"""Keys and certificates of mode ``self``: P-256, made with the `cryptography` library.

Called by `rotation` for authorities and by `keeper` for leaves. The time is always handed in.
"""

from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from webhook.certificates.context import Pair

SKEW: Final = timedelta(minutes=5)
"""How far in the past a certificate begins, for machines whose clocks run behind; no more than a
twentieth of its life, so that two thirds of that are still ahead."""
_COMMON_NAME: Final = "SummaryRule webhook"
_NO_USE: Final = dict.fromkeys(
    (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    ),
    False,
)  # fmt: skip


def new_authority(now: datetime, lifetime: timedelta) -> Pair:
    """A self-signed CA that ends ``lifetime`` from now and signs leaves only."""
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
    return Pair(_pem(builder.sign(key, hashes.SHA256())), _key_pem(key))


def new_leaf(authority: Pair, names: tuple[str, ...], now: datetime, lifetime: timedelta) -> Pair:
    """A server certificate for the DNS ``names``, never longer-lived than the ``authority``."""
    issuer = x509.load_pem_x509_certificate(authority.chain)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _COMMON_NAME)])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(
        _signing_key(authority).public_key()
    )
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
        .add_extension(signer, critical=False)
    )
    return Pair(_pem(builder.sign(_signing_key(authority), hashes.SHA256())), _key_pem(key))


def stopgap(names: tuple[str, ...], now: datetime) -> Pair:
    """A leaf that nobody trusts, to answer probes with until there is a better one."""
    day = timedelta(days=1)
    return new_leaf(new_authority(now, day), names, now, day)


def validity(chain: bytes) -> tuple[datetime, datetime]:
    """When the first certificate of a PEM chain begins and ends (both UTC).

    Raises:
        ValueError: when there is none.
    """
    certificate = x509.load_pem_x509_certificate(chain)
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


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
        .not_valid_before(now - min(SKEW, lifetime / 20))
        .not_valid_after(min(end, latest or end))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*uses: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{**_NO_USE, **dict.fromkeys(uses, True)})


def _signing_key(authority: Pair) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(authority.key, None)
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
