"""Many schedules side by side. The command and the tests ask for their reports here."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.worker.simulation.mutations import MUTATIONS
from tests.worker.simulation.scenario import Report, run


def simulate(
    seeds: Sequence[int], mutate: str | None = None, processes: int | None = None
) -> Iterator[Report]:
    """The reports of `seeds`, in order, from `processes` side by side (None: one a core)."""
    with ProcessPoolExecutor(processes) as pool:
        try:
            yield from pool.map(partial(one, mutate), seeds, chunksize=4)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def one(mutate: str | None, seed: int, *, tell: bool = False) -> Report:
    """The report of one seed, with a safeguard taken away if `mutate` names one."""
    return run(seed, MUTATIONS[mutate] if mutate else None, tell=tell)
