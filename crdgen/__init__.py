"""CustomResourceDefinitions from Pydantic models: generated, checked, compared, validated.

The public names are loaded when first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from crdgen.api import check as check
    from crdgen.api import diff as diff
    from crdgen.api import validate as validate
    from crdgen.assemble import generate as generate
    from crdgen.errors import CrdgenError as CrdgenError
    from crdgen.errors import InputError as InputError
    from crdgen.errors import ModelError as ModelError
    from crdgen.errors import NotStructuralError as NotStructuralError
    from crdgen.errors import UnsupportedField as UnsupportedField
    from crdgen.markers import AtomicList as AtomicList
    from crdgen.markers import AtomicMap as AtomicMap
    from crdgen.markers import Base64 as Base64
    from crdgen.markers import Data as Data
    from crdgen.markers import Embedded as Embedded
    from crdgen.markers import Float as Float
    from crdgen.markers import GoDuration as GoDuration
    from crdgen.markers import Int32 as Int32
    from crdgen.markers import Int64 as Int64
    from crdgen.markers import IntOrString as IntOrString
    from crdgen.markers import ListMap as ListMap
    from crdgen.markers import ListSet as ListSet
    from crdgen.markers import PreserveUnknown as PreserveUnknown
    from crdgen.markers import Quantity as Quantity
    from crdgen.markers import Rule as Rule
    from crdgen.markers import Unrolled as Unrolled
    from crdgen.markers import at_most_one_of as at_most_one_of
    from crdgen.markers import exactly_one_of as exactly_one_of
    from crdgen.markers import immutable as immutable
    from crdgen.markers import schema_extra as schema_extra
    from crdgen.options import Options as Options
    from crdgen.resources import Column as Column
    from crdgen.resources import Scale as Scale
    from crdgen.resources import resource as resource
    from crdgen.yaml_writer import to_yaml as to_yaml

_NAMES: Final = {
    "assemble": ("generate",),
    "resources": ("Column", "Scale", "resource"),
    "yaml_writer": ("to_yaml",),
    "errors": ("CrdgenError", "InputError", "ModelError", "NotStructuralError", "UnsupportedField"),
    "api": ("check", "diff", "validate"),
    "markers": (
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
