"""The one place in this room that reads the wall clock."""

import time

from summaryrule.api.instant import Instant


def now() -> Instant:
    """The current time, to the tick."""
    return Instant.from_unix_ns(time.time_ns())
