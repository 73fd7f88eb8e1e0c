"""`crdgen check`: would the API server take these definitions?"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crdgen.checks import Verdict

_EXAMPLE = """\
example:
  python -m crdgen check widgets.yaml
  python -m crdgen check --costs -o json config/crd/*.yaml

Answers as kube-apiserver 1.37 does for kubectl apply, without a cluster: unknown fields, names,
structural schemas, defaults, columns, and CEL rules with their estimated cost, which the server
limits to 10,000,000 a rule and 100,000,000 a schema.
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "check",
        help="say whether the API server would take definitions",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="YAML or JSON")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.add_argument("--costs", action="store_true", help="list what every CEL rule costs")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check; 0 when all would be taken, 1 when one would not."""
    from crdgen.checks import judge  # noqa: PLC0415 - commands import lazily
    from crdgen.definition import read  # noqa: PLC0415

    judged = [(path, judge(each)) for path in arguments.files for each in read(path)]
    if arguments.output == "json":
        report = [_as_json(path, verdict) for path, verdict in judged]
        sys.stdout.write(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    else:
        for path, verdict in judged:
            sys.stdout.write(_as_text(path, verdict, costs=arguments.costs))
    return 0 if all(verdict.accepted for _, verdict in judged) else 1


def _as_json(path: Path, verdict: "Verdict") -> dict[str, Any]:
    return {
        "file": str(path),
        "name": verdict.name,
        "accepted": verdict.accepted,
        "problems": [
            {"field": each.field, "kind": each.kind, "message": str(each)}
            for each in verdict.problems
        ],
        "costs": [
            {
                "path": each.path,
                "each": each.each,
                "times": each.times,
                "total": each.total,
                "unbounded": list(each.unbounded),
            }
            for each in verdict.costs
        ],
    }


def _as_text(path: Path, verdict: "Verdict", *, costs: bool) -> str:
    total = sum(cost.total for cost in verdict.costs)
    rules = f", {len(verdict.costs)} CEL expressions cost {total:,} of 100,000,000"
    told = "would be accepted" if verdict.accepted else "would be refused"
    lines = [f"{path}: {verdict.name}: {told}{rules if verdict.costs else ''}"]
    lines += [f"  {problem}" for problem in verdict.problems]
    if costs:
        lines += [
            f"  {cost.total:>12,} = {cost.each:,} x {cost.times:,}  {cost.path}"
            + (f"  (no bound: {', '.join(cost.unbounded[:3])})" if cost.unbounded else "")
            for cost in sorted(verdict.costs, key=lambda cost: -cost.total)
        ]
    return "\n".join(lines) + "\n"
