"""Patterns: the API server compiles them with RE2's syntax, so nothing else may pass."""

from crdgen.marks import Schema, refused


def as_re2(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node, refused when its pattern is none that RE2 compiles."""
    if "pattern" not in node:
        return node
    from crdgen.regex import re2_error  # noqa: PLC0415 - loads a native library

    error = re2_error(str(node["pattern"]))
    if error is None:
        return node
    return {
        **node,
        **refused(
            f"its pattern is not RE2, which the API server uses ({error})",
            "write it without look-around and back-references",
        ),
    }
