"""Exclusive bounds: numbers in JSON Schema today, flags beside the bound in Kubernetes."""

from typing import Final

from crdgen.marks import Schema

_PAIRS: Final = (("exclusiveMinimum", "minimum", max), ("exclusiveMaximum", "maximum", min))


def exclusive_as_flag(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with `exclusiveMinimum: 3` as `minimum: 3, exclusiveMinimum: true`."""
    for exclusive, inclusive, tighter in _PAIRS:
        bound = node.get(exclusive)
        if bound is None or isinstance(bound, bool):
            continue
        node = {key: value for key, value in node.items() if key != exclusive}
        if inclusive in node and tighter(node[inclusive], bound) != bound:
            continue
        node |= {inclusive: bound, exclusive: True}
    return node
