"""`crdgen validate`: would these objects be admitted by this definition?"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crdgen.admission.validate import ValidationResult

HELP = "say whether objects are admitted"
EXAMPLE = """\
example:
  crdgen validate widgets.yaml my-widget.yaml
  crdgen validate widgets.yaml changed.yaml --old stored.yaml

With --old, the object is an update: transition rules run, and a value that the update does not
change is not refused. -o json also prints the object as it would be stored.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the subcommand."""
    parser.add_argument("crd", type=Path, metavar="CRD", help="file with one definition")
    parser.add_argument("objects", nargs="+", type=Path, metavar="OBJECT", help="YAML or JSON")
    parser.add_argument(
        "--old",
        type=Path,
        metavar="FILE",
        help="file with the stored object: check an update of it",
    )
    parser.add_argument("--lenient", action="store_true", help="only warn about unknown fields")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")


def run(arguments: argparse.Namespace) -> int:
    """Validate; 0 when all would be admitted, 1 when one would not."""
    from crdgen.admission.validate import validate_object  # noqa: PLC0415 - commands import lazily
    from crdgen.definition import read_definition  # noqa: PLC0415
    from crdgen.yaml_reader import read_documents  # noqa: PLC0415

    definition = read_definition(arguments.crd)
    stored = _by_name(read_documents(arguments.old)) if arguments.old else {}
    judged = [
        (path, validate_object(definition, each, stored.get(_name(each))))
        for path in arguments.objects
        for each in _read_objects(path)
    ]
    strict = not arguments.lenient
    if arguments.output == "json":
        report = [_as_json(outcome, strict=strict) for _, outcome in judged]
        sys.stdout.write(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.writelines(_as_text(path, outcome, strict=strict) for path, outcome in judged)
    return 0 if all(_passes(outcome, strict=strict) for _, outcome in judged) else 1


def _read_objects(path: Path) -> list[dict[str, Any]]:
    from crdgen.errors import InputError  # noqa: PLC0415
    from crdgen.yaml_reader import read_documents  # noqa: PLC0415

    found = read_documents(path)
    if not found:
        raise InputError(f"{path}: holds no object")
    return found


def _passes(outcome: "ValidationResult", *, strict: bool) -> bool:
    return outcome.admitted and not (strict and outcome.unknown)


def _name(each: dict[str, Any]) -> tuple[str, str]:
    metadata = each.get("metadata") or {}
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _by_name(objects: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {_name(each): each for each in objects}


def _as_json(outcome: "ValidationResult", *, strict: bool) -> dict[str, Any]:
    return {
        "name": outcome.name,
        "allowed": _passes(outcome, strict=strict),
        "problems": [
            {"field": each.field, "kind": each.kind, "message": str(each)}
            for each in outcome.problems
        ],
        "unknown": list(outcome.unknown),
        "object": outcome.object,
    }


def _as_text(path: Path, outcome: "ValidationResult", *, strict: bool) -> str:
    verdict = "would be admitted" if _passes(outcome, strict=strict) else "would be refused"
    lines = [f"{path}: {outcome.name or 'unnamed'}: {verdict}"]
    lines += [f"  {problem}" for problem in outcome.problems]
    kind = "strict decoding error" if strict else "warning"
    lines += [f'  {kind}: unknown field "{field}"' for field in outcome.unknown]
    return "\n".join(lines) + "\n"
