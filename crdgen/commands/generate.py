"""`crdgen generate`: models in, CustomResourceDefinitions out."""

import argparse
import sys
from pathlib import Path

_EXAMPLE = """\
example:
  # myapp/v1.py
  class Widget(BaseModel):
      model_config = ConfigDict(json_schema_extra={
          "x-kubernetes-crd": {"group": "example.com", "version": "v1"}})
      spec: WidgetSpec

  python -m crdgen generate myapp.v1:Widget -o widgets.yaml

Name several models of one kind to get one definition with several versions.
--verify compares with -o FILE instead of writing it: exit 1 when they differ.
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "generate",
        help="write the CustomResourceDefinition of Pydantic models",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", nargs="+", metavar="MODULE:MODEL", help="root models")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="file to replace")
    parser.add_argument("--verify", action="store_true", help="write nothing; exit 1 on drift")
    parser.add_argument("--allow-float", action="store_true", help="accept float fields")
    parser.add_argument("--allow-any", action="store_true", help="accept untyped data")
    parser.add_argument("--depth", type=int, default=0, help="unroll recursive models N times")
    parser.add_argument("--no-descriptions", action="store_true", help="leave descriptions out")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Generate; 0 when written (or equal, with --verify), 1 on drift."""
    from crdgen import assemble, document, files, load  # noqa: PLC0415 - commands import lazily
    from crdgen.options import Options  # noqa: PLC0415

    options = Options(
        allow_float=arguments.allow_float,
        allow_any=arguments.allow_any,
        depth=arguments.depth,
        descriptions=not arguments.no_descriptions,
    )
    models = [load.model(reference) for reference in arguments.models]
    text = document.to_yaml(*assemble.generate(*models, options=options))
    if arguments.verify:
        return _verified(arguments.output, text)
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        files.write(arguments.output, text)
    return 0


def _verified(output: Path | None, text: str) -> int:
    from crdgen.errors import InputError  # noqa: PLC0415

    if output is None:
        raise InputError("--verify compares with a file: name it with -o FILE")
    if output.is_file() and output.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{output}: differs from the models; generate it again\n")
    return 1
