"""Load from keep-alive connections that count what fails, for drains and rotations."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.webhook.process import Client
from tests.webhook.reviews import as_go_writes, review, rule

GOOD = as_go_writes(review(rule()))
PATHS = ("/mutate", "/validate")


@dataclass
class Load:
    """What the connections have done so far."""

    answered: int = 0
    opened: int = 0
    failures: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def under_load(connect: Callable[[], Client], connections: int = 4) -> Iterator[Load]:
    """Ask without a pause from ``connections`` threads for as long as the block runs.

    ``connect`` gives a new connection, to whichever replica gets new connections now; a connection
    that the server asked to close is replaced, one that breaks counts as a failure.
    """
    load = Load()
    threads = [
        threading.Thread(target=_ask, args=(load, connect), daemon=True) for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stopping.set()
        for thread in threads:
            thread.join(10)


def _ask(load: Load, connect: Callable[[], Client]) -> None:
    client: Client | None = None
    while not load.stopping.is_set():
        try:
            if client is None:
                client = connect()
            for path in PATHS:
                assert client.post(path, GOOD)["allowed"]
        except (OSError, AssertionError) as error:
            client = None
            with load.lock:
                load.failures.append(repr(error))
            continue
        with load.lock:
            load.answered += len(PATHS)
            load.opened += client.headers.get("connection") == "close"
        if client.headers.get("connection") == "close":
            client = None
    if client is not None:
        client.close()
