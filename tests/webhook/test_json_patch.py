"""Laws of the patch that the mutating webhook answers with."""

import json
from collections.abc import Sequence
from copy import deepcopy

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from jsonpatch import apply_patch

from webhook.json_patch import Json, Operation, diff

KEYS = st.text(st.sampled_from("ab~/0 é"), max_size=3)
LEAVES = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 1.5, "", "a"])
JSON_VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def apply(document: Json, patch: Sequence[Operation]) -> Json:
    return apply_patch(document, msgspec.to_builtins(patch))


def text(value: object) -> str:
    """JSON tells 1, 1.0 and true apart, which ``==`` does not."""
    return json.dumps(value, sort_keys=True)


@given(JSON_VALUES, JSON_VALUES)
def test_applying_the_patch_gives_the_second_document(old: Json, new: Json) -> None:
    assert text(apply(old, tuple(diff(old, new)))) == text(new)


@given(JSON_VALUES)
def test_equal_documents_need_no_patch(document: Json) -> None:
    assert not list(diff(document, deepcopy(document)))


@given(JSON_VALUES, JSON_VALUES)
def test_neither_document_is_changed(old: Json, new: Json) -> None:
    before = text([old, new])
    apply(old, tuple(diff(old, new)))
    assert text([old, new]) == before


@given(st.dictionaries(KEYS, LEAVES, max_size=4), KEYS, LEAVES)
def test_one_changed_member_takes_one_operation(old: Json, key: str, value: Json) -> None:
    new = {**old, key: value}
    operations = list(diff(old, new))
    if text(old) == text(new):
        assert not operations
    else:
        assert [each.path for each in operations] == [
            "/" + key.replace("~", "~0").replace("/", "~1")
        ]


@given(JSON_VALUES, JSON_VALUES)
def test_a_patch_survives_its_own_encoding(old: Json, new: Json) -> None:
    patch = tuple(diff(old, new))
    sent = msgspec.json.decode(msgspec.json.encode(patch), type=tuple[Operation, ...])
    assert text(apply(old, sent)) == text(new)


def test_the_value_null_is_written_and_a_removal_has_no_value() -> None:
    patch = list(diff({"a": 1, "b": 1}, {"a": None}))
    assert msgspec.json.encode(patch) == (
        b'[{"op":"remove","path":"/b"},{"op":"replace","path":"/a","value":null}]'
    )


def test_a_missing_parent_is_added_whole() -> None:
    new = {"metadata": {"annotations": {"a/b~c": "x"}}}
    (operation,) = diff({"metadata": {}}, new)
    assert operation == Operation("add", "/metadata/annotations", {"a/b~c": "x"})
    (operation,) = diff({"metadata": {"annotations": {}}}, new)
    assert operation.path == "/metadata/annotations/a~1b~0c"
