"""Fences for tests."""


def allow() -> None:
    """As `before_send`: the command may be sent."""
