"""`crdgen reference`: the fields of definitions as a page for people."""

import argparse
import sys
from pathlib import Path

HELP = "write the fields of definitions as Markdown"
EXAMPLE = """\
example:
  crdgen reference widgets.yaml -o docs/reference/api.md

Every field with its path, type, default, bounds and description, in Markdown.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the subcommand."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="YAML or JSON")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="file to replace")


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
