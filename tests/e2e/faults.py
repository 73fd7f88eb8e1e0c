"""Sets the faults of the local Kusto endpoint for a test (see `emulator.faults`)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

Fault = dict[str, Any]


def fault(kind: str, **fields: Any) -> Fault:
    """Return one fault; the fields are those of PUT /faults."""
    return {"fault": kind, **fields}


class Faults:
    """The faults of one endpoint."""

    def __init__(self, endpoint: str) -> None:
        self._url = f"{endpoint}/faults"

    def set(self, *faults: Fault) -> None:
        """Replace all faults by `faults`."""
        self._send("PUT", json.dumps({"faults": faults, "seed": 6}).encode())

    def clear(self) -> None:
        """Remove all faults."""
        self._send("DELETE")

    def fired(self, kind: str, match: str) -> int:
        """Return how often a fault has been injected."""
        current = self._send("GET")["faults"]
        counts = {(each["fault"], each.get("match", "")): each["fired"] for each in current}
        return int(counts.get((kind, match), 0))

    def _send(self, method: str, body: bytes | None = None) -> Any:
        request = Request(self._url, data=body, method=method)  # noqa: S310 - http on loopback
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - likewise
            return json.load(answer)


@contextmanager
def faults_at(endpoint: str) -> Iterator[Faults]:
    """Yield the endpoint's faults; there are none before and after the block."""
    found = Faults(endpoint)
    found.clear()
    try:
        yield found
    finally:
        found.clear()
