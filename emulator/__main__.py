"""`python -m emulator`: a Kusto endpoint for a laptop."""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from emulator import faults, server
from emulator.app import App
from emulator.service import KustoService
from emulator.store import Store, StoreError

_EXAMPLE = """example:
  python -m emulator --data /tmp/kusto --port 8080

  from azure.kusto.data import KustoClient
  client = KustoClient("http://127.0.0.1:8080")
  client.execute_mgmt("Telemetry", ".create table T (Timestamp: datetime, Value: real)")
  client.execute_mgmt("Telemetry", ".ingest inline into table T <| 2026-11-01T00:00:00Z,1.5")
  print(client.execute("Telemetry", "T | summarize avg(Value)").primary_results[0])

The endpoint starts with the database Telemetry. `.create database NAME` makes more databases.
"""


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m emulator",
        description="A local Kusto endpoint: management commands, async ingestion and KQL queries "
        "for the official clients, over plain http, without authentication.",
        epilog=f"{_EXAMPLE}\nfaults:\n{faults.__doc__}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="folder that stores the data (default: memory)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port",
        type=int,
        default=8080,
        help="port to listen on; 0 chooses a free one (%(default)s)",
    )
    parser.add_argument(
        "--port-file", type=Path, metavar="FILE", help="file to write the port number to"
    )
    return parser.parse_args(argv)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def main(argv: list[str] | None = None) -> int:
    """Serve until stopped. Exit code 0; 2 if the folder or the port cannot be used."""
    arguments = _arguments(argv)
    try:
        bound = server.bind(arguments.host, arguments.port)
    except (OSError, OverflowError) as error:
        print(
            f"emulator: cannot listen on {arguments.host}:{arguments.port}: {error}; "
            "give another --port, or 0 for a free one",
            file=sys.stderr,
        )
        return 2
    try:
        endpoint = KustoService(Store(arguments.data), _now)
        where = arguments.data or "memory"
        print(f"{server.announce(bound, arguments.port_file)} (data in {where})", flush=True)
        server.serve(App(endpoint), bound, endpoint.context.store.interrupt)
    except StoreError as error:
        print(f"emulator: {error}", file=sys.stderr)
        return 2
    if not endpoint.is_closed:
        os._exit(0)  # a statement that cannot be interrupted would keep the process
    return 0


if __name__ == "__main__":
    sys.exit(main())
