"""`python -m bench.crdgen`: crdgen and controller-gen 0.23 on equal types, measured.

Each run is a process of its own; its wall time is taken by the caller and its peak memory by the
kernel, children included. Warm runs find their caches filled (Python's bytecode, Go's build
cache), cold ones find them empty; the disk's cache is warm in both.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.crdgen import gotypes
from crdgen import diff, generate
from crdgen.model_loader import load_model
from crdgen.yaml_reader import read_documents

HERE = Path(__file__).parent
MODEL = "summaryrule.api.v1:SummaryRule"


@dataclass(frozen=True, slots=True)
class Run:
    """Wall and CPU time in seconds and peak memory in MiB of one process."""

    seconds: float
    cpu: float
    mebibytes: float


def timed(command: Sequence[str], folder: Path, environment: dict[str, str]) -> Run:
    """Run a command that must succeed."""
    start = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - the two generators
        command, cwd=folder, env=os.environ | environment, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {process.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    return Run(time.perf_counter() - start, cpu, usage.ru_maxrss / 1024)


def measured(make: Callable[[Path], Run], cold: int, warm: int) -> dict[str, list[Run]]:
    """Runs with an empty cache folder each, and runs that share a filled one."""
    with tempfile.TemporaryDirectory() as shared:
        make(Path(shared))
        found = {"warm": [make(Path(shared)) for _ in range(warm)], "cold": []}
    for _ in range(cold):
        with tempfile.TemporaryDirectory() as fresh:
            found["cold"].append(make(Path(fresh)))
    return found


def crdgen(caches: Path, output: Path, root: Path) -> Run:
    """One run of `crdgen generate`."""
    command = [sys.executable, "-m", "crdgen", "generate", MODEL, "-o", str(output)]
    environment = {"PYTHONPYCACHEPREFIX": str(caches), "PYTHONDONTWRITEBYTECODE": ""}
    return timed(command, root, environment)


def controller_gen(caches: Path, binary: Path, module: Path) -> Run:
    """One run of controller-gen."""
    command = [str(binary), "crd:generateEmbeddedObjectMeta=false", "paths=./...",
               "output:crd:dir=out"]  # fmt: skip
    return timed(command, module, {"GOCACHE": str(caches), "GOFLAGS": "-mod=mod"})


def go_module(folder: Path) -> tuple[Path, Path]:
    """A Go module with the types, and controller-gen as its go.mod pins it, built."""
    for name in ("go.mod", "go.sum"):
        shutil.copy(HERE / name, folder / name)
    crd = generate(load_model(MODEL))[0]
    package = folder / crd["spec"]["versions"][0]["name"]
    package.mkdir()
    (package / "types.go").write_text(gotypes.written(crd), encoding="utf-8")
    binary = folder / "controller-gen"
    tool = "sigs.k8s.io/controller-tools/cmd/controller-gen"
    subprocess.run(["go", "build", "-o", binary, tool], cwd=folder, check=True)  # noqa: S603, S607
    return binary, folder


def equal(module: Path) -> list[str]:
    """How what controller-gen wrote differs from what crdgen writes, descriptions aside."""
    theirs = read_documents(next((module / "out").glob("*.yaml")))[0]
    return [f"{each.path}: {each.what}" for each in diff(theirs, generate(load_model(MODEL))[0])]


def shown(runs: dict[str, dict[str, list[Run]]]) -> str:
    """A table of medians and ranges."""
    rows = ["| | wall, median (range) | CPU, median | peak memory, median |", "|---|---|---|---|"]
    for name, kinds in runs.items():
        for kind, each in kinds.items():
            seconds = sorted(run.seconds for run in each)
            spread = f"{seconds[0]:.2f}-{seconds[-1]:.2f} s, {len(each)} runs"
            wall = f"{median(seconds):.2f} s ({spread})"
            cpu = f"{median(run.cpu for run in each):.2f} s"
            memory = f"{median(run.mebibytes for run in each):.0f} MiB"
            rows.append(f"| {name}, {kind} | {wall} | {cpu} | {memory} |")
    ratios = {
        kind: median(r.seconds for r in runs["controller-gen"][kind])
        / median(r.seconds for r in runs["crdgen"][kind])
        for kind in ("warm", "cold")
    }
    told = ", ".join(f"{ratio:.1f} times {kind}" for kind, ratio in ratios.items())
    return "\n".join([*rows, "", f"controller-gen takes {told} what crdgen takes."])


def main() -> int:
    """Measure both and print the table; needs Go on PATH."""
    parser = argparse.ArgumentParser(prog="bench.crdgen", description=__doc__)
    parser.add_argument("--warm", type=int, default=10)
    parser.add_argument("--cold", type=int, default=3)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work, "go")
        folder.mkdir()
        binary, module = go_module(folder)
        output, root = Path(work, "crd.yaml"), HERE.parents[1]
        counts = {"cold": arguments.cold, "warm": arguments.warm}
        runs = {
            "crdgen": measured(lambda caches: crdgen(caches, output, root), **counts),
            "controller-gen": measured(lambda c: controller_gen(c, binary, module), **counts),
        }
        differences = equal(module)
    if arguments.output == "json":
        report = {
            name: {
                kind: [[r.seconds, r.cpu, r.mebibytes] for r in each]
                for kind, each in kinds.items()
            }
            for name, kinds in runs.items()
        }
        sys.stdout.write(json.dumps(report | {"differences": differences}, indent=2) + "\n")
    else:
        told = "\n".join(f"- {each}" for each in differences) or "none"
        sys.stdout.write(f"{shown(runs)}\n\nDifferences between the two definitions: {told}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
