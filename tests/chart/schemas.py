"""Writes the JSON schemas that kubeconform wants, from what a real API server says of itself.

Used by `test_conformance.py`. Published collections of schemas are made the same way; these are
of the very version that the tests run, and nothing is fetched.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.chart.helm import Object

PREFIX = "#/components/schemas/"
LOCATION = "{{ .ResourceKind }}{{ .KindSuffix }}.json"
"""The name of a kind's file, as kubeconform's `-schema-location` spells it."""


def write(kubeconfig: Path, versions: set[str], folder: Path) -> None:
    """Write the schema of every kind of `versions` (such as `apps/v1`), strict."""
    for version in sorted(versions):
        path = f"api/{version}" if "/" not in version else f"apis/{version}"
        schemas = get(kubeconfig, f"/openapi/v3/{path}")["components"]["schemas"]
        for kind, name in kinds(schemas, version):
            (folder / f"{file_of(version, kind)}.json").write_text(json.dumps(whole(schemas, name)))


def file_of(version: str, kind: str) -> str:
    """Give a kind's file as kubeconform names it: kind, first word of the group, version.

    >>> file_of("apps/v1", "Deployment")
    'deployment-apps-v1'
    """
    group, _, number = version.rpartition("/")
    return "-".join(filter(None, [kind, group.split(".")[0], number])).lower()


def kinds(schemas: Object, version: str) -> Iterator[tuple[str, str]]:
    """Yield the kinds of a version, each with the name of its schema."""
    for name, schema in schemas.items():
        for known in schema.get("x-kubernetes-group-version-kind", []):
            if "/".join(filter(None, [known["group"], known["version"]])) == version:
                yield known["kind"], name


def whole(schemas: Object, name: str) -> Object:
    """Give a schema with all that it refers to."""
    definitions = {each: strict(schema) for each, schema in schemas.items()}
    return {"$ref": f"#/definitions/{name}", "definitions": definitions}


def strict(schema: Object) -> Object:
    """Refuse unknown fields, wherever the fields are known."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"].replace(PREFIX, "#/definitions/")}
    found = {key: value for key, value in schema.items() if key != "default"}
    for key in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(key), dict):
            found[key] = strict(schema[key])
    for key in ("allOf", "anyOf", "oneOf"):
        if key in schema:
            found[key] = [strict(each) for each in schema[key]]
    if "properties" in schema:
        found["properties"] = {name: strict(each) for name, each in schema["properties"].items()}
        found.setdefault("additionalProperties", False)
    return found


def get(kubeconfig: Path, path: str) -> Any:
    """Read JSON from the API server of a stack, as its admin."""
    kubectl = str(kubeconfig.parent / "bin" / "kubectl")
    words = [kubectl, f"--kubeconfig={kubeconfig}", "get", "--raw", path]
    return json.loads(subprocess.run(words, capture_output=True, check=True, timeout=30).stdout)
