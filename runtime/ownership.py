"""The options that say which rules this operator runs: the worker and the webhook share them."""

import argparse

from summaryrule.api.ownership import Ownership


def add_ownership_options(command: argparse.ArgumentParser) -> None:
    """Add ``--adopt-unowned`` and ``--adopt-owner``."""
    command.add_argument(
        "--adopt-unowned",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run rules without an owner annotation (default: yes; use no where adx-mon runs too)",
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
