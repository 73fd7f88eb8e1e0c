"""What a change of a definition does to those who use it: `crdgen diff`.

`compared` takes two decoded definitions and gives every change with its grade. It covers what
crdify checks and, beyond that, names, subresources, columns, selectable fields, list types, and
CEL rules that got tighter or looser.
"""

from crdgen.compare import names, versions
from crdgen.compare.change import ORDER, Change
from crdgen.definition import Definition


def compared(old: Definition, new: Definition) -> list[Change]:
    """Every change from `old` to `new`, the worst first, then by path."""
    found = [*names.changes(old, new), *versions.changes(old, new)]
    return sorted(dict.fromkeys(found), key=_order)


def _order(change: Change) -> tuple[int, str, str, str]:
    return ORDER.index(change.grade), change.path, change.rule, change.what
