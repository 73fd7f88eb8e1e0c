"""Starts a program that is killed when its parent dies (PR_SET_PDEATHSIG).

`tie_to_parent` gives the command line `python parent_death.py PARENT_PID PROGRAM …`. That process
asks the kernel for SIGKILL at its parent's death, then becomes the program: the setting survives
exec. A parent killed with -9 therefore leaves no child behind. This file uses the standard library
only, because it runs with `-I -S`, which starts in about 20 ms.

NB: the kernel watches the parent *thread* that forked, so start children from the main thread.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def tie_to_parent(argv: Sequence[str]) -> list[str]:
    """Return the command line that runs `argv` and ends it when the calling process dies."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *argv]


def main(arguments: list[str]) -> None:
    """Become `arguments[1:]`, unless the parent with the pid `arguments[0]` is gone already."""
    parent, *argv = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit("parent_death: the parent process is gone")
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - the purpose of this program
    except OSError as error:
        sys.exit(f"parent_death: {argv[0]} cannot be started: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
