"""A kubectl for the goldens of the plugin: three rules, or no cluster, or no permission."""

import json
import os
import sys
from typing import Any

from summaryrule.api.instant import TICKS_PER_SECOND
from tests.plugin.rules import NOW, condition, rule, running

ERROR = "Kusto: SEM0100: 'summarize' operator: Failed to resolve scalar expression named 'Duration'"
FAILED = {
    "start": "2026-11-03T04:00:00Z",
    "end": "2026-11-03T05:00:00Z",
    "attempt": 2,
    "error": ERROR,
}
LEASE = {
    "metadata": {"namespace": "summaryrule-system"},
    "spec": {
        "holderIdentity": "worker-7d4f",
        "renewTime": str(NOW.plus(-TICKS_PER_SECOND)),
        "leaseDurationSeconds": 15,
    },
}
EVENT = {
    "lastTimestamp": "2026-11-24T10:20:00Z",
    "type": "Warning",
    "reason": "BackfillFailed",
    "message": f"window [2026-11-03T04:00:00Z, 2026-11-03T05:00:00Z): {ERROR}",
    "count": 2,
}
LABELED = {"metadata": {"labels": {"app.kubernetes.io/version": "1.2.3"}}}
DENIED = 'The SummaryRule "x" is invalid: spec.body: Invalid value: ".show tables": must be …'
FIXED = {"auth": (0, "yes"), "create": (1, DENIED), "--raw": (0, "{}")}
NO_CLUSTER = (
    "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host?"
)


def rules() -> dict[str, Any]:
    stuck = condition("Backfill", "Failed", f"window [2026-11-03T04:00:00Z): {ERROR}")
    done = {"schedule": {"cursor": "2026-11-24T10:00:00Z", "lastDone": "2026-11-24T10:00:00Z"}}
    record = {"key": "k", "start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z"}
    record |= {"phase": "Completed", "progress": "24/24", "finishedAt": "2026-11-22T06:00:00Z"}
    record |= {"doneUntil": record["end"], "interval": "1h", "by": "ada"}
    failed = running(phase="Failed", failed=[FAILED], lastError=ERROR)
    ended = running(phase="Completed", progress="552/552", percent=100, windowsDone=552)
    made = {
        "cpu": rule("cpu", **done, backfill=failed, conditions=[stuck], backfillHistory=[record]),
        "memory": rule("memory", **done),
        "disk": rule("disk", **done, backfill=ended),
    }
    made["cpu"]["spec"]["backfill"] = {
        "start": "2026-11-10T21:00:00Z",
        "end": "2026-11-24T00:00:00Z",
    }
    for each in made.values():
        each["metadata"]["creationTimestamp"] = "2026-11-23T12:30:00Z"
    return made


def objects(resource: str) -> list[Any]:
    found: dict[str, list[Any]] = {
        "leases.coordination.k8s.io": [LEASE],
        "events": [EVENT],
        "deployments.apps": [LABELED],
        "customresourcedefinitions": [LABELED],
    }
    return found[resource]


def answer(words: list[str]) -> tuple[int, str]:
    verb, resource, name = [*words, "", ""][:3]
    if resource == "pod":
        return 1, f'Error from server (NotFound): pods "{name}" not found'
    if verb in FIXED or resource in FIXED:
        return FIXED.get(verb) or FIXED[resource]
    if "summaryrule" in resource:
        return answer_about_rules(name, words)
    return 0, json.dumps({"items": objects(resource)})


def answer_about_rules(name: str, words: list[str]) -> tuple[int, str]:
    found = rules()
    if name.startswith("-") or not name:
        return 0, json.dumps({"items": list(found.values())})
    if name not in found:
        error = f'summaryrules.adx-mon.azure.com "{name}" not found'
        return 1, f"Error from server (NotFound): {error}"
    return 0, json.dumps(patched(found[name], words) if words[0] == "patch" else found[name])


def forbid(words: list[str]) -> tuple[int, str]:
    """What the API server answers to a login without any role; all may read which APIs it has."""
    if "--raw" in words:
        return FIXED["--raw"]
    if words[0] == "auth":
        return 1, "no"
    verb = {"get": "list"}.get(words[0], words[0])
    resource = "summaryrules.adx-mon.azure.com" if words[0] == "create" else words[1]
    message = f'{resource} is forbidden: User "ada" cannot {verb} resource "{resource}"'
    return 1, f"Error from server (Forbidden): {message}"


def patched(held: dict[str, Any], words: list[str]) -> dict[str, Any]:
    (patch,) = (word.partition("=")[2] for word in words if word.startswith("--patch="))
    wanted = json.loads(patch).get("spec", {}).get("backfill")
    if wanted:
        end = {"end": "2026-11-24T10:00:00Z"}
        kept = {name: value for name, value in wanted.items() if value is not None}
        held["spec"]["backfill"] = {**held["spec"].get("backfill", end), **kept}
    return held


def main(words: list[str]) -> int:
    where = os.environ["ANSWERS"]
    if where == "no-cluster":
        code, text = 1, NO_CLUSTER
    elif where.startswith("no-permission"):
        code, text = forbid(words)
    else:
        code, text = answer(words)
    print(text, file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
