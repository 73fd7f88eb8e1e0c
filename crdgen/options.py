"""The choices a caller has in generating, with the strict ones as defaults."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """How `generate` treats what Kubernetes can hold but its API conventions advise against.

    `depth` is how often a recursive model is unrolled into itself before the rest is kept as
    unvalidated data; 0 refuses recursion. `descriptions` off leaves every description out.
    """

    allow_float: bool = False
    allow_any: bool = False
    depth: int = 0
    descriptions: bool = True
