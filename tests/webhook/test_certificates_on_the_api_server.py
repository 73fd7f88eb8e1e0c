"""One contract for what the certificate loop asks of an API server: the real one and ours."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runtime.errors import Conflict, NotFound, Unreachable
from runtime.kube.client import KubeClient
from runtime.kube.config import connected
from tests.webhook.apiserver import MUTATING, NAME, VALIDATING, World, kubeconfig, serving
from webhook.certificates.ca_bundle import WebhookConfigurations
from webhook.certificates.ca_secret import CASecret, CAState
from webhook.certificates.lifetimes import Lifetimes
from webhook.certificates.pki import ServiceName, equal, new_ca
from webhook.certificates.self_signed import SelfSignedCertificates
from webhook.certificates.tls import ReloadableTLSContext
from webhook.errors import UnusableCertificateError
from webhook.metrics import Metrics
from webhook.probes import ReadinessGates

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
NAMESPACE = "summaryrule-system"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
SERVICE = ServiceName("summaryrule-operator-webhook", NAMESPACE)
ENTRY = {
    "name": "test.summaryrules.adx-mon.azure.com",
    "clientConfig": {"service": {"name": SERVICE.service, "namespace": NAMESPACE}},
    "admissionReviewVersions": ["v1"],
    "sideEffects": "None",
    "rules": [],
}


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    with serving(World()) as port:
        yield kubeconfig(tmp_path / "kubeconfig", port)


@pytest.fixture
def real(api_server: Path) -> Path:
    return api_server


@pytest.fixture(
    params=["in_memory", pytest.param("real", marks=pytest.mark.xdist_group("api_server"))]
)
async def client(request: pytest.FixtureRequest) -> AsyncIterator[KubeClient]:
    path: Path = request.getfixturevalue(request.param)
    async with connected({"KUBECONFIG": str(path)}, user_agent="test") as connection:
        to_it = KubeClient(connection)
        if request.param == "real":
            await _empty_namespace(to_it)
        yield to_it


async def _empty_namespace(client: KubeClient) -> None:
    names = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    try:
        await client.request("POST", "/api/v1/namespaces", body=names)
    except Conflict:
        return


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses on the shared API server."""
    text = f"{request.node.name}".lower().replace("_", "-")
    return "".join(c if c.isalnum() or c == "-" else "-" for c in text)[-50:].strip("-")


async def configure(client: KubeClient, name: str) -> WebhookConfigurations:
    for path, kind in ((MUTATING, "Mutating"), (VALIDATING, "Validating")):
        await client.request(
            "POST",
            path,
            body={
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": f"{kind}WebhookConfiguration",
                "metadata": {"name": name},
                "webhooks": [ENTRY],
            },
        )
    return WebhookConfigurations(client, name)


def certificates_on(
    client: KubeClient, secret: CASecret, configurations: WebhookConfigurations
) -> SelfSignedCertificates:
    return SelfSignedCertificates(
        secret=secret,
        configurations=configurations,
        tls=ReloadableTLSContext(new_ca(NOW, DAY)),
        name=SERVICE,
        lifetimes=Lifetimes(leaf=DAY * 30, ca=DAY * 10, overlap=timedelta(seconds=0)),
        gates=ReadinessGates({"certificate": "not yet"}),
        metrics=Metrics(),
    )


async def test_what_is_not_there_is_not_found(client: KubeClient) -> None:
    with pytest.raises(NotFound):
        await client.request("GET", f"{SECRETS}/no-such-secret")


async def test_a_secret_is_written_by_compare_and_swap(client: KubeClient, name: str) -> None:
    secret = CASecret(client, NAMESPACE, name)
    nothing = await secret.read()
    assert nothing.state is None
    first, second = (CAState(new_ca(NOW, DAY)) for _ in range(2))
    await secret.write(nothing, first)
    with pytest.raises(Conflict):
        await secret.write(nothing, second)
    stored = await secret.read()
    assert stored.state == first
    following = CAState(
        current=second.current,
        next=first.current,
        published_at=NOW,
        previous=first.current.chain,
        promoted_at=NOW,
    )
    await secret.write(stored, following)
    with pytest.raises(Conflict):
        await secret.write(stored, first)
    assert (await secret.read()).state == following


async def test_a_bundle_is_patched_on_the_version_that_was_read(
    client: KubeClient, name: str
) -> None:
    configurations = await configure(client, name)
    found = await configurations.read()
    assert [each.bundles for each in found] == [(b"",), (b"",)]
    bundle = new_ca(NOW, DAY).chain
    live = await configurations.inject(found, lambda _old: bundle)
    assert [each.bundles for each in live] == [(bundle,), (bundle,)]
    assert await configurations.read() == live
    assert await configurations.inject(live, lambda old: old) == live
    with pytest.raises(Conflict):
        await configurations.inject(found, lambda _old: bundle + bundle)
    assert await configurations.read() == live


async def test_a_watch_begins_with_what_is_there_and_tells_of_a_change(
    client: KubeClient, name: str
) -> None:
    configurations = await configure(client, name)
    path, selected = configurations.watched[0]
    query = {"watch": "1", "fieldSelector": f"metadata.name={selected}"}
    async with asyncio.timeout(20), client.stream(path, query, silence=20.0) as changes:
        await anext(changes)
        bundle = new_ca(NOW, DAY).chain
        await configurations.inject(await configurations.read(), lambda _old: bundle)
        await anext(changes)


async def test_replicas_agree_and_a_ca_rotates_in_step(client: KubeClient, name: str) -> None:
    secret, configurations = CASecret(client, NAMESPACE, name), await configure(client, name)
    one, other = (certificates_on(client, secret, configurations) for _ in range(2))
    week_ago = NOW - DAY * 7
    await one.run_once(week_ago)
    await other.run_once(week_ago)
    assert one.gates.is_ready
    assert other.gates.is_ready
    before = (await secret.read()).state
    assert before is not None

    await other.run_once(NOW)  # past two thirds: the next CA is published
    published = (await secret.read()).state
    assert published is not None
    assert (published.current, published.next is not None) == (before.current, True)
    assert one.gates.is_ready

    await one.run_once(NOW)  # and, the overlap being over, promoted
    promoted = (await secret.read()).state
    assert promoted is not None
    assert promoted.current == published.next
    live = await configurations.read()
    assert all(equal(each, promoted.bundle) for found in live for each in found.bundles)
    assert (await other.run_once(NOW)) > NOW
    assert one.gates.is_ready
    assert other.gates.is_ready


async def test_an_address_where_nothing_listens_is_unreachable(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "kubeconfig", 1)
    async with connected({"KUBECONFIG": str(path)}, user_agent="test") as connection:
        with pytest.raises(Unreachable, match="cannot reach the API server"):
            await KubeClient(connection).request("GET", "/api")


async def test_garbage_in_the_secret_is_named(client: KubeClient, name: str) -> None:
    body = {"metadata": {"name": name, "namespace": NAMESPACE}, "data": {"ca.crt": "bWluZQ=="}}
    await client.request("POST", SECRETS, body={"apiVersion": "v1", "kind": "Secret", **body})
    with pytest.raises(UnusableCertificateError, match="remove all keys from its data"):
        await CASecret(client, NAMESPACE, name).read()


def test_both_configurations_have_the_charts_one_name() -> None:
    assert NAME == "summaryrule-operator"
