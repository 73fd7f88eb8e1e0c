"""Take down what `helm uninstall` would leave behind or trip over.

Run by the chart's pre-delete hook. Order matters: first the webhook configurations (or the API
server refuses writes once the webhook's pods are gone), then the pods (or they would write again
what is deleted next), then finalizers, the certificate authority and the Lease. Rules that were
kept lose nothing but the finalizer: their status still says what is in flight, for the next
installation.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from kubernetes import client, config

GROUP = {"group": "adx-mon.azure.com", "version": "v1"}
FINALIZERS = "adx-mon.azure.com/"
NOT_FOUND = 404
CONFLICT = 409


def main() -> int:
    """Run every step in order; the Job tries again from the start when one of them fails."""
    arguments = parse()
    config.load_config()
    remove_configurations(arguments.configuration)
    stop(arguments.namespace, arguments.deployment)
    release_rules()
    core, leases = client.CoreV1Api(), client.CoordinationV1Api()
    gone(lambda: core.delete_namespaced_secret(arguments.secret, arguments.namespace))
    for lease in arguments.lease:
        gone(partial(leases.delete_namespaced_lease, lease, arguments.namespace))
    say("done")
    return 0


def parse() -> argparse.Namespace:
    """Read the names that the chart gave its objects."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--configuration", required=True)
    parser.add_argument("--deployment", action="append", default=[])
    parser.add_argument("--secret", required=True)
    parser.add_argument("--lease", action="append", default=[])
    return parser.parse_args()


def remove_configurations(name: str) -> None:
    """Delete both webhook configurations."""
    api = client.AdmissionregistrationV1Api()
    gone(lambda: api.delete_mutating_webhook_configuration(name))
    gone(lambda: api.delete_validating_webhook_configuration(name))
    say(f"removed the webhook configurations {name}")


def stop(namespace: str, deployments: list[str]) -> None:
    """Scale to zero and wait until no pod is left; the Job's own deadline bounds the wait."""
    apps = client.AppsV1Api()
    selectors = [
        selector for name in deployments if (selector := scale_down(apps, namespace, name))
    ]
    core = client.CoreV1Api()
    for selector in selectors:
        while core.list_namespaced_pod(namespace, label_selector=selector).items:
            time.sleep(0.2)
    say(f"stopped {', '.join(deployments)}")


def scale_down(apps: client.AppsV1Api, namespace: str, name: str) -> str:
    """Return the label selector of the Deployment's pods; nothing if there is none."""
    try:
        deployment = apps.read_namespaced_deployment(name, namespace)
        apps.patch_namespaced_deployment_scale(name, namespace, {"spec": {"replicas": 0}})
    except client.ApiException as error:
        if error.status == NOT_FOUND:
            return ""
        raise
    return ",".join(
        f"{key}={value}" for key, value in deployment.spec.selector.match_labels.items()
    )


def release_rules() -> None:
    """Take the worker's finalizer off every rule, page by page. Finalizers of others stay."""
    api, token, count = client.CustomObjectsApi(), "", 0
    while True:
        page = rules_page(api, token)
        count += sum(release(api, rule["metadata"]) for rule in page["items"])
        token = page.get("metadata", {}).get("continue", "")
        if not token:
            say(f"released {count} rule(s) that had work in flight")
            return


def rules_page(api: client.CustomObjectsApi, token: str) -> Any:  # noqa: ANN401  plain JSON
    """List up to 500 rules; none when the CRD is gone already."""
    try:
        return api.list_cluster_custom_object(
            **GROUP, plural="summaryrules", limit=500, _continue=token
        )
    except client.ApiException as error:
        if error.status == NOT_FOUND:
            return {"items": []}
        raise


def release(api: client.CustomObjectsApi, metadata: dict[str, Any]) -> bool:
    """Remove the worker's finalizers from one rule; say whether it had any."""
    finalizers = metadata.get("finalizers", [])
    kept = [name for name in finalizers if not name.startswith(FINALIZERS)]
    if kept == finalizers:
        return False
    patch = {"metadata": {"finalizers": kept, "resourceVersion": metadata["resourceVersion"]}}
    where = {"namespace": metadata["namespace"], "name": metadata["name"]}
    api.patch_namespaced_custom_object(**GROUP, plural="summaryrules", **where, body=patch)
    return True


def gone(delete: Callable[[], object]) -> None:
    """Delete, content when it was deleted before."""
    try:
        delete()
    except client.ApiException as error:
        if error.status != NOT_FOUND:
            raise


def say(text: str) -> None:
    """Write one line to the pod's log."""
    print(f"cleanup: {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
