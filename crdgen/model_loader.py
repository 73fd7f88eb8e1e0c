"""Finds the models that a command line names as MODULE:MODEL."""

import ast
import importlib
import sys
from contextlib import redirect_stdout
from pathlib import Path
from traceback import FrameSummary, extract_tb

from pydantic import BaseModel
from pydantic.errors import PydanticSchemaGenerationError

from crdgen.errors import InputError


def load_model(reference: str) -> type[BaseModel]:
    """Import the Pydantic model that `reference` (`package.module:Model`) names.

    `package/module.py:Model` names the same one, `package.module:Outer.Inner` a nested class. The
    current directory is searched as `python -m` does.

    Raises:
        InputError: the reference, the import or what it finds is not as it should be.
    """
    module_name, colon, name = reference.partition(":")
    if not (module_name and colon and name):
        raise InputError(f"{reference!r}: write MODULE:MODEL, such as myapp.v1:Widget")
    found: object = _module(_dotted(module_name), reference)
    for part in name.split("."):
        found = _attribute(found, part, reference)
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        raise InputError(
            f"{reference}: {name} is {_kind(found)}, not a Pydantic v2 model; name a class that"
            " derives from pydantic.BaseModel"
        )
    return found


def _dotted(name: str) -> str:
    """The name of the module that a path below the current directory names."""
    if not name.endswith(".py"):
        return name
    path = Path(name)
    here = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    parts = [part for part in here.with_suffix("").parts if part != "."]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _module(name: str, reference: str) -> object:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with redirect_stdout(sys.stderr):  # standard output is for the definition
            return importlib.import_module(name)
    except PydanticSchemaGenerationError as error:
        raise InputError(f"{reference}: {_unknown_type(error)}") from error
    except (Exception, SystemExit) as error:
        # Any module may raise anything on import; the user needs the name and the reason.
        reason = " ".join([type(error).__name__ + ":", *str(error).splitlines()[:1]])
        raise InputError(f"{reference}: module {name} does not import: {reason}") from error


def _unknown_type(error: PydanticSchemaGenerationError) -> str:
    """Which field has a type that Pydantic does not know, as far as the source says it."""
    text = str(error).partition(" for ")[2].partition(". Set ")[0]
    named = text.removeprefix("<class '").removesuffix("'>")
    called = [call for call in extract_tb(error.__traceback__) if "class " in (call.line or "")]
    where = _field_of(called[-1], named) if called else "a field"
    return f"{where}: Pydantic does not know the type {named}; use a model, or crdgen.Data"


def _field_of(call: FrameSummary, named: str) -> str:
    """The field of the class at a line whose annotation names the last part of `named`."""
    tree = ast.parse(Path(call.filename).read_text(encoding="utf-8"))
    name = named.partition("[")[0].rpartition(".")[2]
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.lineno == call.lineno:
            fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
            known = (ast.unparse(e.target) for e in fields if name in ast.unparse(e.annotation))
            return f"{node.name}.{next(known, '(a field)')}"
    return "a field"


def _attribute(module: object, name: str, reference: str) -> object:
    try:
        return getattr(module, name)
    except AttributeError:
        within = module.__name__ if isinstance(module, type) else "the module"
        raise InputError(f"{reference}: {within} has no {name}; check the spelling") from None


def _kind(found: object) -> str:
    return f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"
