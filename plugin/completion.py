"""Shell completion: kubectl (1.26 and later) asks `kubectl_complete-summaryrule` for candidates.

Its contract is that of `kubectl __complete`: the words so far as arguments, the last one
unfinished; a candidate a line, with its description behind a tab; at last `:4`, no file names.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise

from plugin.cli import COMMANDS
from plugin.kubectl import RESOURCE

NO_FILES = ":4"
WITHIN = 3.0
FLAGS = ("-n", "--namespace", "--context", "--kubeconfig")


def main(words: Sequence[str] | None = None) -> int:
    """Print the candidates for the last word."""
    given = list(sys.argv[1:] if words is None else words)
    for candidate in candidates(given):
        print(candidate)  # noqa: T201 - the answer
    print(NO_FILES)  # noqa: T201
    return 0


def candidates(words: Sequence[str]) -> Iterator[str]:
    """Commands first, then names of rules."""
    *before, last = words or [""]
    if not before:
        for name, (text, *_) in COMMANDS.items():
            if name.startswith(last):
                yield f"{name}\t{text}"
    elif not last.startswith("-") and len(_plain(before)) == 1:
        yield from (name for name in _names(before) if name.startswith(last))


def _plain(words: Sequence[str]) -> list[str]:
    """Words that are neither flags nor the values of those that choose a cluster."""
    pairs = zip(["", *words], words, strict=False)
    return [word for before, word in pairs if not word.startswith("-") and before not in FLAGS]


def _names(words: Sequence[str]) -> list[str]:
    """Names of rules; none when the cluster does not answer at once."""
    chosen = [f"--{_long(flag)}={value}" for flag, value in pairwise(words) if flag in FLAGS]
    chosen += [word for word in words if word.partition("=")[0] in FLAGS and "=" in word]
    try:
        done = subprocess.run(  # noqa: S603 - the user's own kubectl
            [os.environ.get("KUBECTL", "kubectl"), "get", RESOURCE, "-o", "name", *chosen],
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=WITHIN,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.partition("/")[2] for line in done.stdout.splitlines()]


def _long(flag: str) -> str:
    return "namespace" if flag == "-n" else flag.lstrip("-")


if __name__ == "__main__":
    sys.exit(main())
