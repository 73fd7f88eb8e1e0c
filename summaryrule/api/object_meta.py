"""The name of an object, as the API server checks it when a client creates the object.

The rules and messages are those of k8s.io/apimachinery: ``ValidateObjectMeta`` with
``NameIsDNSSubdomain``, which custom resources use.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from summaryrule.api.field_errors import FieldError, invalid, required, wrong_type
from summaryrule.api.unstructured import nested_dict

_PART: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_PART}(\.{_PART})*"
_MAX_BYTES: Final = 253
_TOO_LONG: Final = f"must be no more than {_MAX_BYTES} characters"
_NOT_A_SUBDOMAIN: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or"
    " '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used"
    f" for validation is '{_SUBDOMAIN}')"
)


def validate_name(rule: Mapping[str, Any]) -> Iterator[FieldError]:
    """The violations of ``metadata.name`` and ``metadata.generateName``."""
    fields = nested_dict(rule, "metadata")
    name, prefix = fields.get("name") or "", fields.get("generateName") or ""
    for field, value in (("metadata.generateName", prefix), ("metadata.name", name)):
        if not isinstance(value, str):
            yield wrong_type(field, "string", value)
            return
    for message in _subdomain_errors(_without_last_dash(prefix)) if prefix else ():
        yield invalid("metadata.generateName", message, prefix)
    if not name and not prefix:
        missing = required("metadata.name")
        message = f"{missing.message}: name or generateName is required"
        yield FieldError(missing.field, missing.reason, message)
    for message in _subdomain_errors(name) if name else ():
        yield invalid("metadata.name", message, name)


def display_name(rule: Mapping[str, Any]) -> str:
    """The name, else the prefix that the API server makes a name from, else an empty string."""
    fields = nested_dict(rule, "metadata")
    return str(fields.get("name") or fields.get("generateName") or "")


def _without_last_dash(prefix: str) -> str:
    """A prefix may end in a dash: the API server appends letters and digits to it."""
    return f"{prefix[:-2]}a" if len(prefix) > 1 and prefix.endswith("-") else prefix


def _subdomain_errors(text: str) -> Iterator[str]:
    if len(text.encode()) > _MAX_BYTES:
        yield _TOO_LONG
    if not re.fullmatch(_SUBDOMAIN, text):
        yield _NOT_A_SUBDOMAIN
