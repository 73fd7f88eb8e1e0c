"""CustomResourceDefinitions from Pydantic models: generated, checked, compared, validated.

The public names are loaded when first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from crdgen.assemble import generate as generate
    from crdgen.describe import Column as Column
    from crdgen.describe import Scale as Scale
    from crdgen.describe import resource as resource
    from crdgen.document import to_yaml as to_yaml
    from crdgen.errors import CrdgenError as CrdgenError
    from crdgen.errors import InputError as InputError
    from crdgen.errors import ModelError as ModelError
    from crdgen.errors import NotStructuralError as NotStructuralError
    from crdgen.errors import Refusal as Refusal
    from crdgen.judge import check as check
    from crdgen.judge import diff as diff
    from crdgen.judge import validate as validate
    from crdgen.marker import AtomicList as AtomicList
    from crdgen.marker import AtomicMap as AtomicMap
    from crdgen.marker import Base64 as Base64
    from crdgen.marker import Data as Data
    from crdgen.marker import Embedded as Embedded
    from crdgen.marker import Float as Float
    from crdgen.marker import GoDuration as GoDuration
    from crdgen.marker import Int32 as Int32
    from crdgen.marker import Int64 as Int64
    from crdgen.marker import IntOrString as IntOrString
    from crdgen.marker import ListMap as ListMap
    from crdgen.marker import ListSet as ListSet
    from crdgen.marker import PreserveUnknown as PreserveUnknown
    from crdgen.marker import Quantity as Quantity
    from crdgen.marker import Rule as Rule
    from crdgen.marker import Unrolled as Unrolled
    from crdgen.marker import at_most_one_of as at_most_one_of
    from crdgen.marker import exactly_one_of as exactly_one_of
    from crdgen.marker import immutable as immutable
    from crdgen.marker import schema_extra as schema_extra
    from crdgen.options import Options as Options

_NAMES: Final = {
    "assemble": ("generate",),
    "describe": ("Column", "Scale", "resource"),
    "document": ("to_yaml",),
    "errors": ("CrdgenError", "InputError", "ModelError", "NotStructuralError", "Refusal"),
    "judge": ("check", "diff", "validate"),
    "marker": (
        "AtomicList", "AtomicMap", "Base64", "Data", "Embedded", "Float", "GoDuration",
        "Int32", "Int64", "IntOrString", "ListMap", "ListSet", "PreserveUnknown", "Quantity",
        "Rule", "Unrolled", "at_most_one_of", "exactly_one_of", "immutable", "schema_extra",
    ),
    "options": ("Options",),
}  # fmt: skip
_HOMES: Final = {name: home for home, names in _NAMES.items() for name in names}
__all__ = sorted(_HOMES)  # noqa: PLE0605 - the names above


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the public names
    if name not in _HOMES:
        raise AttributeError(f"module 'crdgen' has no attribute {name!r}")
    return getattr(import_module(f"crdgen.{_HOMES[name]}"), name)
