"""Errors that the devstack reports to its user. The command line prints them and exits with 2."""


class DevstackError(Exception):
    """One sentence: what is wrong, where, and what to do."""


class EndedEarlyError(DevstackError):
    """A process ended, or was not healthy in time, before the stack was ready."""
