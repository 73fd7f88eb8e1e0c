"""Prints the krew manifest: `krew.py VERSION ARCHIVE DOWNLOADS`."""

import hashlib
import sys
from pathlib import Path

TEMPLATE = Path(__file__).with_name("krew.yaml")


def manifest(version: str, archive: Path, downloads: str) -> str:
    """The manifest of an archive that is published below the URL ``downloads``."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    text = TEMPLATE.read_text(encoding="utf-8").partition("\n")[2]
    return text.format(version=version, downloads=downloads.rstrip("/"), sha256=digest)


if __name__ == "__main__":
    sys.stdout.write(manifest(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
