"""The programs of a stack: found, or built once and cached."""

from devstack.binaries.find import resolve

__all__ = ["resolve"]
