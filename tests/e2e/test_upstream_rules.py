"""adx-mon's documented rules, unchanged, through this CRD and this webhook."""

from pathlib import Path

import yaml

from tests.api.test_upstream import UNLIKE_OURS
from tests.e2e.fixtures import Sandbox

FILE = Path(__file__).parents[1] / "api" / "upstream_rules.yaml"
NAMES = [rule["metadata"]["name"] for rule in yaml.safe_load_all(FILE.read_text())]


def test_the_api_server_takes_every_documented_rule_of_upstream(sandbox: Sandbox) -> None:
    done = sandbox.kubectl("create", "--dry-run=server", "-o", "name", "-f", str(FILE))
    wanted = [name for name in NAMES if name not in UNLIKE_OURS]
    assert done.stdout.split() == [f"summaryrule.adx-mon.azure.com/{name}" for name in wanted]


def test_it_refuses_a_day_as_interval_and_a_backfill_of_long_ago_and_says_what_to_write(
    sandbox: Sandbox,
) -> None:
    done = sandbox.kubectl("create", "--dry-run=server", "-f", str(FILE))
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if " is invalid" in line]
    assert len(said) == len(UNLIKE_OURS)
    assert '"importfn" is invalid' in done.stderr
    assert "write 24h for one day" in done.stderr
    assert '"hourly-avg" is invalid' in done.stderr
    assert 'spec.backfill.start: Invalid value: "2026-01-01T00:00:00Z": is more than' in done.stderr
