"""`crdgen check`: does the API server accept these definitions?"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crdgen.checks import CheckResult

HELP = "say whether the API server accepts definitions"
EXAMPLE = """\
example:
  crdgen check widgets.yaml
  crdgen check --costs -o json config/crd/*.yaml

Gives the same answer as kube-apiserver 1.37 to kubectl apply, without a cluster. Checks unknown
fields, names, structural schemas, defaults, columns, and CEL rules with their estimated cost. The
API server limits the cost to 10,000,000 per rule and 100,000,000 per schema.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the subcommand."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="YAML or JSON")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.add_argument(
        "--costs", action="store_true", help="list the estimated cost of every CEL rule"
    )


def run(arguments: argparse.Namespace) -> int:
    """Check; 0 when all would be taken, 1 when one would not."""
    from crdgen.checks import check_definition  # noqa: PLC0415 - commands import lazily
    from crdgen.definition import read_definitions  # noqa: PLC0415

    judged = [
        (path, check_definition(each))
        for path in arguments.files
        for each in read_definitions(path)
    ]
    if arguments.output == "json":
        report = [_as_json(path, result) for path, result in judged]
        sys.stdout.write(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    else:
        for path, result in judged:
            sys.stdout.write(_as_text(path, result, costs=arguments.costs))
    return 0 if all(result.accepted for _, result in judged) else 1


def _as_json(path: Path, result: "CheckResult") -> dict[str, Any]:
    return {
        "file": str(path),
        "name": result.name,
        "accepted": result.accepted,
        "problems": [
            {"field": each.field, "kind": each.kind, "message": str(each)}
            for each in result.problems
        ],
        "notes": list(result.notes),
        "costs": [
            {
                "path": each.path,
                "each": each.each,
                "times": each.times,
                "total": each.total,
                "unbounded": list(each.unbounded),
            }
            for each in result.costs
        ],
    }


def _as_text(path: Path, result: "CheckResult", *, costs: bool) -> str:
    total = sum(cost.total for cost in result.costs)
    rules = f", {len(result.costs)} CEL expressions cost {total:,} of 100,000,000"
    verdict = "would be accepted" if result.accepted else "would be refused"
    lines = [f"{path}: {result.name}: {verdict}{rules if result.costs else ''}"]
    lines += [f"  {problem}" for problem in result.problems]
    lines += [f"  note: {note}" for note in result.notes]
    if costs:
        lines += [
            f"  {cost.total:>12,} = {cost.each:,} x {cost.times:,}  {cost.path}"
            + (f"  (no bound: {', '.join(cost.unbounded[:3])})" if cost.unbounded else "")
            for cost in sorted(result.costs, key=lambda cost: -cost.total)
        ]
    return "\n".join(lines) + "\n"
