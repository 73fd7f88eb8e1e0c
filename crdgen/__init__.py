"""CustomResourceDefinitions from Pydantic models: generated, checked, compared, validated.

The public names are loaded when first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from crdgen.assemble import generate as generate
    from crdgen.document import to_yaml as to_yaml
    from crdgen.errors import CrdgenError as CrdgenError
    from crdgen.errors import InputError as InputError
    from crdgen.errors import ModelError as ModelError
    from crdgen.errors import NotStructuralError as NotStructuralError
    from crdgen.options import Options as Options

_HOMES: Final = {
    "generate": "assemble",
    "to_yaml": "document",
    "CrdgenError": "errors",
    "InputError": "errors",
    "ModelError": "errors",
    "NotStructuralError": "errors",
    "Options": "options",
}
__all__ = sorted(_HOMES)  # noqa: PLE0605 - the names above


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the public names
    if name not in _HOMES:
        raise AttributeError(f"module 'crdgen' has no attribute {name!r}")
    return getattr(import_module(f"crdgen.{_HOMES[name]}"), name)
