"""How rules and shards are shared out."""

import uuid
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from summaryrule.shards import MOST_SHARDS, quota, shard_of

uids = st.uuids().map(str)
counts = st.integers(1, MOST_SHARDS)
holdings = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 9), min_size=1)


@given(uids, counts)
def test_a_rule_belongs_to_one_of_the_shards(uid: str, shards: int) -> None:
    assert 0 <= shard_of(uid, shards) < shards


@given(uids, st.integers(1, MOST_SHARDS - 1))
def test_one_more_shard_takes_rules_and_moves_no_others(uid: str, shards: int) -> None:
    assert shard_of(uid, shards + 1) in {shard_of(uid, shards), shards}


@pytest.mark.parametrize("shards", [2, 16])
def test_ten_thousand_rules_are_spread_evenly(shards: int) -> None:
    dice = Random(1)
    uids = (str(uuid.UUID(int=dice.getrandbits(128), version=4)) for _ in range(10_000))
    spread = Counter(shard_of(uid, shards) for uid in uids)
    mean = 10_000 / shards
    assert len(spread) == shards
    # Five standard deviations of a fair draw.
    assert all(abs(count - mean) < 5 * mean**0.5 for count in spread.values())


@pytest.mark.parametrize(
    ("uid", "of_4", "of_64"),
    [
        ("00000000-0000-4000-8000-000000000001", 2, 26),
        ("6f1c1b0e-0d6f-4f6a-9a55-2f1f5f4d7c11", 1, 39),
        ("b9f9f8f0-2d0c-4c54-8a57-6a7d9a4b8e02", 1, 12),
    ],
)
def test_a_rule_stays_in_its_shard_from_one_release_to_the_next(
    uid: str, of_4: int, of_64: int
) -> None:
    assert (shard_of(uid, 4), shard_of(uid, 64)) == (of_4, of_64)


@given(holdings, counts)
def test_quotas_add_up_to_the_shards_and_differ_by_one_at_most(
    held: dict[str, int], shards: int
) -> None:
    quotas = [quota(held, shards, worker) for worker in held]
    assert sum(quotas) == shards
    assert max(quotas) - min(quotas) <= 1


@given(holdings, counts)
def test_nothing_moves_once_quotas_are_met(held: dict[str, int], shards: int) -> None:
    met = {worker: quota(held, shards, worker) for worker in held}
    assert {worker: quota(met, shards, worker) for worker in met} == met


@given(st.lists(st.integers(0, 1), min_size=1, max_size=9), st.integers(0, 6))
def test_no_shard_moves_between_workers_that_hold_alike(extra: list[int], least: int) -> None:
    held = {f"worker-{number}": least + more for number, more in enumerate(extra)}
    total = sum(held.values())
    assert all(quota(held, total, worker) == count for worker, count in held.items())
