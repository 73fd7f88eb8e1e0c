"""`crdgen diff`: what does this change of a definition do to those who use it?"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crdgen.compatibility.change import Change

HELP = "say whom a change of a definition breaks"
EXAMPLE = """\
example:
  crdgen diff released.yaml widgets.yaml
  crdgen diff -o markdown --waivers waivers.yaml released.yaml widgets.yaml

breaking   a stored object, a client or a manifest stops working, or data is stored differently
ratcheted  breaks clients that create or change objects: some values that were accepted are now
           refused; stored values that do not change still work
safe       every object that was admitted is still admitted

Exit code 1 if no waiver covers a breaking or ratcheted change.
A waiver file is a list of {rule, path, reason}; * in rule and path matches any text.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the subcommand."""
    parser.add_argument("old", type=Path, metavar="OLD", help="file with the released definition")
    parser.add_argument("new", type=Path, metavar="NEW", help="file with the changed definition")
    parser.add_argument("-o", "--output", choices=("text", "json", "markdown"), default="text")
    parser.add_argument(
        "--waivers", type=Path, metavar="FILE", help="file with the changes that are allowed"
    )
    parser.add_argument("--strict", action="store_true", help="the default since 0.2")


def run(arguments: argparse.Namespace) -> int:
    """Compare; 0 when nothing breaks, 1 when something does."""
    from crdgen.compatibility import compare, waivers  # noqa: PLC0415 - commands import lazily
    from crdgen.definition import read_definition  # noqa: PLC0415

    known = waivers.read_waivers(arguments.waivers) if arguments.waivers else []
    found = compare(read_definition(arguments.old), read_definition(arguments.new))
    changes, unused = waivers.apply_waivers(found, known)
    writers = {"text": _text, "json": _json, "markdown": _markdown}
    sys.stdout.write(writers[arguments.output](changes))
    for each in unused:
        sys.stderr.write(f"crdgen: waiver for {each['rule']} at {each['path']} waives nothing\n")
    return int(any(change.grade != "safe" and not change.waived for change in changes))


def _json(changes: "list[Change]") -> str:
    return json.dumps([asdict(change) for change in changes], indent=2, ensure_ascii=False) + "\n"


def _text(changes: "list[Change]") -> str:
    if not changes:
        return "no changes\n"
    lines = []
    for change in changes:
        lines.append(f"{change.grade:<9}  {change.path}: {change.what}  [{change.rule}]")
        lines.append(f"           {change.why} (hits {change.hits})")
        if change.waived:
            lines.append(f"           waived: {change.waived}")
    counts = [
        f"{sum(c.grade == g for c in changes)} {g}" for g in ("breaking", "ratcheted", "safe")
    ]
    return "\n".join([*lines, ", ".join(counts)]) + "\n"


def _markdown(changes: "list[Change]") -> str:
    rows = ["| Grade | Path | Change | Why | Hits |", "|---|---|---|---|---|"]
    for change in changes:
        grade = f"{change.grade} (waived: {change.waived})" if change.waived else change.grade
        cells = (grade, f"`{change.path}`", change.what, change.why, change.hits)
        rows.append("| " + " | ".join(each.replace("|", "\\|") for each in cells) + " |")
    return "\n".join(rows) + "\n"
