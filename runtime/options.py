"""Options that the command lines of the worker and of the webhook share."""

import argparse

from summaryrule.api.instant import Instant, InvalidInstantError
from summaryrule.api.ownership import Ownership


def add_ownership_options(command: argparse.ArgumentParser) -> None:
    """Add ``--adopt-unowned`` and ``--adopt-owner``."""
    command.add_argument(
        "--adopt-unowned",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run rules without an owner annotation (default: yes; use no if adx-mon also runs)",
    )
    command.add_argument(
        "--adopt-owner",
        action="append",
        default=[],
        metavar="OWNER",
        help="take over the rules of this owner, such as adx-exporter or ingestor; repeat for each;"
        " stop that operator first",
    )


def read_ownership(options: argparse.Namespace) -> Ownership:
    """Which rules this operator runs."""
    return Ownership(options.adopt_unowned, frozenset(options.adopt_owner))


def read_instant(text: str) -> Instant:
    """The RFC 3339 time of an option.

    Raises:
        ArgumentTypeError: it is not one; the message says what to write.
    """
    try:
        return Instant.parse(text)
    except InvalidInstantError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from error
