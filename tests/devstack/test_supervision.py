"""The supervisor and its children, with small Python programs as children."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from devstack.errors import DevstackError, EndedEarlyError
from devstack.managed_process import INITIAL_BACKOFF
from devstack.process_spec import ProcessSpec
from devstack.supervisor import Supervisor

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
IGNORES_SIGTERM = """\
import signal, time
signal.signal(15, signal.SIG_IGN)
print("stubborn", flush=True)
time.sleep(600)
"""
PARENT = """\
import asyncio, pathlib, sys
from devstack.process_spec import ProcessSpec
from devstack.supervisor import Supervisor

async def main():
    owner = Supervisor(lambda: None)
    await owner.start_and_wait(ProcessSpec("worker", sys.argv[2:], pathlib.Path(sys.argv[1])))
    print(owner.processes()[0].pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    owner = Supervisor(lambda: None)
    yield owner
    await owner.stop_all()


async def never() -> bool:
    return False


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what it looks at has no event
            await asyncio.sleep(0.01)


def pid_of(supervisor: Supervisor, name: str) -> int:
    process = supervisor.process(name)
    assert process is not None
    assert process.pid is not None
    return process.pid


async def test_a_child_to_restart_comes_back_with_a_new_pid_and_is_counted(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    await supervisor.start_and_wait(ProcessSpec("worker", SLEEP, tmp_path / "log", restart=True))
    first = pid_of(supervisor, "worker")
    os.kill(first, signal.SIGKILL)
    await until(lambda: supervisor.processes()[0].restarts == 1)
    await supervisor.wait_until_healthy("worker", 10)
    assert pid_of(supervisor, "worker") != first


async def test_a_child_is_restarted_only_after_restart_is_enabled(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    for name in ("etcd", "kusto"):
        await supervisor.start_and_wait(ProcessSpec(name, SLEEP, tmp_path / name))
    supervisor.enable_restart("kusto")
    killed = {name: pid_of(supervisor, name) for name in ("etcd", "kusto")}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    await until(lambda: supervisor.processes()[1].restarts == 1)
    await until(lambda: supervisor.processes()[1].pid is not None)
    assert pid_of(supervisor, "kusto") != killed["kusto"]
    etcd = supervisor.process("etcd")
    assert etcd is not None
    assert (etcd.pid, etcd.healthy, etcd.restarts) == (None, False, 0)


async def test_a_child_that_keeps_failing_is_restarted_with_growing_delays(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    failing = [sys.executable, "-c", "import time; print(time.time()); raise SystemExit(1)"]
    await supervisor.start(ProcessSpec("worker", failing, log, restart=True))
    await until(lambda: log.exists() and len(log.read_text().splitlines()) >= 4)
    times = [float(line) for line in log.read_text().splitlines()]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    # A slow machine makes a gap longer, never shorter than the delay.
    delays = [INITIAL_BACKOFF * 2**restart for restart in range(3)]
    assert all(gap >= delay for gap, delay in zip(gaps, delays, strict=False))


async def test_a_child_that_is_killed_again_and_again_is_started_at_once_each_time(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    await supervisor.start_and_wait(ProcessSpec("worker", SLEEP, tmp_path / "log", restart=True))
    async with asyncio.timeout(10 * INITIAL_BACKOFF * 4):
        for _ in range(10):
            killed = pid_of(supervisor, "worker")
            os.kill(killed, signal.SIGKILL)
            await until(lambda: supervisor.processes()[0].pid not in (killed, None))  # noqa: B023


async def test_a_child_that_ends_is_named_with_its_log_tail(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    failing = [sys.executable, "-c", "import sys; sys.exit('no such flag: --loud')"]
    with pytest.raises(EndedEarlyError) as caught:
        await supervisor.start_and_wait(ProcessSpec("worker", failing, log, health=never))
    assert str(caught.value) == (
        f"worker ended with exit code 1; its log is {log} and ends: no such flag: --loud"
    )


async def test_a_program_that_does_not_exist_is_named(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    with pytest.raises(EndedEarlyError, match="/nowhere/etcd cannot be started: No such file"):
        await supervisor.start_and_wait(
            ProcessSpec("etcd", ["/nowhere/etcd"], tmp_path / "log", health=never)
        )


async def test_a_child_that_is_never_healthy_is_named_after_its_deadline(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    with pytest.raises(EndedEarlyError, match="worker was not healthy after 0 s"):
        await supervisor.start_and_wait(
            ProcessSpec("worker", SLEEP, tmp_path / "log", health=never), 0.2
        )


async def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    await supervisor.start_and_wait(
        ProcessSpec("stubborn", [sys.executable, "-c", IGNORES_SIGTERM], log, grace=0.2)
    )
    await until(lambda: log.read_text() == "stubborn\n")
    pid = pid_of(supervisor, "stubborn")
    await supervisor.stop("stubborn")
    assert not psutil.pid_exists(pid)
    assert supervisor.processes() == []


async def test_children_stop_youngest_first(supervisor: Supervisor, tmp_path: Path) -> None:
    order = tmp_path / "order"
    program = (
        "import signal, sys, time\n"
        "def end(*_): open(sys.argv[1], 'a').write(sys.argv[2]); sys.exit()\n"
        "signal.signal(15, end); print('up', flush=True); time.sleep(600)\n"
    )
    for name in "abc":
        log = tmp_path / name
        argv = [sys.executable, "-c", program, str(order), name]
        await supervisor.start_and_wait(ProcessSpec(name, argv, log))
        await until(lambda log=log: log.read_text() == "up\n")  # type: ignore[misc]
    await supervisor.stop_all()
    assert order.read_text() == "cba"


async def test_two_children_of_one_name_are_refused(supervisor: Supervisor, tmp_path: Path) -> None:
    await supervisor.start(ProcessSpec("worker", SLEEP, tmp_path / "log"))
    with pytest.raises(DevstackError, match="worker runs already"):
        await supervisor.start(ProcessSpec("worker", SLEEP, tmp_path / "log"))


async def test_a_command_returns_its_exit_code_and_output(supervisor: Supervisor) -> None:
    program = "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.exit('no')"
    done = await supervisor.run([sys.executable, "-c", program], stdin="hello")
    assert (done.code, done.output, done.error) == (1, "HELLO", "no\n")


async def test_a_command_that_hangs_is_killed_at_its_deadline(supervisor: Supervisor) -> None:
    before = set(psutil.Process().children())
    with pytest.raises(DevstackError, match="was not done after 0 s"):
        await supervisor.run(SLEEP, seconds=0.2)
    assert set(psutil.Process().children()) == before


def test_a_child_dies_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    argv = [
        sys.executable,
        "-c",
        PARENT,
        str(tmp_path / "log"),
        sys.executable,
        "-c",
        IGNORES_SIGTERM,
    ]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        child = psutil.Process(int(owner.stdout.readline()))
        owner.kill()
        owner.communicate()
        assert psutil.wait_procs([child], timeout=10)[0] or child.status() == "zombie"


async def test_a_child_goes_by_its_new_name_and_keeps_its_place_and_its_log(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    for name in ("worker-2", "kusto"):
        await supervisor.start_and_wait(ProcessSpec(name, SLEEP, tmp_path / f"{name}.log"))
    pid = pid_of(supervisor, "worker-2")
    supervisor.rename("worker-2", "worker")
    first, second = supervisor.processes()
    assert (first.name, first.pid, first.log) == ("worker", pid, str(tmp_path / "worker-2.log"))
    with pytest.raises(DevstackError, match="worker runs already; kusto cannot take its name"):
        supervisor.rename(second.name, "worker")
    await supervisor.stop("worker")
    assert not psutil.pid_exists(pid)
