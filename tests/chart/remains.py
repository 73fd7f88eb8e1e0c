"""What of a release is on an API server: the objects in its namespace, and those with its name."""

from tests.chart.helm import NAMESPACE
from tests.e2e.lab import Lab

MARK = "summaryrule"
COLUMNS = "-ocustom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name"


def remains(lab: Lab) -> set[str]:
    """Give every object of every kind, as kind/name, but for Events, which end by themselves."""
    kinds = run(lab, "api-resources", "--verbs=list", "--no-headers", "-oname").split()
    kinds = [kind for kind in kinds if not kind.startswith(("events", "componentstatuses"))]
    rows = run(lab, "get", ",".join(kinds), "-A", "--no-headers", "--ignore-not-found", COLUMNS)
    found = {tuple(row.split()) for row in rows.splitlines() if row.strip()}
    return {f"{kind}/{name}" for kind, where, name in found if where == NAMESPACE or MARK in name}


def run(lab: Lab, *words: str) -> str:
    done = lab.kubectl(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout
