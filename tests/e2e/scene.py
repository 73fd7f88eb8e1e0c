"""Plays many tests side by side on one stack, each with a rule and faults of its own.

Most of a failure's test is waiting: for a back-off, for an operation that is slow on purpose. So
each test of such a module is a part in one scene:

    scene = Scene()

    @scene.part(fault("throttle", count=2, retryAfter=1))
    def test_…(lab: Lab) -> None: …

All parts that were selected start together with the first; pytest then asks for each one's result
in turn. A part's faults strike only commands that name its own table, unless they have a `match`.
"""

import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from azure.kusto.data import KustoClient

from devstack.stack import Stack
from tests.e2e.faults import Fault, Faults
from tests.e2e.lab import Lab, hours_ago

HOURS = 12
AT_ONCE = 12

Play = Callable[[Lab], None]


@dataclass(frozen=True)
class Part:
    """One test of a scene: what it does, and the faults that its table meets."""

    play: Play
    faults: tuple[Fault, ...]


class Scene:
    """The parts of one module; `begin` and `end` are called by its fixture."""

    def __init__(self) -> None:
        self._parts: dict[str, Part] = {}
        self._playing: dict[str, Future[None]] = {}
        self._labs: dict[str, Lab] = {}

    def part(self, *faults: Fault) -> Callable[[Play], Callable[..., None]]:
        """Make a function of a lab into a test of this scene."""

        def enlist(play: Play) -> Callable[..., None]:
            name = play.__name__
            self._parts[name] = Part(play, faults)

            def test(running: Scene) -> None:
                running._playing[name].result()

            test.__name__, test.__qualname__, test.__module__ = name, name, play.__module__
            return test

        return enlist

    def begin(self, stack: Stack, kusto: KustoClient, faults: Faults, chosen: set[str]) -> None:
        """Set all faults and start all parts that were chosen."""
        parts = {name: part for name, part in self._parts.items() if name in chosen}
        mark, struck = uuid.uuid4().hex[:6], list[Fault]()
        for number, name in enumerate(parts):
            lab = Lab(stack, kusto, f"part-{number:02}-{mark}", source=f"Raw_{mark}")
            self._labs[name] = lab
            struck += [{"match": lab.table, **each} for each in parts[name].faults]
        if self._labs:
            next(iter(self._labs.values())).load(hours_ago(HOURS), hours_ago(0))
        faults.set(*struck)
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="part")
        self._playing = {
            name: pool.submit(part.play, self._labs[name]) for name, part in parts.items()
        }
        pool.shutdown(wait=False)

    def end(self) -> None:
        """Wait for every part and remove its rule."""
        for playing in self._playing.values():
            playing.exception()
        if self._labs:
            lab, *_ = self._labs.values()
            names = [each.name for each in self._labs.values()]
            lab.kubectl("delete", "summaryrule", *names, "--ignore-not-found", "--wait=false")
