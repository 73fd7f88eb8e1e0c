"""How a proof tells its figures, line by line, while it runs (`pytest -s`)."""


def say(text: str = "") -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 - a proof prints its figures
