"""The version of the installed package."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final

DISTRIBUTIONS: Final = ("summaryrule-operator", "kubectl-summaryrule")
"""The distributions that carry this code: the whole product, and the plugin alone."""


def installed_version() -> str:
    """The version of the distribution that is installed, or ``unknown`` in a bare source tree."""
    for name in DISTRIBUTIONS:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "unknown"
