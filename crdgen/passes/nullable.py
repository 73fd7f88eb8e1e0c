"""`X | None`: absent where the default is None, else `nullable`.

A nullable field breaks `kubectl explain` and most clients leave out what they do not set, so
None as a default means that the field may be absent, and nothing more.
"""

from crdgen.marks import Schema
from crdgen.passes.inline import overlaid


def optional(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node without its `null` branch and without a default of null."""
    absent = "default" in node and node["default"] is None
    if absent:
        node = {key: value for key, value in node.items() if key != "default"}
        if None in node.get("enum", ()):
            node["enum"] = [value for value in node["enum"] if value is not None]
    branches = node.get("anyOf", [])
    others = [branch for branch in branches if branch.get("type") != "null"]
    if len(others) == len(branches):
        return node
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    if not absent:
        rest.setdefault("nullable", True)
    return overlaid(others[0], rest) if len(others) == 1 else {"anyOf": others, **rest}
