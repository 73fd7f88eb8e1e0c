"""What kubectl prints while no webhook runs: the CRD holds, the rest fails closed."""

import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from devstack.chart import NAMESPACE, RELEASE
from devstack.stack import Stack
from tests.e2e.fixtures import backfill
from tests.e2e.kubectl import RESOURCE, Kubectl, Said, at_path, side_by_side
from tests.e2e.manifests import END, START, asking, rule
from tests.e2e.manual_worker import ManualWorker, manual_worker
from tests.e2e.table import DRY, invalid

DEPLOYMENT = f"deployment/{RELEASE}-webhook"
HELD, LEAVING = "adm-held", "adm-leaving"
FAILED = (
    "Error from server (InternalError): {}Internal error occurred: failed calling webhook"
    ' "validate.summaryrules.adx-mon.azure.com": failed to call webhook: Post'
    ' "https://summaryrule-operator-webhook.summaryrule-system.svc:443/validate?timeout=5s": '
)
CREATING = 'error when creating "STDIN": '
PATIENCE = 60.0


@pytest.fixture(scope="module")
def kubectl(stack: Stack) -> Kubectl:
    return Kubectl.of(stack)


@pytest.fixture(scope="module")
def down(kubectl: Kubectl) -> Iterator[Kubectl]:
    """No replica; the rules were stored before."""
    kubectl.store(asking(HELD))
    kubectl.store(rule(LEAVING))
    scale(kubectl, 0)
    until(lambda: is_refused(kubectl))
    yield kubectl
    scale(kubectl, 1)
    until(lambda: is_alone(kubectl.stack))
    until(lambda: not is_refused(kubectl))
    kubectl.must("delete", RESOURCE, HELD, LEAVING, "--ignore-not-found")


def scale(kubectl: Kubectl, replicas: int) -> None:
    kubectl.must("scale", DEPLOYMENT, "-n", NAMESPACE, f"--replicas={replicas}")


def is_alone(stack: Stack) -> bool:
    """Whether the new replica is ready and the old one, which drains for seconds, has ended."""
    found = [each for each in stack.processes() if each.name.startswith("webhook")]
    return [(each.name, each.healthy) for each in found] == [("webhook", True)]


def is_refused(kubectl: Kubectl) -> bool:
    return kubectl.feed(rule(), "create", *DRY).code == 1


def until(holds: Callable[[], bool]) -> None:
    last = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < last, "the webhook does not go or come"
        time.sleep(0.05)


def did(words: str, name: str = HELD) -> Said:
    return Said(0, (f"{RESOURCE}/{name} {words}",), ())


INTERVAL = (
    'spec.interval: Invalid value: "1d": must be a Go duration of at least 1m, such as 15m, 1h or'
    " 1h30m (there is no unit for days: write 24h for one day)"
)
ORDER = (
    f"spec.backfill.start: Invalid value: start {END} must be before end {START}: the range is"
    " half-open, [start, end); write an earlier start or a later end"
)


@pytest.fixture(scope="module")
def said(down: Kubectl) -> dict[str, Said]:
    patch = partial(down.patch, HELD)
    hold = partial(patch, {"metadata": {"finalizers": ["example.com/hold"]}}, "--type=merge")
    status = {"status": {"schedule": {"cursor": str(START)}}}
    one = side_by_side(
        {
            "a label": partial(down.ask, "label", RESOURCE, HELD, "team=metrics"),
            "a finalizer": hold,
            "a status": partial(patch, status, "--type=merge", "--subresource=status"),
            "a spec": partial(patch, {"spec": {"interval": "2h"}}, "--type=merge"),
            "a spec out of order": partial(
                patch,
                {"spec": {"backfill": {"start": str(END), "end": str(START)}}},
                "--type=merge",
            ),
            "a deletion": partial(down.ask, "delete", RESOURCE, LEAVING),
            "a new rule": partial(down.feed, rule(), "create", *DRY),
            "a new rule, applied on the server": partial(
                down.feed, rule(), "apply", "--server-side", *DRY
            ),
            "a new rule with an interval in days": partial(
                down.feed, rule(interval="1d"), "create", *DRY
            ),
            "a new rule whose start is after its end": partial(
                down.feed, rule(backfill=backfill(END, START)), "create", *DRY
            ),
            "a range without an end": partial(
                down.feed, rule(backfill={"start": str(START)}), "create", *DRY
            ),
        }
    )
    freed = down.patch(HELD, {"metadata": {"finalizers": []}}, "--type=merge")
    return {**one, "no finalizer": freed}


EXACTLY = {
    "a label": did("labeled"),
    "a finalizer": did("patched"),
    "no finalizer": did("patched"),
    "a status": did("patched"),
    "a spec out of order": Said(1, (), invalid(HELD, [ORDER])),
    "a deletion": Said(0, (f'{RESOURCE} "{LEAVING}" deleted from default namespace',), ()),
    "a new rule with an interval in days": Said(1, (), invalid("it", [INTERVAL])),
    "a new rule whose start is after its end": Said(1, (), invalid("it", [ORDER])),
}


@pytest.mark.parametrize("name", EXACTLY)
def test_what_the_schema_judges_and_what_nobody_judges_is_as_ever(
    said: dict[str, Said], name: str
) -> None:
    assert said[name] == EXACTLY[name]


@pytest.mark.parametrize(
    ("name", "doing"),
    [("a new rule", CREATING), ("a new rule, applied on the server", ""), ("a spec", "")],
)
def test_what_only_the_webhook_judges_fails_closed_and_says_whom_it_asked(
    said: dict[str, Said], name: str, doing: str
) -> None:
    [line] = said[name].err
    assert (said[name].code, said[name].out) == (1, ())
    assert line.startswith(FAILED.format(doing))


def test_an_end_that_mutate_would_have_filled_in_is_required(said: dict[str, Said]) -> None:
    refused = said["a range without an end"]
    [line] = refused.err
    assert refused.code == 1
    assert "spec.backfill.end: Required value: write the end of the range" in line


def test_the_worker_goes_on(down: Kubectl, said: dict[str, Said]) -> None:
    assert said
    with manual_worker(down.stack) as worker:
        cursor = advance_by_an_hour(worker)
        assert at_path(worker.get(HELD), "spec.backfill.start") == cursor


def advance_by_an_hour(worker: ManualWorker) -> str:
    cursor = START.plus(36_000_000_000)
    worker.advance(HELD, cursor, "operation-1")
    return str(cursor)
