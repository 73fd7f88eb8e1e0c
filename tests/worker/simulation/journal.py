"""Listens to what workers log as errors. A story counts each as a violation."""

import contextlib
import logging
from collections.abc import Callable, Iterator


class _Ear(logging.Handler):
    def __init__(self, told: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        self._told(f"{record.getMessage()}: {cause!r}")


@contextlib.contextmanager
def listening(told: Callable[[str], None]) -> Iterator[None]:
    """Inside, errors of `worker` go to `told`, and nothing of it to the screen."""
    logger, ear = logging.getLogger("worker"), _Ear(told)
    before = (logger.level, logger.propagate)
    logger.addHandler(ear)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(ear)
        level, logger.propagate = before
        logger.setLevel(level)  # NB: only setLevel clears what loggers below have cached
