"""What is in the image, and that webhook and worker run from it, as the chart starts them.

The folder is made by the Dockerfile's own commands, outside the checkout (``place.py``).
"""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.ports import choose
from devstack.stack import Stack
from tests.image import dockerfile
from tests.image.dockerfile import ROOT, only
from tests.image.image import Image
from tests.image.place import listing, size

pytestmark = pytest.mark.e2e  # one process makes the folder once

LARGEST = 300_000_000
"""Bytes. Half of it is the Kubernetes client."""

# NB: the flags word of a .pyc: 1 is "hash-based, not checked" (PEP 552).
UNCHECKED = (1).to_bytes(4, "little")

RULE = {
    "apiVersion": "adx-mon.azure.com/v1",
    "kind": "SummaryRule",
    "metadata": {"name": "from-the-image", "namespace": "default"},
    "spec": {
        "database": "Telemetry",
        "table": "FromTheImage",
        "interval": "1h",
        "suspend": True,
        "body": "print Timestamp = _startTime | where Timestamp between (_startTime .. _endTime)",
    },
}


def test_every_command_of_the_build_stage_was_run_as_it_is_written(image: Image) -> None:
    assert image.place.ran == [step.text for step in only(dockerfile.build(), "RUN")]
    assert image.place.ran


@pytest.mark.parametrize(
    "name",
    [
        "crdgen",
        "emulator",
        "devstack",
        "tests",
        "duckdb",
        "numpy",
        "pytest",
        "mypy",
        "pip",
        "uv",
        "rich",
    ],
)
def test_what_does_not_belong_into_production_cannot_be_imported(image: Image, name: str) -> None:
    done = image.run("python", "-c", f"import {name}")
    assert f"No module named '{name}'" in done.stderr


def test_the_code_is_the_wheels_and_not_the_checkouts(image: Image) -> None:
    rooms = ("summaryrule", "runtime", "webhook", "worker")
    code = f"import {', '.join(rooms)}; print(*(m.__file__ for m in ({', '.join(rooms)})))"
    for path in image.python_says(code).split():
        assert Path(path).is_relative_to(image.venv)
    assert not list(image.venv.rglob("*.pth")), "an editable installation points elsewhere"


@pytest.mark.parametrize("name", ["webhook", "worker"])
def test_each_command_is_there_as_a_module_and_as_a_script(image: Image, name: str) -> None:
    for words in (["python", "-m", name], [f"summaryrule-{name}"]):
        done = image.run(*words, "--help")
        assert done.returncode == 0, done.stderr
        assert "usage: " in done.stdout


def test_what_the_image_sets_is_all_that_serving_needs_of_an_environment(image: Image) -> None:
    """NB: without HOME, the Kubernetes client (37.0.2) cannot be imported by a nameless user."""
    (env,) = only(dockerfile.final(), "ENV")
    own = {name: image.place.env[name] for name in env.pairs}
    words = [str(image.python), "-c", "import webhook.app, worker.app"]
    done = subprocess.run(words, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert own["HOME"] == "/"


def test_all_bytecode_is_compiled_and_is_not_checked_against_times(image: Image) -> None:
    (site,) = image.venv.glob("lib/python*/site-packages")
    ours = [
        path
        for room in ("summaryrule", "runtime", "webhook", "worker")
        for path in site.glob(f"{room}/**/*.py")
    ]
    assert len(ours) > 50
    for path in ours:
        (compiled,) = (path.parent / "__pycache__").glob(f"{path.stem}.cpython-*.pyc")
        assert compiled.read_bytes()[4:8] == UNCHECKED, compiled


def test_the_image_weighs_what_it_may(image: Image) -> None:
    assert size(image.venv) < LARGEST


@pytest.fixture(scope="module")
def running(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack whose webhook and worker are the image's, installed by the chart."""
    subprocess.run(["chmod", "-R", "a-w", image.venv], check=True)
    root = tmp_path_factory.mktemp("stack-from-the-image")
    with Stack.start(root, python=str(image.python)) as stack:
        yield stack
    subprocess.run(["chmod", "-R", "u+w", image.venv], check=True)


def test_webhook_and_worker_do_their_work_from_it_and_write_nothing(
    image: Image, running: Stack
) -> None:
    before = listing(image.venv)
    for name in ("webhook", "worker"):
        running.kill(name)
        pid = running.wait_until_healthy(name).pid
        started = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        assert started[:3] == [b"python", b"-m", name.encode()]
        mapped = Path(f"/proc/{pid}/maps").read_text()
        assert str(image.venv) in mapped
        assert ".venv" not in mapped
    assert backfilled(running)["phase"] == "Completed"
    assert listing(image.venv) == before


def backfilled(stack: Stack) -> dict[str, str]:
    """Two hours of the past, computed; the status of that."""
    from_, to = (time.strftime("%FT%H:00:00Z", time.gmtime(time.time() - h * 3600)) for h in (4, 2))
    spec = {**RULE["spec"], "backfill": {"start": from_, "end": to}}  # type: ignore[dict-item]
    given = json.dumps({**RULE, "spec": spec})
    kubectl(stack, "apply", "-f", "-", feed=given)
    kubectl(
        stack, "wait", "summaryrule/from-the-image", "--for=condition=Backfill", "--timeout=30s"
    )
    read = kubectl(stack, "get", "summaryrule", "from-the-image", "-o", "json")
    found: dict[str, str] = json.loads(read)["status"]["backfill"]
    return found


def kubectl(stack: Stack, *words: str, feed: str = "") -> str:
    """What the stack's kubectl printed."""
    done = subprocess.run(
        [stack.kubectl, *words],
        env=stack.env(),
        input=feed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_health_check_knows_the_living_from_the_dead(image: Image, running: Stack) -> None:
    (check,) = only(dockerfile.final(), "HEALTHCHECK")
    python, script = check.exec_form
    where = str(image.place.path(script))
    for name in ("webhook", "worker"):
        assert image.run(python, where, f"{running.process(name).address}/healthz").returncode == 0
    free = choose(["nobody"], {})["nobody"]
    assert image.run(python, where, f"http://127.0.0.1:{free}/healthz").returncode == 1


def test_the_ports_that_the_health_check_asks_are_the_charts(image: Image) -> None:
    (exposed,) = only(dockerfile.final(), "EXPOSE")
    text = (ROOT / "hack/image/healthy.py").read_text()
    assert re.findall(r"127\.0\.0\.1:(\d+)/", text) == exposed.words
    assert image.place.path("/opt/summaryrule/healthy.py").is_file()
