"""The last word: nothing without a structural form leaves the passes."""

from crdgen.errors import NotStructuralError
from crdgen.marks import REFUSED, Schema
from crdgen.passes.walk import nodes


def of(schema: Schema) -> None:
    """Raise for the first node that is marked or has no type.

    Raises:
        NotStructuralError: with its path, what is wrong, and what to write.
    """
    for node, path in nodes(schema):
        if REFUSED in node:
            why, instead = node[REFUSED]
            raise NotStructuralError(path, why, instead)
