"""SIGTERM: a rolling restart loses no request."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from tests.webhook.load import GOOD, under_load
from tests.webhook.process import Client, Webhook, is_ready, wait_until, webhook, write_pair


@contextmanager
def replica(folder: Path, bundle: str, drain: str) -> Iterator[Webhook]:
    arguments = ("--certificates", "files", "--cert-dir", str(folder / "certs"), "--drain", drain)
    with webhook(folder, *arguments, bundle=lambda: bundle) as running:
        wait_until(lambda: is_ready(running))
        yield running


def is_leaving(running: Webhook) -> bool:
    return not is_ready(running)


class Service:
    """Sends each new connection to the newest endpoint, which it learns of late."""

    def __init__(self, first: Webhook) -> None:
        self.endpoint = first

    def connect(self) -> Client:
        return self.endpoint.client()


def test_a_rolling_restart_of_two_replicas_under_load_loses_no_request(tmp_path: Path) -> None:
    bundle = write_pair(tmp_path / "certs").chain.decode()
    with ExitStack() as stack:
        old = [stack.enter_context(replica(tmp_path, bundle, "1s")) for _ in range(2)]
        service = Service(old[0])
        new = [stack.enter_context(replica(tmp_path, bundle, "1s")) for _ in range(2)]
        with under_load(service.connect, 2) as load:
            wait_until(lambda: load.answered > 200)
            for leaving, coming in zip(old, new, strict=True):
                ending = threading.Thread(target=leaving.stop)
                ending.start()
                wait_until(partial(is_leaving, leaving))
                service.endpoint = coming  # endpoints spread only after the pod began to stop
                ending.join()
            after = load.answered
            wait_until(lambda: load.answered > after + 200)
        assert load.failures == []
        assert [each.process.returncode for each in old] == [0, 0]


def test_while_draining_it_is_not_ready_answers_and_asks_to_close(tmp_path: Path) -> None:
    bundle = write_pair(tmp_path / "certs").chain.decode()
    with replica(tmp_path, bundle, "2s") as running, running.client() as client:
        assert client.post("/validate", GOOD)["allowed"]
        assert client.headers.get("connection") != "close"
        began = time.monotonic()
        running.process.terminate()
        wait_until(lambda: not is_ready(running))
        assert "stopping" in running.probe("/readyz")[1]
        assert running.probe("/healthz") == (200, "ok")
        assert client.post("/validate", GOOD)["allowed"]
        assert client.headers["connection"] == "close"
        assert running.process.wait(5) == 0
        assert 2 <= time.monotonic() - began < 4


def test_a_second_signal_ends_the_drain(tmp_path: Path) -> None:
    bundle = write_pair(tmp_path / "certs").chain.decode()
    with replica(tmp_path, bundle, "60s") as running:
        running.process.terminate()
        wait_until(lambda: not is_ready(running))
        running.process.terminate()
        assert running.process.wait(3) == 0
