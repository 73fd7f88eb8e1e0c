"""The questions that the commands ask, for Python: on documents as parsed from YAML or JSON."""

from typing import Any

from crdgen import checks
from crdgen.admit import outcome
from crdgen.admit.outcome import Outcome
from crdgen.checks import Verdict
from crdgen.compare import compared
from crdgen.compare.change import Change
from crdgen.definition import decoded

Document = dict[str, Any]


def check(crd: Document) -> Verdict:
    """Would the API server take this definition, and what do its rules cost?

    Raises:
        InputError: it is no CustomResourceDefinition of apiextensions.k8s.io/v1.
    """
    return checks.judge(decoded(crd))


def diff(old: Document, new: Document) -> list[Change]:
    """Every change from one definition to another, the worst first.

    Raises:
        InputError: either is no CustomResourceDefinition of apiextensions.k8s.io/v1.
    """
    return compared(decoded(old), decoded(new))


def validate(crd: Document, new: Document, old: Document | None = None) -> Outcome:
    """Would this object be admitted, as a creation or, with `old`, as an update?

    Raises:
        InputError: the definition is none, or does not serve the object's kind and version.
    """
    return outcome.review(decoded(crd), new, old)
