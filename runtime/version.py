"""The version of the installed package."""

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """The version of ``summaryrule-operator``, or ``unknown`` in a bare source tree."""
    try:
        return version("summaryrule-operator")
    except PackageNotFoundError:
        return "unknown"
