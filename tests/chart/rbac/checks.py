"""What webhook and worker must be able to do, each as a check that fails when they cannot.

Each begins with a fresh process: a watch that was allowed goes on after its verb is gone.
"""

import json
import time
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta

from tests.chart.helm import RELEASE, Object
from tests.chart.rbac.bench import Bench
from tests.e2e.fixtures import backfill, hours_ago
from webhook.certificates.pki import new_ca

LEASE = f"{RELEASE}-worker"
SECRET = f"{RELEASE}-webhook-ca"
CONFIGURATIONS = ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")
WIPE = '[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]'
PARTS = 3
"""CRD, worker and webhook."""
WATCHES_BACK_OFF = 12.0
"""Seconds: after these a watch that is refused is tried again every four to sixteen seconds."""
SOME = 3
"""Changes that are seen one after the other: one could be seen by the chance of such a try."""
SECONDS = 12.0
"""Patience with a change that is seen at once when it is watched for."""


def a_worker_takes_a_lease_that_is_not_there_and_renews_it(bench: Bench) -> None:
    bench.crash("worker")
    bench.kubectl("delete", "lease", LEASE, "--ignore-not-found")
    bench.until(lambda: bool(lease(bench)), "a Lease")
    first = lease(bench)["renewTime"]
    bench.until(lambda: lease(bench)["renewTime"] != first, "its renewal")


def a_worker_that_starts_is_ready_once_it_has_read_all_rules(bench: Bench) -> None:
    bench.restart("worker")


def a_rule_written_while_the_worker_runs_is_backfilled_to_its_end(bench: Bench) -> None:
    led_anew(bench)
    name = bench.name()
    bench.apply(name, backfill=backfill(hours_ago(4), hours_ago(3)))
    bench.until(lambda: "backfill" not in bench.rule(name)["spec"], "spec.backfill to go")


def the_worker_reads_a_rule_again_that_was_edited_under_its_hands(bench: Bench) -> None:
    led_anew(bench)
    name = bench.name()
    bench.apply(name, backfill=backfill(hours_ago(40), hours_ago(3)))

    def is_over_in_spite_of_an_edit() -> bool:
        bench.kubectl("annotate", "summaryrule", name, f"edited={time.monotonic()}", "--overwrite")
        return "backfill" not in bench.rule(name)["spec"]

    bench.until(is_over_in_spite_of_an_edit, "spec.backfill to go", 60.0)
    failed = bench.failed_looks()
    assert not failed, f"looks at the rule failed: {', '.join(sorted(failed))}"


def what_the_worker_says_of_a_rule_is_an_event(bench: Bench) -> None:
    led_anew(bench)
    name = bench.name()
    held(bench, name, times=1)


def what_it_says_again_raises_the_count_of_that_event(bench: Bench) -> None:
    led_anew(bench)
    name = bench.name()
    held(bench, name, times=1)
    released(bench, name)
    held(bench, name, times=2)


def and_so_it_does_after_a_restart(bench: Bench) -> None:
    led_anew(bench)
    name = bench.name()
    held(bench, name, times=1)
    released(bench, name)
    led_anew(bench)
    held(bench, name, times=2)


def the_worker_knows_what_is_installed(bench: Bench) -> None:
    bench.restart("worker")

    def is_known() -> bool:
        parts = json.loads(bench.worker_page("/worker.json"))["installed"]
        return len(parts) == PARTS and all(each["version"] for each in parts.values())

    bench.until(is_known, "the version of each part")


def a_webhook_without_an_authority_makes_one_and_publishes_it(bench: Bench) -> None:
    bench.crash("webhook")
    bench.kubectl("delete", "secret", SECRET, "--ignore-not-found")
    for kind in CONFIGURATIONS:
        bench.run("patch", kind, RELEASE, "--type=json", f"-p={WIPE}")
    bench.until_ready("webhook")
    bench.until(lambda: all(bundle(bench, kind) for kind in CONFIGURATIONS), "both caBundles")
    bench.until(lambda: "ca.crt" in secret(bench), "the Secret")


def a_bundle_that_was_wiped_is_written_again_within_seconds(bench: Bench) -> None:
    bench.restart("webhook")
    time.sleep(WATCHES_BACK_OFF)
    for kind in CONFIGURATIONS * SOME:
        bench.kubectl("patch", kind, RELEASE, "--type=json", f"-p={WIPE}")
        until_written(bench, kind)


def an_authority_that_another_replica_wrote_is_taken_within_seconds(bench: Bench) -> None:
    bench.restart("webhook")
    time.sleep(WATCHES_BACK_OFF)
    for _ in range(SOME):
        put_authority(bench, age=timedelta(0))
        until_taken(bench)


def an_authority_that_grows_old_gets_a_successor(bench: Bench) -> None:
    bench.restart("webhook")
    put_authority(bench, age=timedelta(days=3))
    bench.until(lambda: "next.crt" in secret(bench), "the next CA in the Secret")


def led_anew(bench: Bench) -> None:
    """Start the worker again and wait until it leads: nobody else holds the Lease then."""
    bench.crash("worker")
    bench.kubectl("delete", "lease", LEASE, "--ignore-not-found")
    bench.until_ready("worker")
    bench.until(lambda: bool(lease(bench)), "a Lease")


def held(bench: Bench, name: str, *, times: int) -> None:
    """Name a database that nothing serves, and wait for an Event that says so."""
    bench.apply(name, database="Nowhere")
    bench.until(lambda: said(bench, name) == times, f"an Event with count {times}")


def released(bench: Bench, name: str) -> None:
    """Name a database that is served, and wait until the worker has seen it."""
    bench.apply(name)
    bench.until(
        lambda: "no endpoint" not in json.dumps(bench.rule(name).get("status", {})),
        "that it is served",
    )


def said(bench: Bench, name: str) -> int:
    events = bench.get("events", f"--field-selector=involvedObject.name={name}").get("items", [])
    counts: list[int] = [each["count"] for each in events if each["reason"] == "NoEndpoint"]
    return max(counts, default=0)


def lease(bench: Bench) -> Object:
    found: Object = bench.get("lease", LEASE).get("spec", {})
    return found


def secret(bench: Bench) -> Object:
    found: Object = bench.get("secret", SECRET).get("data", {})
    return found


def bundle(bench: Bench, kind: str) -> str:
    (entry,) = bench.get(kind, RELEASE)["webhooks"]
    return str(entry["clientConfig"].get("caBundle", ""))


def until_written(bench: Bench, kind: str) -> None:
    bench.until(lambda: bool(bundle(bench, kind)), f"a caBundle in the {kind}", SECONDS)


def until_taken(bench: Bench) -> None:
    theirs = b64decode(secret(bench)["ca.crt"]).strip()
    mutating, _ = CONFIGURATIONS
    bench.until(lambda: theirs in b64decode(bundle(bench, mutating)), "its CA", SECONDS)


def put_authority(bench: Bench, age: timedelta) -> None:
    """Write a CA of four days' life to the Secret, as if it had been made `age` ago."""
    pair = new_ca(datetime.now(UTC) - age, timedelta(days=4))
    data = {"ca.crt": b64encode(pair.chain).decode(), "ca.key": b64encode(pair.key).decode()}
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": bench.namespace},
        "data": data,
    }
    bench.replace(body)
