"""Readiness: would the API server, as it is configured right now, trust what we serve?"""

from collections.abc import Sequence

from webhook.certificates.context import Serving
from webhook.certificates.injection import RESOURCES, Configuration
from webhook.errors import UnusableCertificateError

GATE = "certificate"


def distrust(serving: Serving, live: Sequence[Configuration], name: str) -> str:
    """Why the API server would not call us, in one sentence; empty when it would."""
    for resource in RESOURCES:
        found = next((each for each in live if f"/{resource}/" in each.path), None)
        if found is None:
            return f"there is no {resource[:-1]} of the given name"
        for bundle in dict.fromkeys(found.bundles):
            try:
                serving.verify(bundle, name)
            except UnusableCertificateError as error:
                return f"by the caBundle of the {resource[:-1]} the served certificate is {error}"
    return ""
