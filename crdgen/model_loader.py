"""Finds the models that a command line names as MODULE:MODEL."""

import importlib
import sys
from pathlib import Path

from pydantic import BaseModel

from crdgen.errors import InputError


def load_model(reference: str) -> type[BaseModel]:
    """Import the Pydantic model that `reference` (`package.module:Model`) names.

    The current directory is searched as `python -m` does.

    Raises:
        InputError: the reference, the import or what it finds is not as it should be.
    """
    module_name, colon, name = reference.partition(":")
    if not (module_name and colon and name):
        raise InputError(f"{reference!r}: write MODULE:MODEL, such as myapp.v1:Widget")
    found = _attribute(_module(module_name, reference), name, reference)
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        raise InputError(
            f"{reference}: {name} is {_kind(found)}, not a Pydantic v2 model; name a class that"
            " derives from pydantic.BaseModel"
        )
    return found


def _module(name: str, reference: str) -> object:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except Exception as error:
        # Any module may raise anything on import; the user needs the name and the reason.
        raise InputError(
            f"{reference}: module {name} does not import: {type(error).__name__}: {error}"
        ) from error


def _attribute(module: object, name: str, reference: str) -> object:
    try:
        return getattr(module, name)
    except AttributeError:
        raise InputError(f"{reference}: the module has no {name}; check the spelling") from None


def _kind(found: object) -> str:
    return f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"
