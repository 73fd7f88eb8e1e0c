"""What was asked in each phase, what came of it, and which certificates were seen."""

from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from tests.e2e.rotation.connection import Served

MOST_SHOWN: Final = 20
_ROW: Final = "{:34} {:>7} {:>9} {:>8} {:>11} {:>6} {:>7} {:>8}"


@dataclass(slots=True)
class Phase:
    """The counts of one phase; `began` is of `time.monotonic`."""

    name: str
    began: float = field(default_factory=monotonic)
    seconds: float = 0.0
    requests: int = 0
    handshakes: int = 0
    through_api_server: int = 0
    failures: list[str] = field(default_factory=list)
    certificates: set[Served] = field(default_factory=set)

    def row(self) -> str:
        """The phase as a line of the report."""
        issuers = {each.issuer for each in self.certificates}
        return _ROW.format(
            self.name,
            f"{self.seconds:.0f} s",
            f"{self.requests:,}",
            f"{self.handshakes:,}",
            f"{self.through_api_server:,}",
            len(self.certificates),
            len(issuers),
            len(self.failures),
        )


@dataclass(slots=True)
class Tally:
    """The phases so far; all counts go to the last."""

    phases: list[Phase] = field(default_factory=list)

    @property
    def now(self) -> Phase:
        """The phase that runs."""
        return self.phases[-1]

    def begin(self, name: str) -> None:
        """End the phase that runs and begin another."""
        self.end()
        self.phases.append(Phase(name))

    def end(self) -> None:
        """Stop the clock of the phase that runs."""
        if self.phases and not self.now.seconds:
            self.now.seconds = monotonic() - self.now.began

    def total(self) -> Phase:
        """All phases as one."""
        whole = Phase("all")
        for phase in self.phases:
            whole.seconds += phase.seconds
            whole.requests += phase.requests
            whole.handshakes += phase.handshakes
            whole.through_api_server += phase.through_api_server
            whole.failures += phase.failures
            whole.certificates |= phase.certificates
        return whole

    def lines(self) -> list[str]:
        """The report."""
        head = _ROW.format(
            "phase", "time", "requests", "opened", "API server", "leaves", "CAs", "failed"
        )
        whole = self.total()
        return [
            head,
            *(phase.row() for phase in self.phases),
            whole.row(),
            *whole.failures[:MOST_SHOWN],
        ]
