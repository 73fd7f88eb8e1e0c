"""What of a release is on an API server: the objects in its namespace, and those with its name."""

from tests.chart.helm import NAMESPACE
from tests.e2e.fixtures import Sandbox

MARK = "summaryrule"
COLUMNS = "-ocustom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name"


def remains(sandbox: Sandbox) -> set[str]:
    """Give every object of every kind, as kind/name, but for Events, which end by themselves."""
    kinds = run(sandbox, "api-resources", "--verbs=list", "--no-headers", "-oname").split()
    kinds = [kind for kind in kinds if not kind.startswith(("events", "componentstatuses"))]
    rows = run(sandbox, "get", ",".join(kinds), "-A", "--no-headers", "--ignore-not-found", COLUMNS)
    found = {tuple(row.split()) for row in rows.splitlines() if row.strip()}
    return {f"{kind}/{name}" for kind, where, name in found if where == NAMESPACE or MARK in name}


def run(sandbox: Sandbox, *words: str) -> str:
    done = sandbox.kubectl(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout
