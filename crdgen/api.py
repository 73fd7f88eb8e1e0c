"""The questions that the commands ask, for Python: on documents as parsed from YAML or JSON."""

from typing import Any

from crdgen.admission.validate import ValidationResult, validate_object
from crdgen.checks import CheckResult, check_definition
from crdgen.compatibility import compare
from crdgen.compatibility.change import Change
from crdgen.definition import decode_definition

Document = dict[str, Any]


def check(crd: Document) -> CheckResult:
    """Would the API server take this definition, and what do its rules cost?

    Raises:
        InputError: it is no CustomResourceDefinition of apiextensions.k8s.io/v1.
    """
    return check_definition(decode_definition(crd))


def diff(old: Document, new: Document) -> list[Change]:
    """Every change from one definition to another, the worst first.

    Raises:
        InputError: either is no CustomResourceDefinition of apiextensions.k8s.io/v1.
    """
    return compare(decode_definition(old), decode_definition(new))


def validate(crd: Document, new: Document, old: Document | None = None) -> ValidationResult:
    """Would this object be admitted, as a creation or, with `old`, as an update?

    Raises:
        InputError: the definition is none, or does not serve the object's kind and version.
    """
    return validate_object(decode_definition(crd), new, old)
