"""Printer columns, subresources and selectable fields: the paths that a version names."""

from collections.abc import Iterator
from typing import Final

from crdgen.field_errors import FieldError, duplicate, invalid, required
from crdgen.field_path import FieldPathError, resolve
from crdgen.schema_keywords import Schema

_TYPES: Final = ("boolean", "date", "integer", "number", "string")
_FORMATS: Final = (
    "byte", "date", "date-time", "double", "float", "int32", "int64", "password",
)  # fmt: skip
_MOST_SELECTABLE: Final = 8


def problems(version: Schema, path: str) -> Iterator[FieldError]:
    """What is wrong with the paths of one version; `path` is where the server sees it."""
    for index, column in enumerate(version.get("additionalPrinterColumns", ())):
        yield from _column(column, f"{path}.additionalPrinterColumns[{index}]")
    scale = version.get("subresources", {}).get("scale")
    if scale is not None:
        yield from _scale(scale, f"{path}.subresources.scale")
    schema = version.get("schema", {}).get("openAPIV3Schema")
    if version.get("selectableFields") and schema is not None:
        yield from _selectable(version["selectableFields"], schema, f"{path}.selectableFields")


def _column(column: Schema, path: str) -> Iterator[FieldError]:
    kinds, formats = ",".join(_TYPES), ",".join(_FORMATS)
    if not column.get("name"):
        yield required(f"{path}.name")
    if not column.get("type"):
        yield required(f"{path}.type", f"must be one of {kinds}")
    elif column["type"] not in _TYPES:
        yield invalid(f"{path}.type", column["type"], f"must be one of {kinds}")
    if column.get("format") and column["format"] not in _FORMATS:
        yield invalid(f"{path}.format", column["format"], f"must be one of {formats}")
    if not column.get("jsonPath"):
        yield required(f"{path}.JSONPath")
    elif not column["jsonPath"].startswith("."):
        words = "must be a simple json path starting with ."
        yield invalid(f"{path}.JSONPath", column["jsonPath"], words)


def _scale(scale: Schema, path: str) -> Iterator[FieldError]:
    yield from _replicas(scale.get("specReplicasPath", ""), ".spec.", f"{path}.specReplicasPath")
    here = f"{path}.statusReplicasPath"
    yield from _replicas(scale.get("statusReplicasPath", ""), ".status.", here)
    selector = scale.get("labelSelectorPath")
    if selector and not selector.startswith("."):
        words = "must be a simple json path starting with ."
        yield invalid(f"{path}.labelSelectorPath", selector, words)
    elif selector and not selector.startswith((".spec.", ".status.")):
        words = "should be a json path under either .spec or .status"
        yield invalid(f"{path}.labelSelectorPath", selector, words)


def _replicas(replicas: str, under: str, path: str) -> Iterator[FieldError]:
    if not replicas:
        yield required(path)
    elif not replicas.startswith("."):
        yield invalid(path, replicas, "must be a simple json path starting with .")
    elif not replicas.startswith(under):
        yield invalid(path, replicas, f"should be a json path under {under.rstrip('.')}")


def _selectable(fields: list[Schema], schema: Schema, path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, field in enumerate(fields):
        here, written = f"{path}[{index}].jsonPath", field.get("jsonPath", "")
        if not written:
            yield required(here)
            continue
        try:
            normal, found = resolve(written, schema, brackets=False)
        except FieldPathError as error:
            yield invalid(here, written, f"is an invalid path: {error}")
            continue
        yield from _one_selectable(here, written, normal, found)
        if normal in seen:
            yield duplicate(here, written)
        seen.add(normal)
    if len(seen) > _MOST_SELECTABLE:
        words = f"must have at most {_MOST_SELECTABLE} items"
        yield FieldError(path, "TooMany", words, len(seen))


def _one_selectable(
    path: str, written: str, normal: str, found: Schema | None
) -> Iterator[FieldError]:
    if normal.partition(".")[0] == "metadata":
        yield invalid(path, written, "must not point to fields in metadata")
    if found is None or found.get("type") not in {"string", "boolean", "integer"}:
        yield invalid(
            path,
            written,
            "must point to a field of type string, boolean or integer. Enum string fields and"
            " strings with formats are allowed.",
        )
