"""Prove from inside the cluster that admission works: run by `helm test`, on dry runs only.

A good rule must pass and come back with its defaults; each bad one must be refused with the path
of the field at fault.
"""

import argparse
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from kubernetes import client, config

REFUSED = 422


def main() -> int:
    """Send each rule once; 0 when every answer was the right one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--namespace", required=True)
    namespace = parser.parse_args().namespace
    config.load_config()
    now = datetime.now(UTC)
    good = is_admitted(namespace, rule(backfill={"start": text(now - timedelta(hours=30))}))
    refused = [is_refused(namespace, field, bad) for field, bad in bad_rules(now)]
    return 0 if good and all(refused) else 1


def text(time: datetime) -> str:
    """Write a time as the API does."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def rule(**spec: object) -> dict[str, Any]:
    """Return a valid hourly rule with some fields replaced."""
    body = (
        "Requests | where Timestamp between (_startTime .. _endTime) | summarize count() by Service"
    )
    base = {"database": "Telemetry", "table": "HelmTest", "interval": "1h", "body": body}
    return {
        "apiVersion": "adx-mon.azure.com/v1",
        "kind": "SummaryRule",
        "metadata": {"generateName": "helm-test-"},
        "spec": base | spec,
    }


def bad_rules(now: datetime) -> list[tuple[str, dict[str, Any]]]:
    """Pair each bad rule with the field that its refusal must name."""
    late = {"start": text(now - timedelta(hours=2)), "end": text(now - timedelta(hours=9))}
    ancient = {"start": text(now - timedelta(days=32)), "end": text(now - timedelta(days=1))}
    return [
        ("spec.backfill", rule(backfill=late)),
        ("spec.backfill.start", rule(backfill=ancient)),
        ("spec.interval", rule(interval="1d")),
        ("spec.body", rule(body=".drop table Requests")),
    ]


def send(namespace: str, body: dict[str, Any]) -> Any:  # noqa: ANN401  plain JSON
    """Create the rule as a dry run and return what would be stored."""
    return client.CustomObjectsApi().create_namespaced_custom_object(
        "adx-mon.azure.com", "v1", namespace, "summaryrules", body, dry_run="All"
    )


def is_admitted(namespace: str, body: dict[str, Any]) -> bool:
    """Expect the rule to pass with the end of its backfill filled in by the mutating webhook."""
    try:
        stored = send(namespace, body)
    except client.ApiException as error:
        return report(right=False, what=f"a good rule was refused: {error.body}")
    right = "end" in stored["spec"]["backfill"]
    return report(right=right, what="a good rule passes and its backfill gets an end")


def is_refused(namespace: str, field: str, body: dict[str, Any]) -> bool:
    """Expect the rule to be refused with the field named."""
    try:
        send(namespace, body)
    except client.ApiException as error:
        right = error.status == REFUSED and field in str(error.body)
        return report(right=right, what=f"a bad {field} is refused: {error.body}")
    return report(right=False, what=f"a bad {field} was admitted")


def report(*, right: bool, what: str) -> bool:
    """Write one line to the pod's log."""
    print(f"{'ok  ' if right else 'FAIL'} {what}", flush=True)  # noqa: T201
    return right


if __name__ == "__main__":
    sys.exit(main())
