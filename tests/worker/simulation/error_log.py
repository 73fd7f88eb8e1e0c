"""Reports what the workers log at level error; a scenario counts it as a violation."""

import contextlib
import logging
from collections.abc import Callable, Iterator


class _ErrorHandler(logging.Handler):
    def __init__(self, report: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        self._report(f"{record.getMessage()}: {cause!r}")


@contextlib.contextmanager
def capture_errors(report: Callable[[str], None]) -> Iterator[None]:
    """Within the context, `report` gets the errors of `worker`, and nothing is printed."""
    logger, handler = logging.getLogger("worker"), _ErrorHandler(report)
    before = (logger.level, logger.propagate)
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        level, logger.propagate = before
        logger.setLevel(level)  # NB: only setLevel clears what loggers below have cached
