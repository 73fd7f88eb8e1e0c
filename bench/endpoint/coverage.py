"""How many of the queries in folders of rules the local endpoint knows, and what the others use.

usage: python -m bench.endpoint.coverage FOLDER…

A query is a `query:` text of a YAML file, a fenced `kql` or `kusto` block of a Markdown file, or a
whole `.kql`, `.kusto` or `.csl` file. Those with `summarize` are counted. A query is known when it
parses and the engine has every operator, function and aggregate in it: the tables of other people
are not there, so it is not run.
"""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from emulator.engine import syntax
from emulator.engine.aggregates import NAMES as AGGREGATES
from emulator.engine.compiler import KNOWN_OPERATORS
from emulator.engine.expressions import ExpressionBinder
from emulator.engine.functions import FUNCTIONS
from emulator.engine.parser import parse
from emulator.engine.problems import Problem, UnsupportedProblem
from emulator.engine.windows import WINDOWS

_FENCE = re.compile(r"```(?:kql|kusto|KQL|Kusto|csl)\s*\n(.*?)```", re.DOTALL)
_TABULAR = frozenset(("materialize", "table", "view", "database", "toscalar", "typeof"))
_FIELDS = ("query", "body", "Query")


def texts(name: str, content: str) -> Iterator[str]:
    """The queries in one file."""
    if name.endswith((".yaml", ".yml")):
        try:
            documents = list(yaml.safe_load_all(content))
        except yaml.YAMLError:
            return
        for document in documents:
            yield from _fields(document)
    elif name.endswith(".md"):
        yield from _FENCE.findall(content)
    elif name.endswith((".kql", ".kusto", ".csl")):
        yield from _paragraphs(content)


def _paragraphs(content: str) -> Iterator[str]:
    """The queries of a file that holds several: a blank line ends one, as in Kusto's editors."""
    query = ""
    for part in re.split(r"\n\s*\n", content):
        code = re.sub(r"//[^\n]*", "", query).strip()
        continues = part.lstrip().startswith("|") or code.endswith((";", "(", ",")) or not code
        if continues or code.count("(") > code.count(")"):
            query = f"{query}\n{part}"
        else:
            yield query
            query = part
    yield query


def _fields(node: Any) -> Iterator[str]:  # noqa: ANN401 - YAML
    if isinstance(node, dict):
        for key, value in node.items():
            if key in _FIELDS and isinstance(value, str):
                yield value
            else:
                yield from _fields(value)
    elif isinstance(node, list):
        for item in node:
            yield from _fields(item)


def files(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and content of the files of a folder, or of the last commit of a bare repository."""
    if (folder / "HEAD").exists():
        git = ["git", "-C", str(folder)]
        names = subprocess.run(  # noqa: S603 - git on a folder that the caller names
            [*git, "ls-tree", "-r", "--name-only", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for name in names:
            if name.endswith((".yaml", ".yml", ".md", ".kql", ".kusto", ".csl")):
                shown = subprocess.run(  # noqa: S603 - likewise
                    [*git, "show", f"HEAD:{name}"], capture_output=True, check=False
                ).stdout
                yield name, shown.decode("utf-8", "replace")
        return
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.name, path.read_text("utf-8", "replace")


def missing(text: str) -> list[str]:
    """What the query uses and the engine does not have; one sentence when it does not parse."""
    try:
        query = parse(text)
    except UnsupportedProblem as problem:
        return [problem.message]
    except Problem as problem:
        return [f"does not parse: {problem.message[:50]}"]
    own = {one.name for one in query.statements if isinstance(one, syntax.Let)}
    return sorted(set(_missing(query, own)))


def _missing(node: Any, own: set[str]) -> Iterator[str]:  # noqa: ANN401 - a syntax node
    if isinstance(node, syntax.Operator) and type(node) not in KNOWN_OPERATORS:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(node).__name__).lower()
        call = f" {node.call.name}()" if isinstance(node, syntax.Evaluate) else ""
        yield f"the operator '{name}{call}'"
    if isinstance(node, syntax.Let):
        own.add(node.name)
    if isinstance(node, syntax.Call) and not _is_known(node.name, own):
        yield f"the function '{node.name}()'"
    if isinstance(node, tuple):
        for item in node:
            yield from _missing(item, own)
    for name in getattr(node, "__dataclass_fields__", {}):
        yield from _missing(getattr(node, name), own)


def _is_known(name: str, own: set[str]) -> bool:
    if name in own or name in _TABULAR or name in WINDOWS or name in AGGREGATES:
        return True
    return name in FUNCTIONS or name in ExpressionBinder.SPECIAL


def main() -> int:
    """Print the counts by folder and what is missing, the most used first."""
    used: Counter[str] = Counter()
    total = known = 0
    for folder in map(Path, sys.argv[1:]):
        queries = {
            text.strip()
            for name, content in files(folder)
            for text in texts(name, content)
            if "summarize" in text and "|" in text
        }
        gaps = [missing(text) for text in sorted(queries)]
        own_known = sum(not gap for gap in gaps)
        for gap in gaps:
            used.update(gap)
        print(f"{folder}: {own_known} of {len(queries)}")  # noqa: T201 - a command
        total, known = total + len(queries), known + own_known
    print(f"known {known} of {total} ({known / max(total, 1):.1%})")  # noqa: T201 - a command
    for what, count in used.most_common(60):
        print(f"{count:5} {what}")  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
