"""What validating one value gave: problems, and how well it matched.

The server picks the branch of an `anyOf` to complain about by the number of checks that matched;
counting as it does makes the messages the same.
"""

from dataclasses import dataclass, field

from crdgen.problem import Problem


@dataclass(slots=True)
class Result:
    """Problems found, without repeats, and the number of checks that were made."""

    problems: list[Problem] = field(default_factory=list)
    matched: int = 0

    @property
    def fine(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    def add(self, *problems: Problem) -> None:
        """Add problems that are not there yet."""
        for problem in problems:
            if problem not in self.problems:
                self.problems.append(problem)

    def merge(self, other: "Result") -> None:
        """Take over what another result found and matched."""
        self.add(*other.problems)
        self.matched += other.matched
