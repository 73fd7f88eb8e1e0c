"""Finds the models that a command line names as MODULE:MODEL."""

import importlib
import sys
from pathlib import Path

from pydantic import BaseModel

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
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        # Any module may raise anything on import; the user needs the name and the reason.
        reason = " ".join([type(error).__name__ + ":", *str(error).splitlines()[:1]])
        raise InputError(f"{reference}: module {name} does not import: {reason}") from error


def _attribute(module: object, name: str, reference: str) -> object:
    try:
        return getattr(module, name)
    except AttributeError:
        within = module.__name__ if isinstance(module, type) else "the module"
        raise InputError(f"{reference}: {within} has no {name}; check the spelling") from None


def _kind(found: object) -> str:
    return f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"
