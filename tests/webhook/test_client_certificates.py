"""Mutual TLS: with ``--client-ca`` only the API server may ask, and probes still may."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from tests.webhook.load import GOOD
from tests.webhook.process import JSON_TYPE, Client, Webhook, webhook, write_pair
from webhook.certificates.pki import KeyPair, new_ca
from webhook.certificates.tls import load_pair

DAY = timedelta(days=1)


def client_pair(authority: KeyPair, name: str) -> KeyPair:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    signer = load_pem_private_key(authority.key, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.load_pem_x509_certificate(authority.chain).subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .sign(signer, hashes.SHA256())
    )
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return KeyPair(certificate.public_bytes(Encoding.PEM), text)


@pytest.fixture(scope="module")
def client_ca() -> KeyPair:
    return new_ca(datetime.now(UTC), DAY)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, client_ca: KeyPair) -> Iterator[Webhook]:
    folder = tmp_path_factory.mktemp("served")
    authority = write_pair(folder / "certs")
    (folder / "clients.crt").write_bytes(client_ca.chain)
    arguments = ("--certificates", "files", "--cert-dir", str(folder / "certs"))
    mutual = ("--client-ca", str(folder / "clients.crt"), "--client-name", "kube-apiserver")
    with webhook(folder, *arguments, *mutual, bundle=authority.chain.decode) as running:
        yield running


def client_as(served: Webhook, pair: KeyPair | None) -> Client:
    context = ssl.create_default_context(cadata=served.bundle())
    if pair is not None:
        load_pair(context, pair)
    return Client(served.port, context)


def test_the_api_server_may_ask(served: Webhook, client_ca: KeyPair) -> None:
    with client_as(served, client_pair(client_ca, "kube-apiserver")) as client:
        assert client.post("/mutate", GOOD)["allowed"]
        assert client.post("/validate", GOOD)["allowed"]


@pytest.mark.parametrize("who", [None, "mallory"])
def test_nobody_else_may(served: Webhook, client_ca: KeyPair, who: str | None) -> None:
    with client_as(served, client_pair(client_ca, who) if who else None) as client:
        assert client.ask("POST", "/validate", GOOD, JSON_TYPE)[0] == 403
        assert client.ask("GET", "/healthz")[0] == 200


def test_a_certificate_of_another_ca_gets_no_connection(served: Webhook) -> None:
    stranger = new_ca(datetime.now(UTC), DAY)
    with (
        client_as(served, client_pair(stranger, "kube-apiserver")) as client,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        client.post("/validate", GOOD)
