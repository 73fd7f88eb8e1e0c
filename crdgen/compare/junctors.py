"""`anyOf`, `oneOf`, `allOf` and `not`: which combinations are taken."""

from collections.abc import Iterator
from typing import Any

from crdgen.compare.change import Change, breaking, ratcheted, safe
from crdgen.compare.kinds import shown
from crdgen.marks import Schema


def changes(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    """What changed in the combinations that one node takes."""
    for keyword in ("anyOf", "oneOf", "allOf", "not"):
        was, now = old.get(keyword), new.get(keyword)
        if was == now:
            continue
        if not now:
            why = "more combinations are taken"
            yield safe(f"{keyword.lower()}-removed", path, f"{keyword} removed", why)
        elif was and _is_looser(keyword, was, now):
            why = "every old combination is taken"
            yield safe(f"{keyword.lower()}-loosened", path, f"{keyword} loosened", why)
        else:
            verb = "changed" if was else "added"
            yield tightened(f"{keyword.lower()}-{verb}", new, path, f"{keyword} {verb}")


def tightened(rule: str, node: Schema, path: str, what: str) -> Change:
    """A new constraint on a node: ratcheted, unless any edit inside the node brings it up."""
    if shown(node) == "object" and node.get("properties"):
        why = f"objects that break it are refused at any edit inside {path}"
        return breaking(rule, path, what, why)
    return ratcheted(rule, path, what, "values that break it are refused")


def _is_looser(keyword: str, was: Any, now: Any) -> bool:  # noqa: ANN401 - JSON
    if keyword == "anyOf":
        return all(branch in now for branch in was)
    if keyword == "allOf":
        return all(branch in was for branch in now)
    if keyword == "oneOf":
        added = [branch for branch in now if branch not in was]
        kept = all(branch in now for branch in was)
        return kept and all(_told_apart(one, other) for one in added for other in was)
    return False


def _told_apart(one: Schema, other: Schema) -> bool:
    """Whether no object fits both branches, since a required field's enums do not meet."""
    for name in set(one.get("properties", {})) & set(other.get("properties", {})):
        first, second = (branch["properties"][name].get("enum") for branch in (one, other))
        if first and second and not any(value in second for value in first):
            return True
    return False
