"""From an object as the API server gives it to a rule that can be planned."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from summaryrule.schema import schema
from summaryrule.v1 import SummaryRule


class MalformedError(ValueError):
    """The object cannot be read as a SummaryRule; the message says which field and why."""


def read(raw: Mapping[str, Any]) -> SummaryRule:
    """The rule in an object as the API server gives it.

    Raises:
        MalformedError: for an object that bypassed the CRD or stems from another version.
    """
    try:
        return SummaryRule.model_validate(raw)
    except ValidationError as error:
        found = [str(violation) for violation in schema(raw)]
        told = found or [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise MalformedError("; ".join(told)) from error
