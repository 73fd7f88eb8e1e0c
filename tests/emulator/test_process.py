"""The command as a person runs it: start, stop, and what is said when it cannot."""

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from azure.kusto.data.exceptions import KustoError

from tests.emulator.client import Kusto, append
from tests.emulator.conftest import Starter


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "emulator", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_help_teaches(tmp_path: Path) -> None:
    told = run("--help")
    assert told.returncode == 0
    for word in ("example:", "execute_mgmt", "operation-stuck", "--port-file"):
        assert word in told.stdout


def test_a_busy_port_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = run("--port", str(taken.getsockname()[1]))
    assert told.returncode == 2
    assert "cannot listen on 127.0.0.1" in told.stderr
    assert "Traceback" not in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_folder_in_use_is_one_sentence(started: Starter) -> None:
    started.start()
    told = run("--port", "0", "--data", str(started.folder / "data"))
    assert told.returncode == 2
    assert "cannot open the data folder" in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = run("--port", "0", "--data", str(tmp_path / "file" / "data"))
    assert told.returncode == 2
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_at_once_though_operations_wait_and_clients_stay(
    started: Starter, number: signal.Signals
) -> None:
    process = started.start()
    with Kusto(process.url, "Telemetry") as kusto:
        kusto.faults({"fault": "operation-latency", "seconds": 60})
        kusto.submit(append("T", "print 1"))
        slow = "range i from 1 to 4000000000 step 1 | summarize dcount(i * i)"
        reader = threading.Thread(target=_ask_in_vain, args=(kusto, slow))
        reader.start()
        time.sleep(0.3)  # the query runs by then, or the test is only weaker
        before = time.monotonic()
        process.popen.send_signal(number)
        assert process.popen.wait(30) == 0
        assert time.monotonic() - before < 4
        reader.join()


def _ask_in_vain(kusto: Kusto, text: str) -> None:
    with pytest.raises(KustoError):
        kusto.query(text)
