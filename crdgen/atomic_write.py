"""Writes output files whole or not at all."""

import os
import tempfile
from pathlib import Path

from crdgen.errors import InputError


def write_text(path: Path, text: str) -> None:
    """Replace the file at `path` by `text` in one step; leave it alone when it says so already.

    Raises:
        InputError: it cannot be written; what was there is untouched.
    """
    try:
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return
        _replace(path, text)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def _replace(path: Path, text: str) -> None:
    target = path.resolve()
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        Path(temporary).chmod(mode)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
