"""Every page does what it shows: its commands are typed, in order, on the real stack.

All pages are worked through side by side before the first test looks, each in a namespace of its
own; most of the time they wait for the stack.
"""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

from devstack.stack import Stack
from summaryrule.api.instant import Instant
from tests.docs import sample
from tests.docs.blocks import ELSEWHERE, Block, blocks, indented, pages
from tests.docs.clock import moved
from tests.docs.reader import Complaint, read
from tests.docs.shell import on_the_stack

AT_ONCE = 4
NO_RULES = "kubectl delete summaryrules --all"


def has_commands(block: Block) -> bool:
    return block.has_commands and block.why_not is None


PAGES = [p for p in pages() if p not in ELSEWHERE and any(map(has_commands, blocks(p)))]
Readings = dict[str, Future[list[Complaint]]]


@pytest.fixture(scope="module")
def readings(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Readings]:
    environ = stack.env()
    builder = KustoConnectionStringBuilder.with_no_authentication(environ["KUSTO_ENDPOINT"])
    with KustoClient(builder) as kusto:
        sample.load(kusto)
    move = moved(Instant.from_unix_ns(time.time_ns()))

    def work(page: str) -> list[Complaint]:
        stem = Path(page).stem.lower()
        shell = on_the_stack(stack, tmp_path_factory.mktemp(stem), f"docs-{stem}", environ)
        complaints = read(blocks(page), shell, move)
        shell.run([NO_RULES, f"kubectl delete namespace docs-{stem} --wait=false"])
        return complaints

    with ThreadPoolExecutor(AT_ONCE) as readers:
        yield {page: readers.submit(work, page) for page in PAGES}


@pytest.mark.parametrize("page", PAGES)
def test_the_page_does_what_it_shows(readings: Readings, page: str) -> None:
    complaints = readings[page].result()
    assert not complaints, "\n".join(map(str, complaints))


def test_the_readmes_kubectl_commands_run(stack: Stack, tmp_path: Path, readings: Readings) -> None:
    assert readings
    lines = [line for line in indented("README.md") if line.startswith("kubectl ")]
    assert lines
    ran = on_the_stack(stack, tmp_path, "docs-readme").run(
        [*lines, NO_RULES, "kubectl delete namespace docs-readme --wait=false"]
    )
    refused = [each.command for each in ran if each.code != 0]
    assert all("examples/refused/" in command for command in refused), ran
