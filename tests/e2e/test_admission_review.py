"""The cluster and `python -m webhook review` say the same of the same files."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from devstack.config import CHECKOUT
from devstack.stack import Stack
from summaryrule.api.instant import TICKS_PER_DAY, Instant
from summaryrule.api.windows import ceil, floor
from tests.conftest import NO_WORKER
from tests.e2e.fixtures import HOUR, backfill, hours_ago, now
from tests.e2e.kubectl import Kubectl
from tests.e2e.manifests import END, START, rule

LONG_AGO, FAR_AHEAD = hours_ago(40 * 24), hours_ago(-40 * 24)


@pytest.fixture(scope="module")
def kubectl(stack: Stack) -> Kubectl:
    return Kubectl.of(stack)


def review(folder: Path, manifest: dict[str, Any], at: Instant) -> tuple[int, list[str]]:
    path = folder / "rule.json"
    path.write_text(json.dumps(manifest))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "webhook", "review", str(path), "--now", str(at)),
            f"--adopt-owner={NO_WORKER}",
        ],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout.splitlines()


def test_four_mistakes_that_only_the_webhook_can_judge_print_four_lines(
    kubectl: Kubectl, tmp_path: Path
) -> None:
    mistaken = rule(
        body=".show tables",
        criteriaExpression="region ==",
        backfill={"start": str(LONG_AGO), "end": str(FAR_AHEAD)},
    )
    before, said, after = now(), kubectl.feed(mistaken, "apply"), now()
    expected = [
        (
            'The SummaryRule "it" is invalid: ',
            (
                '* spec.body: Invalid value: ".show tables": is a management command; write a'
                " query, the worker wraps it in .set-or-append"
            ),
            (
                '* spec.criteriaExpression: Invalid value: "region ==": is not a CEL expression:'
                " line 1, column 10: the expression ends too early"
            ),
            (
                f'* spec.backfill.start: Invalid value: "{LONG_AGO}": is more than 30 days ago;'
                f" write {floor(at.plus(-30 * TICKS_PER_DAY), HOUR)} or later"
            ),
            (
                f'* spec.backfill.end: Invalid value: "{FAR_AHEAD}": is more than 30 days in the'
                f" future; write {ceil(at.plus(30 * TICKS_PER_DAY), HOUR)} or earlier"
            ),
        )
        for at in (before, after)
    ]
    assert (said.code, said.out) == (1, ())
    assert said.err in expected
    assert review(tmp_path, mistaken, after) == (1, list(expected[1]))


def test_mistakes_at_both_stages_print_the_schemas_first_in_our_words(
    kubectl: Kubectl, tmp_path: Path
) -> None:
    mistaken = rule(interval="1d", body=".show tables")
    said = kubectl.feed(mistaken, "apply")
    interval = (
        'spec.interval: Invalid value: "1d": must be a Go duration of at least 1m, such as 15m, 1h'
        " or 1h30m (there is no unit for days: write 24h for one day)"
    )
    assert (said.code, said.err) == (1, (f'The SummaryRule "it" is invalid: {interval}',))
    assert review(tmp_path, mistaken, now()) == (
        1,
        [
            'The SummaryRule "it" is invalid: ',
            f"* {interval}",
            (
                '* spec.body: Invalid value: ".show tables": is a management command; write a'
                " query, the worker wraps it in .set-or-append"
            ),
        ],
    )


def test_what_is_changed_is_warned_of_in_the_same_words(kubectl: Kubectl, tmp_path: Path) -> None:
    changed = rule(backfill=backfill(START.plus(1), END, operationId="forged"))
    said = kubectl.feed(changed, "apply", "--dry-run=server")
    code, lines = review(tmp_path, changed, now())
    assert (said.code, code) == (0, 0)
    assert lines == [*said.err, "SummaryRule 'it' would be admitted"]
    assert len(said.err) == 2
