"""A computed patch makes the old object read as the new one."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.worker.simulation.cluster import apply_merge_patch
from worker.kube.summaryrules import create_merge_patch

LEAF = st.integers(0, 3) | st.text("ab", max_size=2) | st.booleans()
JSON: st.SearchStrategy[Any] = st.recursive(
    LEAF | st.lists(st.integers(0, 2), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


@given(old=OBJECT, new=OBJECT)
def test_old_merged_with_the_difference_reads_as_new(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert apply_merge_patch(old, create_merge_patch(old, new)) == new


@given(same=OBJECT)
def test_there_is_no_difference_between_equals(same: dict[str, Any]) -> None:
    assert create_merge_patch(same, same) == {}


@given(old=OBJECT, new=OBJECT)
def test_a_patch_names_only_what_changes(old: dict[str, Any], new: dict[str, Any]) -> None:
    for key in create_merge_patch(old, new):
        assert old.get(key) != new.get(key) or (key in old) != (key in new)


def test_none_means_absent() -> None:
    assert create_merge_patch({"a": 1, "b": {"c": 1}}, {"a": None, "b": {"c": None}}) == {
        "a": None,
        "b": {"c": None},
    }
    assert create_merge_patch({}, {"a": None}) == {}
