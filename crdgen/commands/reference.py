"""`crdgen reference`: the fields of definitions as a page for people."""

import argparse
import sys
from pathlib import Path

HELP = "write a Markdown page with the fields of definitions"
EXAMPLE = """\
example:
  crdgen reference widgets.yaml -o docs/reference/api.md

Writes each field with its path, type, default, limits and description, as Markdown.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the subcommand."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="YAML or JSON")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="file to write (default: standard output)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the page; 0 always."""
    from crdgen import atomic_write, reference  # noqa: PLC0415 - commands import lazily
    from crdgen.definition import read_definitions  # noqa: PLC0415

    text = reference.render_page(
        [each for path in arguments.files for each in read_definitions(path)]
    )
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        atomic_write.write_text(arguments.output, text)
    return 0
