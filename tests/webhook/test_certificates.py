"""The certificate loop as real processes: shared CA, caBundle, readiness, rotation under load."""

import base64
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path

import pytest

from tests.webhook.apiserver import (
    MUTATING,
    NAME,
    SECRET,
    VALIDATING,
    World,
    kubeconfig,
    serving,
)
from tests.webhook.load import GOOD, under_load
from tests.webhook.process import Client, Webhook, is_ready, sample, wait_until, webhook, write_pair

HASTE = ("--leaf-lifetime", "2s", "--ca-lifetime", "6s", "--ca-overlap", "1s")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def cluster(world: World, tmp_path: Path) -> Iterator[Path]:
    with serving(world) as port:
        yield kubeconfig(tmp_path / "kubeconfig", port)


def live_bundle(world: World) -> str:
    """What the API server trusts: the caBundle of the configuration that is patched last."""
    return base64.b64decode(world.bundles()[-1]).decode()


@contextmanager
def replica(tmp_path: Path, cluster: Path, world: World, *arguments: str) -> Iterator[Webhook]:
    bundle: Callable[[], str] = lambda: live_bundle(world)  # noqa: E731 - a closure with a type
    with webhook(tmp_path, *arguments, bundle=bundle, KUBECONFIG=str(cluster)) as running:
        yield running


def test_a_replica_is_ready_once_both_configurations_trust_it(
    world: World, cluster: Path, tmp_path: Path
) -> None:
    with replica(tmp_path, cluster, world) as running:
        assert running.probe("/healthz") == (200, "ok")
        wait_until(lambda: world.get(SECRET) is not None)
        wait_until(lambda: "mutatingwebhookconfiguration" in running.probe("/readyz")[1])
        world.add_configurations()
        wait_until(lambda: is_ready(running))
        with running.client() as client:
            assert client.post("/validate", GOOD)["allowed"]


def test_an_empty_secret_that_the_chart_made_is_filled(
    world: World, cluster: Path, tmp_path: Path
) -> None:
    world.add_configurations()
    world.put(SECRET, {"metadata": {"name": "s", "labels": {"kept": "yes"}}, "type": "Opaque"})
    with replica(tmp_path, cluster, world) as running:
        wait_until(lambda: is_ready(running))
    secret = world.get(SECRET)
    assert secret is not None
    assert sorted(secret["data"]) == ["ca.crt", "ca.key"]
    assert secret["metadata"]["labels"] == {"kept": "yes"}


def test_replicas_that_start_together_share_one_ca(
    world: World, cluster: Path, tmp_path: Path
) -> None:
    world.add_configurations()
    with ExitStack() as stack:
        replicas = [stack.enter_context(replica(tmp_path, cluster, world)) for _ in range(3)]
        wait_until(lambda: all(map(is_ready, replicas)))
        assert live_bundle(world).count("BEGIN CERTIFICATE") == 1
        for each in replicas:
            with each.client() as client:
                assert client.post("/mutate", GOOD)["allowed"]


def test_a_wiped_bundle_and_a_deleted_secret_are_put_back(
    world: World, cluster: Path, tmp_path: Path
) -> None:
    world.add_configurations()
    with replica(tmp_path, cluster, world) as running:
        wait_until(lambda: is_ready(running))
        before = live_bundle(world)
        world.add_configurations()
        wait_until(lambda: all(world.bundles()))
        assert live_bundle(world) == before
        world.delete(SECRET)
        wait_until(lambda: world.get(SECRET) is not None)
        assert live_bundle(world) == before
        wait_until(lambda: is_ready(running))


def test_a_ready_replica_stays_ready_while_the_api_server_is_away(
    world: World, cluster: Path, tmp_path: Path
) -> None:
    world.add_configurations()
    with replica(tmp_path, cluster, world) as running:
        wait_until(lambda: is_ready(running))
        with world.changed:
            world.is_away = True
            world.changed.notify_all()
        world.add_configurations()
        metric = "summaryrule_webhook_certificate_failures_total"
        wait_until(lambda: sample(running.probe("/metrics")[1], metric) >= 1)
        assert is_ready(running)
        world.is_away = False
        wait_until(lambda: all(world.bundles()), 40)


def test_garbage_in_the_secret_is_said_and_not_overwritten(
    world: World, cluster: Path, tmp_path: Path
) -> None:
    world.add_configurations()
    data = {"ca.crt": base64.b64encode(b"mine").decode()}
    world.put(SECRET, {"metadata": {"name": "s"}, "data": data})
    with replica(tmp_path, cluster, world) as running:
        wait_until(lambda: "holds no CA of this webhook" in running.probe("/readyz")[1])
    secret = world.get(SECRET)
    assert secret is not None
    assert secret["data"] == data


def test_leaf_and_ca_rotate_under_load_on_two_replicas_and_no_request_fails(
    world: World, cluster: Path, tmp_path: Path
) -> None:
    """Every connection trusts only what is live in the configurations when it opens.

    `make e2e-rotation` does the same for minutes on a real API server.
    """
    world.add_configurations()
    with ExitStack() as stack:
        replicas = [
            stack.enter_context(replica(tmp_path, cluster, world, *HASTE)) for _ in range(2)
        ]
        wait_until(lambda: all(map(is_ready, replicas)))
        first = live_bundle(world)
        turns = cycle(replicas)
        fresh = under_load(lambda: Once(lambda: next(turns).client()), 2)
        kept = under_load(lambda: next(turns).client(), 2)
        with fresh as opening, kept as keeping:
            wait_until(lambda: not _share(first, live_bundle(world)), 60)
            wait_until(lambda: opening.answered > 200, 60)
        assert opening.failures + keeping.failures == []
        swaps = "summaryrule_webhook_certificate_swaps_total"
        assert all(sample(each.probe("/metrics")[1], swaps) >= 3 for each in replicas)
        assert all(is_ready(each) for each in replicas)


class Once(Client):
    """Opens a connection for every request, trusting what is live in that moment."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        super().__init__(0, ssl.create_default_context())
        self.connect = connect

    def post(self, path: str, body: bytes) -> dict[str, object]:
        with self.connect() as client:
            return client.post(path, body)


def _share(one: str, other: str) -> bool:
    blocks = [set(text.split("-----BEGIN CERTIFICATE-----")[1:]) for text in (one, other)]
    return bool(blocks[0] & blocks[1])


class TestFiles:
    """Mode ``files``: what is mounted is served, and what is mounted next, too."""

    def test_a_new_pair_by_a_new_ca_is_published_then_served(
        self, world: World, cluster: Path, tmp_path: Path
    ) -> None:
        world.add_configurations()
        old = write_pair(tmp_path / "certs").chain.decode()
        arguments = ("--certificates", "files", "--cert-dir", str(tmp_path / "certs"))
        with replica(tmp_path, cluster, world, *arguments) as running:
            wait_until(lambda: is_ready(running))
            assert live_bundle(world).strip() == old.strip()
            with under_load(lambda: Once(running.client), 2) as load:
                new = write_pair(tmp_path / "certs").chain.decode()
                wait_until(lambda: _trusts(running, new))
            assert load.failures == []
            assert _share(live_bundle(world), old)
            assert is_ready(running)

    def test_a_pair_that_does_not_fit_is_not_served(
        self, world: World, cluster: Path, tmp_path: Path
    ) -> None:
        world.add_configurations()
        authority = write_pair(tmp_path / "certs").chain.decode()
        arguments = ("--certificates", "files", "--cert-dir", str(tmp_path / "certs"))
        with replica(tmp_path, cluster, world, *arguments) as running:
            wait_until(lambda: is_ready(running))
            other = write_pair(tmp_path / "other")
            (tmp_path / "certs" / "tls.key").write_bytes(other.key)
            metric = "summaryrule_webhook_certificate_failures_total"
            wait_until(lambda: sample(running.probe("/metrics")[1], metric) >= 1)
            assert _trusts(running, authority)

    def test_without_a_ca_the_configurations_are_left_alone(
        self, world: World, cluster: Path, tmp_path: Path
    ) -> None:
        world.add_configurations()
        authority = write_pair(tmp_path / "certs").chain
        (tmp_path / "certs" / "ca.crt").unlink()
        arguments = ("--certificates", "files", "--cert-dir", str(tmp_path / "certs"))
        with replica(tmp_path, cluster, world, *arguments) as running:
            wait_until(lambda: is_ready(running))
            assert world.bundles() == ["", ""]
            _inject(world, b"not a bundle")
            wait_until(lambda: not is_ready(running))
            _inject(world, authority)
            wait_until(lambda: is_ready(running))


def _inject(world: World, bundle: bytes) -> None:
    """Do as cert-manager's cainjector does."""
    for path in (MUTATING, VALIDATING):
        found = world.get(f"{path}/{NAME}")
        assert found is not None
        found["webhooks"][0]["clientConfig"]["caBundle"] = base64.b64encode(bundle).decode()
        world.put(f"{path}/{NAME}", found)


def _trusts(running: Webhook, authority: str) -> bool:
    """Whether the certificate served now is one that ``authority`` signed."""
    with Client(running.port, ssl.create_default_context(cadata=authority)) as client:
        try:
            return client.ask("GET", "/healthz")[0] == 200
        except ssl.SSLError:
            return False
