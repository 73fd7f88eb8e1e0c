"""`worker plan` and `webhook review` refuse the names that the API server refuses."""

import json

import pytest

from summaryrule.api.object_meta import validate_name
from tests.e2e.fixtures import Sandbox

LONG = "a" * 253
NAMES = [
    {"name": "hourly"},
    {"name": "a.b-c.d1"},
    {"name": LONG},
    {"name": f"{LONG}a"},
    {"name": "HourlyAvg"},
    {"name": "hourly_avg"},
    {"name": "-hourly"},
    {"name": "hourly-"},
    {"name": "a..b"},
    {"name": "hourly", "generateName": "Bad"},
    {"generateName": "hourly-"},
    {"generateName": "hourly."},
    {"generateName": "hourly--"},
    {"generateName": "-"},
    {"generateName": "Hourly-"},
]


@pytest.mark.parametrize("metadata", NAMES, ids=lambda each: "-".join(each.values())[:40])
def test_a_name_is_refused_exactly_when_the_server_refuses_it(
    sandbox: Sandbox, metadata: dict[str, str]
) -> None:
    rule = {**sandbox.rule(), "metadata": metadata}
    ours = [str(each) for each in validate_name(rule)]
    done = sandbox.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(rule))
    assert (done.returncode == 0) == (not ours), done.stderr
    assert all(each in done.stderr for each in ours)
