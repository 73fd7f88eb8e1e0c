"""What the devstack tells a person when it cannot go on.

Raised anywhere in the room, printed once by `__main__` as `devstack: <sentence>`, exit 2.
"""


class DevstackError(Exception):
    """One clear sentence: what was wrong, where, and what to do instead."""


class EndedEarlyError(DevstackError):
    """A child ended, or did not become healthy, before the stack was ready."""
