"""Shell completion: kubectl (1.26 and later) asks `kubectl_complete-summaryrule` for candidates.

The contract is the one of `kubectl __complete`: the words so far are the arguments, the last one
unfinished. The output has one candidate per line, with its description after a tab, and ends with
`:4`: no file names, or with `:0` where files may be given.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from plugin.cli import COMMANDS, Parser, parser
from summaryrule.api.constants import RESOURCE

NO_FILES: Final = ":4"
FILES: Final = ":0"
TIMEOUT_SECONDS: Final = 3.0
CLUSTER_FLAGS: Final = ("-n", "--namespace", "--context", "--kubeconfig")
"""Flags that choose where the names come from."""


def main(words: Sequence[str] | None = None) -> int:
    """Print the candidates for the last word."""
    given = list(sys.argv[1:] if words is None else words)
    for candidate in candidates(given):
        print(candidate)  # noqa: T201 - the answer
    print(FILES if _takes_files(given) else NO_FILES)  # noqa: T201
    return 0


def _takes_files(words: Sequence[str]) -> bool:
    top = parser()
    plain = _plain(words[:-1], top)
    return bool(plain) and top.commands.get(plain[0], top).accepts_files


def candidates(words: Sequence[str]) -> Iterator[str]:
    """Commands, flags, values of flags and names of rules."""
    *before, last = words or [""]
    top = parser()
    plain = _plain(before, top)
    command = top.commands.get(plain[0], top) if plain else top
    flag, equals, value = last.partition("=")
    if before and (option := _option(before[-1], command)) is not None and option.nargs is None:
        yield from _starting(last, _values(option, before))
    elif last.startswith("-") and equals:
        option = _option(flag, command)
        values = _starting(value, _values(option, before)) if option is not None else ()
        yield from (f"{flag}={each}" for each in values)
    elif last.startswith("-"):
        yield from _starting(last, _flags(command))
    elif not plain:
        yield from _starting(last, (f"{name}\t{COMMANDS[name][0]}" for name in COMMANDS))
    elif command.accepts_names:
        given = set(plain[1:])
        yield from (name for name in _starting(last, _names(before)) if name not in given)


def _starting(prefix: str, found: Iterable[str]) -> Iterator[str]:
    return (each for each in found if each.startswith(prefix))


def _flags(command: Parser) -> Iterator[str]:
    for option in command.options:
        for flag in option.option_strings:
            if flag.startswith("--"):
                text = "passed to kubectl" if option.help == argparse.SUPPRESS else option.help
                yield f"{flag}\t{text}"


def _option(flag: str, command: Parser) -> argparse.Action | None:
    """The option of this flag, if it takes a value."""
    for option in command.options:
        if flag in option.option_strings and option.nargs != 0:
            return option
    return None


def _values(option: argparse.Action, before: Sequence[str]) -> Iterable[str]:
    if option.choices is not None:
        return [str(choice) for choice in option.choices]
    if "--namespace" in option.option_strings:
        found = _ask("get", "namespaces", "-o", "name", *_cluster(before))
        return [line.partition("/")[2] for line in found]
    if "--context" in option.option_strings:
        return _ask("config", "get-contexts", "-o", "name")
    return ()


def _plain(words: Sequence[str], top: Parser) -> list[str]:
    """The command and the names: neither flags nor values of flags."""
    plain = list[str]()
    for before, word in zip(["", *words], words, strict=False):
        command = top.commands.get(plain[0], top) if plain else top
        if not word.startswith("-") and _option(before, command) is None:
            plain.append(word)
    return plain


def _names(words: Sequence[str]) -> list[str]:
    """The names of rules; none when the cluster does not answer at once."""
    found = _ask("get", RESOURCE, "-o", "name", *_cluster(words))
    return [line.partition("/")[2] for line in found]


def _cluster(words: Sequence[str]) -> list[str]:
    chosen = [
        f"--{_long(flag)}={value}" for flag, value in pairwise(words) if flag in CLUSTER_FLAGS
    ]
    return chosen + [
        word for word in words if word.partition("=")[0] in CLUSTER_FLAGS and "=" in word
    ]


def _ask(*words: str) -> list[str]:
    try:
        done = subprocess.run(  # noqa: S603 - the user's own kubectl
            [os.environ.get("KUBECTL", "kubectl"), *words],
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines()


def _long(flag: str) -> str:
    return "namespace" if flag == "-n" else flag.lstrip("-")


if __name__ == "__main__":
    sys.exit(main())
