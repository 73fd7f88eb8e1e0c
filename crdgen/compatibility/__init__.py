"""What a change of a definition does to those who use it: `crdgen diff`.

`compare` takes two decoded definitions and gives every change with its grade. It covers what
crdify checks and, beyond that, names, subresources, columns, selectable fields, list types, and
CEL rules that got tighter or looser.
"""

from crdgen.compatibility import spec
from crdgen.compatibility.change import ORDER, Change
from crdgen.definition import Definition


def compare(old: Definition, new: Definition) -> list[Change]:
    """Every change from `old` to `new`, the worst first, then by path."""
    found = [*spec.name_changes(old, new), *spec.version_changes(old, new)]
    return sorted(dict.fromkeys(found), key=_order)


def _order(change: Change) -> tuple[int, str, str, str]:
    return ORDER.index(change.grade), change.path, change.rule, change.what
