"""Which shard a rule belongs to, and how many shards each worker should hold.

``worker.shards`` asks both. Every worker answers them alike from what it sees, so nobody has to
tell anybody: docs/decisions/0030.
"""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b

MOST_SHARDS = 64


@lru_cache(maxsize=1 << 16)
def shard_of(uid: str, shards: int) -> int:
    """The shard, from 0 to ``shards`` - 1, of the rule with this ``metadata.uid``.

    The one with the highest weight (rendezvous hashing), so a change of ``shards`` by one moves
    one rule in ``shards`` and no others. The answer must stay the same for ever: workers of two
    versions that count alike also have to share alike.
    """
    return max(range(shards), key=lambda shard: weight(uid, shard))


def weight(key: str, shard: int) -> int:
    """How much ``key`` belongs to ``shard``: a number of 64 bits, the same on each machine."""
    return int.from_bytes(blake2b(f"{shard}/{key}".encode(), digest_size=8).digest())


def quota(held: Mapping[str, int], shards: int, worker: str) -> int:
    """How many of ``shards`` the ``worker`` should hold; ``held`` counts those of every live one.

    Two quotas differ by one at most. Those who hold most have the higher ones, so that as few
    shards as can be have to move, and none where the counts differ by no more than one already.
    """
    richest_first = sorted(held, key=lambda each: (-held[each], each))
    least, more = divmod(shards, len(held))
    return least + (richest_first.index(worker) < more)
