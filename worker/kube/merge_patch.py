"""JSON merge patches (RFC 7386) as pure functions.

``worker.kube.rules`` sends what ``difference`` computes; the in-memory API server of the
simulation applies patches with ``merge``, so both sides mean the same thing.
"""

from typing import Any


def create_merge_patch(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The smallest patch that makes ``old`` read ``new``; empty when it does already.

    A None in ``new`` means absent, as a patch cannot store a null in an object. Lists are
    replaced whole.
    """
    patch: dict[str, Any] = {
        key: None for key, value in old.items() if value is not None and new.get(key) is None
    }
    for key, value in new.items():
        if value is None or (key in old and old[key] == value):
            continue
        patch[key] = _change(old.get(key), value)
    return patch


def _change(old: Any, new: Any) -> Any:  # noqa: ANN401 - any JSON
    if not isinstance(new, dict):
        return new
    return create_merge_patch(old if isinstance(old, dict) else {}, new)


def apply_merge_patch(target: Any, patch: Any) -> Any:  # noqa: ANN401 - any JSON
    """``target`` with ``patch`` applied; neither is changed (RFC 7386, section 2)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = apply_merge_patch(result.get(key), value)
    return result
