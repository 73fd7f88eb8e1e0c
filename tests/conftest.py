"""The real parts that tests share: one API server, and one whole stack, a session each.

A test asks for `api_server` (a kubeconfig; control plane only) or `stack` (webhook, worker and
Kusto endpoint too) and is marked `e2e` for that. `make test` runs these in one process, so that
one of each is started, and the others beside each other.

NB: `--dist loadgroup` would do it in one run, but xdist 3.8 names the group in a node id that
pytest 9.2 no longer reads.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from devstack.config import CONTROL_PLANE_ONLY
from devstack.ports import no_proxy_variables
from devstack.stack import Stack
from tests.chart.helm import CHART, RELEASE, Helm

# A shell starts background jobs with SIGINT ignored, and programs that tests interrupt inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests connect to this machine only, never through a proxy.
os.environ |= no_proxy_variables(os.environ)

# A slow machine is not a failure: hypothesis may take as long as the test itself.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

SHARED = {"stack", "api_server"}
NO_WORKER = "nobody-here"
"""An owner whose rules the webhook of the shared stack reviews, and its worker leaves alone."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SHARED.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the admin's kubeconfig of a control plane with nothing installed."""
    root = tmp_path_factory.mktemp("api-server")
    with Stack.start(root, without=CONTROL_PLANE_ONLY) as plane:
        yield plane.kubeconfig


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack with everything, the chart installed.

    Its webhook also takes the rules of an owner whose rules no worker runs.
    """
    with Stack.start(tmp_path_factory.mktemp("stack")) as everything:
        _let_webhook_take(NO_WORKER, everything, tmp_path_factory.mktemp("helm"))
        yield everything


def _let_webhook_take(owner: str, stack: Stack, folder: Path) -> None:
    """Upgrade the release, so that the webhook reviews the rules of `owner`.

    `helm --wait` does not wait for the replica that the upgrade replaces: it drains and ends later.
    """
    argument = f"webhook.extraArgs={{--adopt-owner={owner}}}"
    helm = Helm(stack.helm, folder, stack.kubeconfig)
    helm.run("upgrade", RELEASE, str(CHART), "--reuse-values", "--set", argument, "--wait")
    give_up_at = time.monotonic() + 60
    while any(process.name.startswith("webhook-") for process in stack.processes()):
        assert time.monotonic() < give_up_at, "the replaced replica of the webhook is still there"
        time.sleep(0.2)
