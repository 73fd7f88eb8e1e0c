"""Sends rules to the API server all the while that something else happens, and counts answers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubernetes import client, config

PAUSE = 0.1
RULE: dict[str, Any] = {
    "apiVersion": "adx-mon.azure.com/v1",
    "kind": "SummaryRule",
    "metadata": {"generateName": "during-"},
    "spec": {
        "database": "Telemetry",
        "table": "RequestsHourly",
        "interval": "1h",
        "ingestionDelay": "",
        "body": "Requests | where Timestamp between (_startTime .. _endTime) | count",
    },
}


class Tally:
    """What came of the rules: `admitted` with defaults, or `refused` with the server's words."""

    def __init__(self, api: client.CustomObjectsApi) -> None:
        self.admitted = 0
        self.refused: list[str] = []
        self.over = threading.Event()
        self._api = api

    def fill(self) -> None:
        """Send dry runs until it is over."""
        while not self.over.wait(PAUSE):
            self._send()

    def _send(self) -> None:
        try:
            stored: Any = self._api.create_namespaced_custom_object(
                "adx-mon.azure.com", "v1", "default", "summaryrules", RULE, dry_run="All"
            )
        except client.ApiException as error:
            self.refused.append(str(error.body))
            return
        spec: Any = stored["spec"]
        if spec["ingestionDelay"] == "0s":
            self.admitted += 1
        else:
            self.refused.append("a rule was stored without its defaults")


@contextmanager
def steady_admission(kubeconfig: Path) -> Iterator[Tally]:
    """Send dry runs, some ten a second, for a `with` block."""
    connect: Any = config.new_client_from_config
    with connect(str(kubeconfig)) as connection:
        tally = Tally(client.CustomObjectsApi(connection))
        thread = threading.Thread(target=tally.fill)
        thread.start()
        try:
            yield tally
        finally:
            tally.over.set()
            thread.join()
