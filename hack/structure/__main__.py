"""Measures the structure of the code: files and lines per package, and files on two paths.

    make structure                      print the table
    python -m hack.structure --write    put it into docs/architecture.md
    python -m hack.structure --files    list the files on both paths as well

The two paths are traced, not estimated: a real worker runs one window of a backfill on a real API
server and the local Kusto endpoint, and a real webhook answers one review, both under
`sys.setprofile`. Only files of the product count.
"""

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from hack.structure.paths import review_files, window_files

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("summaryrule", "runtime", "worker", "webhook", "plugin")
OTHERS = ("crdgen", "emulator", "devstack")
SMALL = 60
_PLACE = re.compile(r"(<!-- structure -->\n).*?(<!-- /structure -->)", re.DOTALL)


def sources(package: str) -> list[Path]:
    """The Python files of a package."""
    return sorted((ROOT / package).rglob("*.py"))


def lines(paths: Iterable[Path]) -> int:
    """Lines in files, blank ones and comments included."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def small(paths: Iterable[Path]) -> list[Path]:
    """Modules under 60 lines; the `__init__.py` of a package is none."""
    return [path for path in paths if path.name != "__init__.py" and lines([path]) < SMALL]


def table(window: list[str], decisions: int, review: list[str]) -> str:
    """The tables as Markdown."""
    rows = ["| Package | Files | Lines | Modules under 60 lines |", "|---|---|---|---|"]
    for package in (*PACKAGES, *OTHERS):
        found = sources(package)
        rows.append(f"| `{package}/` | {len(found)} | {lines(found):,} | {len(small(found))} |")
    product = [path for package in PACKAGES for path in sources(package)]
    rows.append(
        f"| the first five together | {len(product)} | {lines(product):,} | {len(small(product))} |"
    )
    path = "a backfill of one window, from the watch event to the removal of `spec.backfill`"
    return "\n".join(
        (
            *rows,
            "",
            "| Path | Files |",
            "|---|---|",
            f"| {path} ({decisions} calls of `decide`) | {len(window)} |",
            f"| one admission review, from the request to the response | {len(review)} |",
        )
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m hack.structure", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    parser.add_argument("--files", action="store_true", help="list the files on both paths")
    options = parser.parse_args(arguments)
    window, decisions = window_files(ROOT, PACKAGES)
    review = review_files(ROOT, PACKAGES)
    made = table(window, decisions, review)
    print(made)
    if options.files:
        print("\n".join(["window:", *window, "review:", *review]))
    if options.write:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(_PLACE.sub(rf"\g<1>\n{made}\n\g<2>", text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
