"""The chart's values: each is described, and a wrong one is refused in words that help."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.helm import CHART, RELEASE, Helm, Object

SCHEMA: Object = json.loads((CHART / "values.schema.json").read_text())
CLUSTER = "https://mycluster.westeurope.kusto.windows.net"

WRONG: dict[str, tuple[Object, str]] = {
    "an unknown value": (
        {"workker": {"replicas": 1}},
        "at '/workker': value must be 'a key that the chart has here: adaptSecurityContext,",
    ),
    "a misspelt value": (
        {"worker": {"replica": 3}},
        "at '/worker/replica': value must be 'a key that the chart has here: adoptOwners,",
    ),
    "words for a number": (
        {"worker": {"replicas": "two"}},
        "at '/worker/replicas': got string, want integer",
    ),
    "less than none": ({"webhook": {"replicas": -1}}, "at '/webhook/replicas': minimum: got -1"),
    "a level that is none": (
        {"worker": {"logLevel": "verbose"}},
        "must be one of 'debug', 'info', 'warning', 'error'",
    ),
    "one line of options": (
        {"worker": {"extraArgs": "--workers=16"}},
        "at '/worker/extraArgs': got string, want array",
    ),
    "a mode that was removed": (
        {"worker": {"mode": "backfill"}},
        "at '/worker/mode': value must be 'left out: backfill was removed,",
    ),
    "a failure policy in lower case": (
        {"webhook": {"failurePolicy": "fail"}},
        "must be one of 'Fail', 'Ignore'",
    ),
    "a webhook that keeps the API server waiting": (
        {"webhook": {"timeoutSeconds": 30}},
        "at '/webhook/timeoutSeconds': maximum: got 30, want 5",
    ),
    "a cluster without https": (
        {"kusto": {"endpoints": {"Telemetry": "mycluster.westeurope"}}},
        "with https, without ingest- and without a path, such as https://mycluster",
    ),
    "a cluster in the clear": (
        {"kusto": {"endpoints": {"Telemetry": "http://mycluster.westeurope.kusto.windows.net"}}},
        "with https, without ingest- and without a path",
    ),
    "a database in the path": (
        {"kusto": {"endpoints": {"Telemetry": f"{CLUSTER}/Telemetry"}}},
        "with https, without ingest- and without a path",
    ),
    "an ingestion endpoint": (
        {"kusto": {"endpoints": {"Telemetry": CLUSTER.replace("://", "://ingest-")}}},
        "query URL with https, without ingest-",
    ),
    "an endpoint without its database": (
        {"kusto": {"endpoints": CLUSTER}},
        "at '/kusto/endpoints': got string, want object",
    ),
    "a database that cannot be": (
        {"kusto": {"endpoints": {"Tele/metry": CLUSTER}}},
        "the name of a database: ASCII letters, digits, space and _ . -",
    ),
    "a cluster label that Kusto cannot bind": (
        {"worker": {"clusterLabels": {"cloud-region": "eu"}}},
        "a Kusto identifier (letters, digits and _, not beginning with a digit)",
    ),
    "a cluster label that hides the window": (
        {"worker": {"clusterLabels": {"startTime": "x"}}},
        "other than startTime and endTime",
    ),
    "a cluster label that is a number": (
        {"worker": {"clusterLabels": {"zone": 1}}},
        "at '/worker/clusterLabels/zone': got number, want string",
    ),
    "an identity without its id": (
        {"workloadIdentity": {"enabled": True}},
        "the client id of the managed identity, because workloadIdentity.enabled is true",
    ),
    "an identity by name": (
        {"workloadIdentity": {"clientId": "my-identity"}},
        "a GUID such as 01234567-89ab-cdef-0123-456789abcdef",
    ),
    "a certificate mode that is none": (
        {"certificates": {"mode": "cert-manager"}},
        "must be one of 'self', 'certManager', 'existingSecret'",
    ),
    "a Secret without its name": (
        {"certificates": {"mode": "existingSecret"}},
        "the name of your kubernetes.io/tls Secret, because certificates.mode is existingSecret",
    ),
    "a duration in days": (
        {"certificates": {"certManager": {"duration": "90d"}}},
        "a Go duration such as 2160h (days are written as hours: 24h)",
    ),
    "a tag in the repository": (
        {"image": {"repository": "registry.example.com/summaryrule-operator:1.0"}},
        "the tag goes to image.tag, a digest to image.digest",
    ),
    "a value in the wrong place": (
        {"crds": {"create": True}},
        "at '/crds/create': value must be 'a key that the chart has here: enabled, keep'",
    ),
    "an account that nobody makes": (
        {"webhook": {"serviceAccount": {"create": False}}},
        "at '/webhook/serviceAccount/name': value must be 'the name of a ServiceAccount that",
    ),
    "a digest that is cut": (
        {"image": {"digest": "sha256:abc"}},
        "sha256: and 64 hexadecimal digits",
    ),
    "a number for a tag": ({"image": {"tag": 1.1}}, "at '/image/tag': got number, want string"),
    "a pull secret by name alone": (
        {"imagePullSecrets": ["registry"]},
        "at '/imagePullSecrets/0': got string, want object",
    ),
    "an address of one node": (
        {"bindAddress": "10.0.0.4"},
        "0.0.0.0, or :: in an IPv6-only cluster",
    ),
    "yes for true": ({"crds": {"keep": "yes"}}, "at '/crds/keep': got string, want boolean"),
    "a variable that no shell has": (
        {"webhook": {"env": {"2FA": "on"}}},
        "the name of an environment variable: letters, digits and _",
    ),
    "an account with capitals": (
        {"worker": {"serviceAccount": {"name": "My_Worker"}}},
        "the name of a ServiceAccount: lower-case letters, digits, - and .",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_is_refused_with_where_and_what_to_write(helm: Helm, case: str) -> None:
    values, sentence = WRONG[case]
    done = helm.try_to("template", RELEASE, str(CHART), values=values)
    assert done.returncode != 0
    assert sentence in done.stderr


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"kusto": {"endpoints": {"Telemetry": CLUSTER, "Raw Logs": "http://127.0.0.1:8080"}}},
        {"worker": {"clusterLabels": {"region": "westeurope", "_cloud": "public"}}},
        {"certificates": {"mode": "existingSecret", "existingSecret": {"name": "webhook-tls"}}},
        {"certificates": {"mode": "certManager"}},
    ],
)
def test_the_chart_lints_strictly_with_values_that_people_use(helm: Helm, values: Object) -> None:
    helm.run("lint", "--strict", str(CHART), values=values)


def test_every_value_is_described_in_a_sentence() -> None:
    bare = [
        path
        for path, node in nodes(SCHEMA)
        if not node.get("description", "").endswith((".", "API.", ")"))
    ]
    assert bare == []


def test_every_object_of_the_schema_refuses_what_it_does_not_know() -> None:
    lax = [path for path, node in nodes(SCHEMA) if "properties" in node and is_open(node)]
    assert lax == []


def test_an_unknown_value_is_answered_with_all_that_there_are() -> None:
    told = {
        path: node["additionalProperties"]["const"].partition("here: ")[2].split(", ")
        for path, node in [("", SCHEMA), *nodes(SCHEMA)]
        if "properties" in node and "const" in node.get("additionalProperties", {})
        if "here: " in node["additionalProperties"]["const"]
    }
    parts = {path: node for path, node in [("", SCHEMA), *nodes(SCHEMA)] if path in told}
    unused = {"global", "enabled"}
    known = {
        path: sorted(parts[path]["properties"].keys() - (set() if path else unused))
        for path in told
    }
    assert told == known
    assert len(told) > 15


def test_the_values_file_holds_every_value_and_no_other(values: Path) -> None:
    written = yaml.safe_load(values.read_text())
    assert missing(SCHEMA, written) == ["global", "enabled"]


def is_open(node: Object) -> bool:
    return node.get("additionalProperties", True) is True


def nodes(node: Object, path: str = "") -> Iterator[tuple[str, Object]]:
    for name, child in node.get("properties", {}).items():
        if "const" not in child:
            yield f"{path}{name}", child
            yield from nodes(child, f"{path}{name}.")


def missing(schema: Object, written: Any, path: str = "") -> list[str]:
    """Name what the schema has and the values file has not; parts given whole are not entered."""
    if written == {}:
        return []
    lacks = []
    for name, child in schema.get("properties", {}).items():
        if name not in written:
            lacks += [f"{path}{name}"] if "const" not in child and child.get("type") else []
        elif isinstance(written[name], dict):
            lacks += missing(child, written[name], f"{path}{name}.")
    return [each for each in lacks if not each.endswith("resources.claims")]
