"""Starts the endpoint as people do and talks to it with the official client."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
from azure.kusto.data import KustoClient

Row = dict[str, Any]
QUERY_TIMEOUT = 30.0


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for `holds`, at most QUERY_TIMEOUT seconds."""
    deadline = time.monotonic() + QUERY_TIMEOUT
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.01)


class Process:
    """One `python -m emulator`; `data` None keeps it in memory."""

    def __init__(self, data: Path | None, port_file: Path) -> None:
        arguments = [] if data is None else ["--data", str(data)]
        port_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "emulator", "--port", "0", "--port-file", str(port_file)]
        self.popen = subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL)
        until(lambda: port_file.exists() or self.popen.poll() is not None, "no port was written")
        self.url = f"http://127.0.0.1:{port_file.read_text().strip()}"
        until(self.is_healthy, "the endpoint is not healthy")

    def is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        self.popen.terminate()
        return self.popen.wait(QUERY_TIMEOUT)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait(QUERY_TIMEOUT)


@dataclass
class Kusto:
    """One database of one endpoint, through the official synchronous client."""

    url: str
    database: str
    client: KustoClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = KustoClient(self.url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()  # type: ignore[no-untyped-call]

    def mgmt(self, command: str) -> list[Row]:
        results = self.client.execute_mgmt(self.database, command).primary_results
        return [row.to_dict() for row in results[0]]

    def query(self, text: str) -> list[Row]:
        results = self.client.execute_query(self.database, text).primary_results
        return [row.to_dict() for row in results[0]]

    def submit(self, command: str) -> str:
        """The operation id of an async command."""
        return str(self.mgmt(command)[0]["OperationId"])

    def operation(self, operation_id: str) -> Row:
        return self.mgmt(f".show operations ({operation_id})")[0]

    def settled(self, operation_id: str) -> Row:
        """The operation once it is no longer in progress."""
        until(lambda: self.operation(operation_id)["State"] != "InProgress", operation_id)
        return self.operation(operation_id)

    def count(self, table: str) -> int:
        return int(self.query(f"['{table}'] | count")[0]["Count"])

    def faults(self, *faults: dict[str, Any], seed: int = 0) -> None:
        body = {"seed": seed, "faults": [{"database": self.database, **fault} for fault in faults]}
        response = httpx.put(f"{self.url}/faults", content=json.dumps(body))
        assert response.status_code == 200, response.text


def append(table: str, query: str, *, ingest_by: str = "", background: bool = True) -> str:
    """A command as the worker writes it."""
    given = ["extend_schema=true"]
    if ingest_by:
        given += [f"tags='[\"ingest-by:{ingest_by}\"]'", f"ingestIfNotExists='[\"{ingest_by}\"]'"]
    verb = ".set-or-append async" if background else ".set-or-append"
    return f"{verb} ['{table}'] with ({', '.join(given)}) <| {query}"
