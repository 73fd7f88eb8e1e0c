"""The bill of materials, and the image's last command: minutes, so `make image-check` runs them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.image import dockerfile
from tests.image.dockerfile import ROOT, only
from tests.image.image import Image
from tests.image.place import UV

pytestmark = pytest.mark.proof

NAMES = """
import importlib.metadata as m, re
for d in m.distributions(): print(re.sub(r"[-_.]+", "-", d.name).lower(), d.version)
"""


def bill() -> str:
    """What `make sbom` writes."""
    exported = subprocess.run(
        [UV, "export", "--quiet", "--locked", "--no-dev", "--format", "cyclonedx1.5"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return subprocess.run(
        [sys.executable, ROOT / "hack/image/sbom.py"],
        input=exported.stdout.decode(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.fixture(scope="module")
def components() -> list[dict[str, Any]]:
    document: dict[str, Any] = json.loads(bill())
    return [document["metadata"]["component"], *document["components"]]


def test_the_same_lock_gives_the_same_bytes() -> None:
    assert bill() == bill()


def test_the_bill_keeps_to_the_published_schema() -> None:
    validation = pytest.importorskip("cyclonedx.validation.json", reason="uv run --group image")
    schema = pytest.importorskip("cyclonedx.schema")
    check = validation.JsonStrictValidator(schema.SchemaVersion.V1_5)
    document = json.loads(bill())
    for component in document["components"]:  # a second each: a few of one shape are enough
        component["externalReferences"] = component.get("externalReferences", [])[:1]
    document["components"][3:] = [
        {**component, "externalReferences": []} for component in document["components"][3:]
    ]
    assert check.validate_str(json.dumps(document)) is None


def test_the_bill_lists_what_is_in_the_image_and_what_other_machines_need_besides(
    image: Image, components: list[dict[str, Any]]
) -> None:
    inside = set(image.python_says(NAMES).splitlines())
    told = {f"{each['name']} {each['version']}" for each in components}
    assert inside <= told
    marked = {
        f"{each['name']} {each['version']}"
        for each in components
        if any(entry["name"] == "uv:package:marker" for entry in each.get("properties", []))
    }
    assert told - inside <= marked


def test_every_part_of_the_bill_can_be_looked_up(components: list[dict[str, Any]]) -> None:
    for each in components:
        assert each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}"


def test_the_standard_library_compiles_as_the_image_has_it_compiled(
    image: Image, tmp_path: Path
) -> None:
    (run,) = only(dockerfile.final(), "RUN")
    done = subprocess.run(
        ["/bin/sh", "-c", run.text],
        env={**image.place.env, "PYTHONPYCACHEPREFIX": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    compiled = {path.name.partition(".")[0] for path in tmp_path.rglob("*.pyc")}
    assert {"ssl", "socket", "argparse"} <= compiled
    assert all(path.read_bytes()[4] == 1 for path in tmp_path.rglob("*.pyc"))
