"""cert-manager's Certificate."""
# ruff: noqa: RUF012 - pydantic copies defaults; a rule a line

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from crdgen import AtomicList, Column, Int32, Int64, ListMap, resource
from tests.crdgen.models import Model

Names = Annotated[list[str], AtomicList()]
Usage = Literal[
    "signing", "digital signature", "content commitment", "key encipherment", "key agreement",
    "data encipherment", "cert sign", "crl sign", "encipher only", "decipher only", "any",
    "server auth", "client auth", "code signing", "email protection", "s/mime",
    "ipsec end system", "ipsec tunnel", "ipsec user", "timestamping", "ocsp signing",
    "microsoft sgc", "netscape sgc",
]  # fmt: skip
Signature = Literal[
    "SHA256WithRSA", "SHA384WithRSA", "SHA512WithRSA", "ECDSAWithSHA256", "ECDSAWithSHA384",
    "ECDSAWithSHA512", "PureEd25519",
]  # fmt: skip
Text = Annotated[str, StringConstraints(min_length=1)]


class SecretKey(Model):
    name: str
    key: str | None = None


class IssuerRef(Model):
    name: str
    kind: str | None = None
    group: str | None = None


class OutputFormat(Model):
    type: Literal["DER", "CombinedPEM"]


class Keystore(Model):
    create: bool
    password: str | None = None
    password_secret_ref: SecretKey | None = None


class Jks(Keystore):
    alias: str | None = None


class Pkcs12(Keystore):
    profile: Literal["LegacyRC2", "LegacyDES", "Modern2023", "Modern2026"] | None = None


class Keystores(Model):
    jks: Jks | None = None
    pkcs12: Pkcs12 | None = None


class Names4(Model):
    """Names of four kinds that a CA may or may not sign."""

    dns_domains: Names = []
    ip_ranges: Names = []
    email_addresses: Names = []
    uri_domains: Names = []


class NameConstraints(Model):
    critical: bool | None = None
    permitted: Names4 | None = None
    excluded: Names4 | None = None


class OtherName(Model):
    oid: str | None = None
    utf8_value: str | None = Field(default=None, alias="utf8Value")


class PrivateKey(Model):
    rotation_policy: Literal["Never", "Always"] | None = None
    encoding: Literal["PKCS1", "PKCS8"] | None = None
    algorithm: Literal["RSA", "ECDSA", "Ed25519"] | None = None
    size: int | None = None


class RenewalWindow(Model):
    cron: Text
    window_duration: Annotated[str, StringConstraints(pattern=r"^([0-9]+(\.[0-9]+)?(s|m|h))+$")]
    timezone: Text | None = None


class Renewal(Model):
    policy: Literal["RenewBefore", "Disabled"] | None = None
    windows: Annotated[list[RenewalWindow], AtomicList()] = []


class SecretTemplate(Model):
    annotations: dict[str, str] = {}
    labels: dict[str, str] = {}


class Subject(Model):
    organizations: Names = []
    countries: Names = []
    organizational_units: Names = []
    localities: Names = []
    provinces: Names = []
    street_addresses: Names = []
    postal_codes: Names = []
    serial_number: str | None = None


class CertificateSpec(Model):
    """What the certificate should say and where it is kept."""

    secret_name: str
    issuer_ref: IssuerRef
    subject: Subject | None = None
    literal_subject: str | None = None
    common_name: str | None = None
    duration: str | None = None
    renewal: Renewal | None = None
    renew_before: str | None = None
    renew_before_percentage: Int32 | None = None
    dns_names: Names = []
    ip_addresses: Names = []
    uris: Names = []
    other_names: Annotated[list[OtherName], AtomicList()] = []
    email_addresses: Names = []
    secret_template: SecretTemplate | None = None
    keystores: Keystores | None = None
    is_ca: bool | None = Field(default=None, alias="isCA")
    usages: Annotated[list[Usage], AtomicList()] = []
    private_key: PrivateKey | None = None
    signature_algorithm: Signature | None = None
    encode_usages_in_request: bool | None = None
    revision_history_limit: Int32 | None = None
    additional_output_formats: Annotated[list[OutputFormat], AtomicList()] = []
    name_constraints: NameConstraints | None = None


class Condition(Model):
    type: str
    status: Literal["True", "False", "Unknown"]
    last_transition_time: datetime | None = None
    reason: str | None = None
    message: str | None = None
    observed_generation: Int64 | None = None


class Window(Model):
    start: datetime
    end: datetime


class Ari(Model):
    explanation_url: str | None = Field(default=None, alias="explanationURL")
    last_checked: datetime | None = None
    last_error: str | None = None
    next_check: datetime | None = None
    suggested_window: Window | None = None


class Acme(Model):
    ari: Ari | None = None


class CertificateStatus(Model):
    """What was issued."""

    acme: Acme | None = None
    conditions: Annotated[list[Condition], ListMap("type")] = []
    last_failure_time: datetime | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    renewal_time: datetime | None = None
    revision: int | None = None
    next_private_key_secret_name: str | None = None
    failed_issuance_attempts: int | None = None


READY = '.status.conditions[?(@.type == "Ready")]'


class Certificate(Model):
    """A key pair and certificate, kept current in a Secret."""

    model_config = ConfigDict(
        json_schema_extra=resource(
            group="cert-manager.io",
            version="v1",
            short_names=["cert", "certs"],
            categories=["cert-manager"],
            status=True,
            selectable=[f".spec.issuerRef.{name}" for name in ("group", "kind", "name")],
            columns=[
                Column("Ready", f"{READY}.status"),
                Column("Secret", ".spec.secretName"),
                Column("Issuer", ".spec.issuerRef.name", priority=1),
                Column("Status", f"{READY}.message", priority=1),
                Column("Expiration", ".status.notAfter", priority=1),
                Column("Age", ".metadata.creationTimestamp", type="date"),
            ],
        )
    )
    spec: CertificateSpec | None = None
    status: CertificateStatus | None = None
