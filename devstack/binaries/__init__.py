"""The binaries of a stack and of the chart's checks: found, or built once and cached."""

from devstack.binaries.find import resolve
from devstack.binaries.tools import CHECKERS, ON_DEMAND, TOOLS

__all__ = ["CHECKERS", "ON_DEMAND", "TOOLS", "resolve"]
