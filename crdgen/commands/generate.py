"""`crdgen generate`: models in, CustomResourceDefinitions out."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crdgen.options import Options

HELP = "write the CustomResourceDefinition of Pydantic models"
EXAMPLE = """\
example:
  # myapp/v1.py
  class Widget(BaseModel):
      model_config = ConfigDict(json_schema_extra={
          "x-kubernetes-crd": {"group": "example.com", "version": "v1"}})
      spec: WidgetSpec

  crdgen generate myapp.v1:Widget -o widgets.yaml

If you give several models of one kind, the definition has several versions.
--reference also writes the page that `crdgen reference` writes.
--verify compares the files with the models and writes nothing. Exit code 1 if a file differs.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the subcommand."""
    parser.add_argument(
        "models", nargs="+", metavar="MODULE:MODEL", help="models of the whole object"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="file to write (default: standard output)"
    )
    parser.add_argument("--reference", type=Path, metavar="FILE", help="Markdown page to write")
    parser.add_argument(
        "--verify", action="store_true", help="write nothing; exit code 1 if a file differs"
    )
    parser.add_argument("--allow-float", action="store_true", help="accept float fields")
    parser.add_argument("--allow-any", action="store_true", help="accept untyped data")
    parser.add_argument("--depth", type=int, default=0, help="unroll recursive models N times")
    parser.add_argument("--no-descriptions", action="store_true", help="write no descriptions")


def run(arguments: argparse.Namespace) -> int:
    """Generate; 0 when written (or equal, with --verify), 1 on drift."""
    from crdgen import atomic_write  # noqa: PLC0415 - commands import lazily

    wanted = _render_outputs(arguments)
    if arguments.verify:
        return _verify(wanted)
    for path, text in wanted.items():
        if path is None:
            sys.stdout.write(text)
        else:
            atomic_write.write_text(path, text)
    return 0


def _render_outputs(arguments: argparse.Namespace) -> dict[Path | None, str]:
    """What belongs into which file; None is standard output."""
    from crdgen import assemble, model_loader, reference, yaml_writer  # noqa: PLC0415
    from crdgen.definition import decode_definition  # noqa: PLC0415

    models = [model_loader.load_model(each) for each in arguments.models]
    definitions = assemble.generate(*models, options=_options(arguments))
    wanted: dict[Path | None, str] = {arguments.output: yaml_writer.to_yaml(*definitions)}
    if arguments.reference is not None:
        wanted[arguments.reference] = reference.render_page(
            [decode_definition(each) for each in definitions]
        )
    return wanted


def _options(arguments: argparse.Namespace) -> "Options":
    from crdgen.options import Options  # noqa: PLC0415

    return Options(
        allow_float=arguments.allow_float,
        allow_any=arguments.allow_any,
        depth=arguments.depth,
        descriptions=not arguments.no_descriptions,
    )


def _verify(wanted: dict[Path | None, str]) -> int:
    from crdgen.errors import InputError  # noqa: PLC0415

    differing = []
    for path, text in wanted.items():
        if path is None:
            raise InputError("--verify compares with a file: name it with -o FILE")
        if not (path.is_file() and path.read_text(encoding="utf-8") == text):
            differing.append(path)
    for path in differing:
        sys.stderr.write(f"{path}: differs from the models; generate it again\n")
    return 1 if differing else 0
