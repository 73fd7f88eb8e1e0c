"""One client of the API server, and a report of the counts, for the whole suite."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crdgen.differential.reports import Report
from tests.crdgen.differential.server import Server


@pytest.fixture(scope="session")
def server(api_server: Path) -> Iterator[Server]:
    client = Server(api_server)
    yield client
    client.close()


@pytest.fixture(scope="session")
def report_of(
    request: pytest.FixtureRequest,
) -> Iterator[Callable[[str], Report]]:
    reports: dict[str, Report] = {}
    yield lambda name: reports.setdefault(name, Report(name))
    capture = request.config.pluginmanager.getplugin("capturemanager")
    lines = [f"crdgen differential, {each}\n" for each in reports.values()]
    with capture.global_and_fixture_disabled():
        sys.stdout.writelines(["\n", *lines])
