"""Names as DNS labels and subdomains (RFC 1035, RFC 1123), in the words of apimachinery."""

import re
from typing import Final

_LABEL: Final = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_PART: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_PART}(\.{_PART})*"
_LONGEST_LABEL: Final = 63
_LONGEST_SUBDOMAIN: Final = 253


def label_errors(text: str) -> list[str]:
    """Why `text` is no DNS-1035 label; empty when it is one."""
    found = []
    if len(text.encode()) > _LONGEST_LABEL:
        found.append(f"must be no more than {_LONGEST_LABEL} characters")
    if not re.fullmatch(_LABEL, text):
        found.append(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start"
            " with an alphabetic character, and end with an alphanumeric character (e.g."
            f" 'my-name',  or 'abc-123', regex used for validation is '{_LABEL}')"
        )
    return found


def subdomain_errors(text: str) -> list[str]:
    """Why `text` is no RFC 1123 subdomain; empty when it is one."""
    found = []
    if len(text.encode()) > _LONGEST_SUBDOMAIN:
        found.append(f"must be no more than {_LONGEST_SUBDOMAIN} characters")
    if not re.fullmatch(_SUBDOMAIN, text):
        found.append(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters,"
            " '-' or '.', and must start and end with an alphanumeric character (e.g."
            f" 'example.com', regex used for validation is '{_SUBDOMAIN}')"
        )
    return found
