"""Runs many schedules in parallel processes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.worker.simulation.mutations import MUTATIONS
from tests.worker.simulation.scenario import Report, run


def simulate(
    seeds: Sequence[int], mutate: str | None = None, processes: int | None = None
) -> Iterator[Report]:
    """The reports of `seeds`, in order, from `processes` processes (None: one per core)."""
    with ProcessPoolExecutor(processes) as pool:
        try:
            yield from pool.map(partial(run_seed, mutate), seeds, chunksize=4)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def run_seed(mutate: str | None, seed: int, *, record: bool = False) -> Report:
    """The report of one seed, without the safeguard that `mutate` names, if any."""
    return run(seed, MUTATIONS[mutate] if mutate else None, record=record)
