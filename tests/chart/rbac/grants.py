"""The verbs of the chart's roles on a live API server: listed, taken away, given back.

Used by `test_proof.py`.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.chart.helm import Object, only
from tests.chart.rbac.bench import Bench

SETTLED_WITHIN = 10.0


@dataclass(frozen=True, order=True)
class Grant:
    """One verb on one resource in one role; `name` where the rule is for one object alone."""

    role: str
    resource: str
    verb: str
    name: str = ""

    def __str__(self) -> str:
        """Say it as kubectl would."""
        what = f"{self.resource}/{self.name}" if self.name else self.resource
        return f"{self.role}: {self.verb} {what}"


def granted(role: Object, who: str) -> set[Grant]:
    """Give every verb of a rendered role, `who` for short."""
    return {
        Grant(who, resource, verb, name)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


def lessened(role: Object, grant: Grant) -> Object:
    """Give a role without one verb. Rules are split, so that nothing else goes with it."""
    rules = [
        {"apiGroups": rule["apiGroups"], "resources": [resource], "verbs": [verb], **names}
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for names in [{"resourceNames": [each]} for each in rule.get("resourceNames", [])] or [{}]
        if (resource, verb, *names.get("resourceNames", [""]))
        != (grant.resource, grant.verb, grant.name)
    ]
    return {**role, "rules": rules}


def roles(objects: list[Object], name: str) -> list[Object]:
    """Give the Role and the ClusterRole of a name, those there are."""
    return [
        only(objects, kind, name)
        for kind in ("Role", "ClusterRole")
        if any((each["kind"], each["metadata"]["name"]) == (kind, name) for each in objects)
    ]


@contextmanager
def without(bench: Bench, rendered: list[Object], grant: Grant) -> Iterator[None]:
    """Take a verb away for a `with` block."""
    (role,) = [each for each in rendered if grant in granted(each, grant.role)]
    bench.replace(lessened(role, grant))
    try:
        bench.until(lambda: not may(bench, grant), "the verb to be gone", SETTLED_WITHIN)
        yield
    finally:
        bench.replace(role)
        bench.until(lambda: may(bench, grant), "the verb to be back", SETTLED_WITHIN)


def may(bench: Bench, grant: Grant) -> bool:
    """Ask the API server, which takes a moment to heed a role that has changed."""
    resource, _, part = grant.resource.partition("/")
    attributes = {
        "namespace": bench.namespace,
        "verb": grant.verb,
        "group": bench.groups[resource],
        "resource": resource,
        "subresource": part,
        "name": grant.name,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": bench.user(grant.role), "resourceAttributes": attributes},
    }
    answer = json.loads(bench.kubectl("create", "-f", "-", "-ojson", given=json.dumps(review)))
    allowed: bool = answer["status"]["allowed"]
    return allowed
