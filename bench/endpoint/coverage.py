"""How many of the queries in folders of rules the local endpoint knows, and what the others use.

usage: python -m bench.endpoint.coverage [--columns "NAME: TYPE, …"] [--list] FOLDER…

A query is a `query:` text of a YAML file or of a Grafana dashboard, a fenced block of a Markdown
file that names no other language, or a whole `.kql`, `.kusto` or `.csl` file. Those with
`summarize` are counted. A query is known when it parses and the engine has every operator,
function, aggregate and plugin in it, the functions that the folder itself creates included: the
tables of other people are not there, so it is not run. With `--columns`, it is compiled instead,
against tables that all have these columns. `--list` prints each query that is not known.

Texts that do not parse are counted apart: most are no KQL, as text with placeholders, or with a
bracket too many.
"""

import argparse
import contextlib
import json
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
from emulator.engine.compiler import KNOWN_OPERATORS, Compiler
from emulator.engine.expressions import ExpressionBinder
from emulator.engine.functions import FUNCTIONS
from emulator.engine.literals import canonical_type
from emulator.engine.operators import PLUGINS
from emulator.engine.parser import parse, parse_function
from emulator.engine.problems import Problem, UnsupportedProblem
from emulator.engine.scope import Database, Environment, StoredFunction, TableSchema
from emulator.engine.windows import WINDOWS

_FENCE = re.compile(r"^\s*```(\S*)[^\n]*\n(.*?)^\s*```", re.DOTALL | re.MULTILINE)
_LANGUAGES = ("", "kql", "kusto", "csl", "c#")
_CREATED = re.compile(r"\.create(?:-or-alter)?\s+function[^({]*?(\w+)\s*(\(.*)", re.DOTALL)
_MACROS = (
    (r"\$__timeFilter\((\w+)\)", r"\1 between (ago(1h) .. now())"),
    (r"\$__timeInterval", "1m"),
    (r"\$__timeFrom", "ago(1h)"),
    (r"\$__timeTo", "now()"),
)
"""What Grafana puts in place of its macros."""
_TABULAR = frozenset(("materialize", "table", "view", "database", "toscalar", "typeof"))
_SUFFIXES = (".yaml", ".yml", ".md", ".kql", ".kusto", ".csl", ".json", ".go")
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
    elif name.endswith(".json"):
        with contextlib.suppress(ValueError):
            yield from _fields(json.loads(content))
    elif name.endswith(".md"):
        for language, text in _FENCE.findall(content):
            if language.lower() in _LANGUAGES:
                yield text
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
            if name.endswith(_SUFFIXES):
                shown = subprocess.run(  # noqa: S603 - likewise
                    [*git, "show", f"HEAD:{name}"], capture_output=True, check=False
                ).stdout
                yield name, shown.decode("utf-8", "replace")
        return
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.name, path.read_text("utf-8", "replace")


def functions(content: str) -> Iterator[tuple[str, syntax.Lambda]]:
    """The functions that a file creates, wherever the commands stand in it."""
    for start in re.finditer(r"\.create(?:-or-alter)?\s+function", content):
        found = _CREATED.match(content, start.start())
        if found is None:
            continue
        for end in re.finditer(r"\}", found[2]):
            with contextlib.suppress(Problem):
                yield found[1], parse_function(found[2][: end.end()])
                break


def missing(text: str, own: set[str]) -> list[str]:
    """What the query uses and the engine does not have; "" first when it does not parse."""
    try:
        query = parse(text)
    except UnsupportedProblem as problem:
        return [problem.message]
    except Problem as problem:
        return ["", f"does not parse: {problem.message[:50]}"]
    lets = {one.name for one in query.statements if isinstance(one, syntax.Let)}
    return sorted(set(_missing(query, own | lets)))


def _missing(node: Any, own: set[str]) -> Iterator[str]:  # noqa: ANN401 - a syntax node
    if isinstance(node, syntax.Evaluate):
        if node.call.name not in PLUGINS:
            yield f"the plugin '{node.call.name}()'"
        yield from _missing(node.call.arguments, own)
        return
    if isinstance(node, syntax.Operator) and type(node) not in KNOWN_OPERATORS:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(node).__name__).lower()
        yield f"the operator '{name}'"
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


def compile_error(text: str, columns: str, own: dict[str, syntax.Lambda]) -> list[str]:
    """Why the query does not compile over tables that all have `columns`, if it does not."""
    schema = tuple(
        (name, canonical_type(kind) or kind, f'"{name}"') for name, kind in _pairs(columns)
    )
    try:
        names = {str(one.name) for one in _tables(parse(text))}
        tables = {name: TableSchema(name, schema) for name in names}
        stored = {name: StoredFunction(name, one, "") for name, one in own.items()}
        environment = Environment({"db": Database(tables, stored)}, "db", 0, {})
        Compiler(environment).compile(parse(text))
    except Problem as problem:
        return [problem.message]
    return []


def _pairs(columns: str) -> list[tuple[str, str]]:
    return [
        (name.strip(), kind.strip())
        for name, kind in (one.split(":") for one in columns.split(","))
    ]


def _tables(node: Any) -> Iterator[Any]:  # noqa: ANN401 - a syntax node
    if isinstance(node, syntax.TableSource | syntax.Name):
        yield node
    if isinstance(node, tuple):
        for item in node:
            yield from _tables(item)
    for name in getattr(node, "__dataclass_fields__", {}):
        yield from _tables(getattr(node, name))


def _expanded(text: str) -> str:
    for macro, value in _MACROS:
        text = re.sub(macro, value, text)
    return text.strip()


class Count:
    """The queries of one folder: how many, known ones, and texts that do not parse."""

    def __init__(self, folder: Path, columns: str) -> None:
        queries: dict[str, str] = {}
        own: dict[str, syntax.Lambda] = {}
        for name, content in files(folder):
            own |= dict(functions(content))
            for text in texts(name, content):
                if "summarize" in text and "|" in text and not text.lstrip().startswith("."):
                    queries.setdefault(_expanded(text), name)
        self.gaps = {
            (name, text): compile_error(text, columns, own) if columns else missing(text, {*own})
            for text, name in sorted(queries.items())
        }
        self.total = len(self.gaps)
        self.known = sum(not gap for gap in self.gaps.values())
        self.unparsed = sum(gap[:1] == [""] for gap in self.gaps.values())

    def show(self, what: object) -> None:
        """Print one line of counts."""
        queries = self.total - self.unparsed
        print(  # noqa: T201 - a command
            f"{what}: {self.known} of {queries} ({self.known / max(queries, 1):.1%}); "
            f"{self.unparsed} texts do not parse"
        )


def main() -> int:
    """Print the counts by folder and what is missing, the most used first."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--columns", default="")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    used: Counter[str] = Counter()
    counts = []
    for folder in options.folders:
        count = Count(folder, options.columns)
        count.show(folder)
        counts.append(count)
        for (name, text), gap in count.gaps.items():
            used.update(one for one in gap if one)
            if gap and options.list:
                print(f"----- {name}: {'; '.join(filter(None, gap))}\n{text}\n")  # noqa: T201
    together = counts[0]
    together.known = sum(count.known for count in counts)
    together.total = sum(count.total for count in counts)
    together.unparsed = sum(count.unparsed for count in counts)
    together.show("together")
    for what, number in used.most_common(60):
        print(f"{number:5} {what}")  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
