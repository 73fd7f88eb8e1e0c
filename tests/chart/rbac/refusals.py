"""What the API server refuses one account, read from its audit log as it grows.

Used by `bench.py`: a check that was refused need not wait as long as one that is only slow.
"""

import json
import os
from http import HTTPStatus
from pathlib import Path


class Refusals:
    """The requests of `user` that were answered 403, from now on."""

    def __init__(self, log: Path, user: str) -> None:
        self.seen: list[str] = []
        self._user = user
        self._file = log.open("rb")
        self._file.seek(0, os.SEEK_END)

    def look(self) -> bool:
        """Read on; whether anything has been refused so far."""
        while (line := self._file.readline()).endswith(b"\n"):
            self._take(json.loads(line))
        self._file.seek(-len(line), os.SEEK_CUR)
        return bool(self.seen)

    def close(self) -> None:
        """Read to the end and let go of the log."""
        self.look()
        self._file.close()

    def _take(self, event: dict[str, dict[str, object]]) -> None:
        code = event.get("responseStatus", {}).get("code")
        if event["user"]["username"] == self._user and code == HTTPStatus.FORBIDDEN:
            self.seen.append(f"{event['verb']} {str(event['requestURI']).partition('?')[0]}")
