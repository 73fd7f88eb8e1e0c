"""The Dockerfile, read: its stages, and in each the instructions as they are carried out.

As much of the syntax as ours uses: comments, continued lines, `ARG` before the first stage, and
the shell form of `RUN`. What hadolint thinks of it is a test of its own.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "Dockerfile"


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction, its continued lines joined."""

    keyword: str
    text: str

    @property
    def words(self) -> list[str]:
        """The text as a shell splits it."""
        return shlex.split(self.text)

    @property
    def pairs(self) -> Mapping[str, str]:
        """What an ENV, LABEL or ARG sets."""
        return dict(word.partition("=")[::2] for word in self.words)

    @property
    def exec_form(self) -> list[str]:
        """The argument vector in an instruction that ends with one."""
        found: list[str] = json.loads(self.text[self.text.index("[") :])
        return found


def stages(text: str) -> list[list[Step]]:
    """The steps of each stage, its FROM first; those before the first stage are left out."""
    found: list[list[Step]] = []
    for step in steps(text):
        if step.keyword == "FROM":
            found.append([])
        if found:
            found[-1].append(step)
    return found


def steps(text: str) -> Iterator[Step]:
    """Every instruction, in order."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    for line in joined.splitlines():
        if line.strip():
            keyword, _, rest = line.partition(" ")
            yield Step(keyword.upper(), rest.strip())


def build() -> list[Step]:
    """The stage that makes the virtual environment."""
    return stages(DOCKERFILE.read_text())[0]


def final() -> list[Step]:
    """The stage that is the image."""
    return stages(DOCKERFILE.read_text())[-1]


def only(stage: list[Step], keyword: str) -> list[Step]:
    """The steps of one kind."""
    return [step for step in stage if step.keyword == keyword]
