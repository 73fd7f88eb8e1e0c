"""Start a program that cannot outlive the process that asked for it.

The supervisor runs every child as `python leash.py <supervisor pid> <program> …`. The leash asks
the kernel to kill it when its parent dies, then becomes the program: the request survives the
exec, so a supervisor that is killed with -9 takes its children along. Standard library only and
no import of ours, because it starts with `-I -S` in some twenty milliseconds.

NB: the kernel watches the *thread* that forked, so children are spawned from the main thread.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become `arguments[1:]`, unless the parent `arguments[0]` is gone already."""
    parent, *argv = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit("leash: the supervisor is gone")
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - that is its whole purpose
    except OSError as error:
        sys.exit(f"leash: {argv[0]} cannot be started: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
