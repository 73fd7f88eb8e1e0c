"""Sets the local endpoint's faults for a test and ends them after it (`emulator.faults`)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

Fault = dict[str, Any]


def fault(kind: str, **fields: Any) -> Fault:
    """One fault, its fields named as PUT /faults names them."""
    return {"fault": kind, **fields}


class Faults:
    """What is set at one endpoint."""

    def __init__(self, endpoint: str) -> None:
        self._url = f"{endpoint}/faults"

    def set(self, *faults: Fault) -> None:
        """Put these in the place of what was set."""
        self._ask("PUT", json.dumps({"faults": faults, "seed": 6}).encode())

    def clear(self) -> None:
        """End all faults."""
        self._ask("DELETE")

    def fired(self, kind: str, match: str) -> int:
        """How often a fault has struck."""
        shown = self._ask("GET")["faults"]
        counts = {(each["fault"], each.get("match", "")): each["fired"] for each in shown}
        return int(counts.get((kind, match), 0))

    def _ask(self, method: str, body: bytes | None = None) -> Any:
        request = Request(self._url, data=body, method=method)  # noqa: S310 - http on loopback
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - likewise
            return json.load(answer)


@contextmanager
def faults_at(endpoint: str) -> Iterator[Faults]:
    """The endpoint's faults, none before the block and none after it."""
    found = Faults(endpoint)
    found.clear()
    try:
        yield found
    finally:
        found.clear()
