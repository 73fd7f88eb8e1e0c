"""Compares the models here with their projects' published definitions, and checks real ones.

    python -m tests.crdgen.real FOLDER

FOLDER holds published definitions as YAML. Every one must pass `check`; for each that is modelled
here, the change to the generated one must not be breaking. Exit 1 when one is not so. No test
depends on the folder.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from crdgen import check, diff, generate
from crdgen.yaml_reader import read_documents
from tests.crdgen.models.argo import CronWorkflow
from tests.crdgen.models.cert_manager import Certificate
from tests.crdgen.models.gateway import GRPCRoute
from tests.crdgen.models.keda import ScaledObject

MODELS: tuple[type[BaseModel], ...] = (Certificate, CronWorkflow, GRPCRoute, ScaledObject)


def findings(folder: Path) -> Iterator[tuple[bool, str]]:
    """Whether each comparison is fine, and what it came to."""
    generated = {crd["metadata"]["name"]: crd for model in MODELS for crd in generate(model)}
    for path in sorted(folder.glob("*.yaml")):
        if not any(each.get("kind") == "CustomResourceDefinition" for each in read_documents(path)):
            continue
        for published in read_documents(path):
            verdict = check(published)
            yield verdict.accepted, f"{path.name}: check: {len(verdict.problems)} problems"
            mine = generated.pop(verdict.name, None)
            if mine is not None:
                grades = [change.grade for change in diff(published, mine)]
                counts = ", ".join(f"{grades.count(g)} {g}" for g in sorted(set(grades)))
                yield (
                    "breaking" not in grades,
                    f"{path.name}: diff to the model: {counts or 'none'}",
                )
    for name in generated:
        yield False, f"{name}: no published definition in {folder}"


def main() -> int:
    """Print the findings; 0 when all are fine."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m tests.crdgen.real FOLDER\n")
        return 2
    found = list(findings(Path(sys.argv[1])))
    for fine, line in found:
        sys.stdout.write(f"{'ok  ' if fine else 'FAIL'} {line}\n")
    return 0 if all(fine for fine, _ in found) else 1


if __name__ == "__main__":
    sys.exit(main())
