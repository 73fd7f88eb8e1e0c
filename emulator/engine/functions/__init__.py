"""The scalar functions, by module; importing this package fills the registry."""

from emulator.engine.functions import (  # noqa: F401 - each registers its functions
    bags,
    control,
    dynamic,
    encoding,
    extent,
    mathematics,
    network,
    series,
    sets,
    text,
    time,
)
from emulator.engine.functions.registry import FUNCTIONS, PYTHON_FUNCTIONS, REAL_MACROS, Call

__all__ = ["FUNCTIONS", "PYTHON_FUNCTIONS", "REAL_MACROS", "Call"]
