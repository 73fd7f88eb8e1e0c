"""The status of a refused review, in the API server's own words.

Called by `webhook.admission` for ``/validate`` and by ``webhook review`` for its text output. The
shape is apimachinery's ``errors.NewInvalid`` (v0.37): kubectl prints the causes as
``The SummaryRule "x" is invalid: field: message``, other API clients show ``message``.
"""

from collections.abc import Sequence
from typing import Any

from summaryrule.api.field_errors import FieldError
from webhook.review import API_VERSION, Request


def invalid(request: Request, name: str, violations: Sequence[FieldError]) -> dict[str, Any]:
    """``metav1.Status`` 422 Invalid with a cause for each violation, in their order."""
    return {
        "status": "Failure",
        "code": 422,
        "reason": "Invalid",
        "message": f'{request.kind}.{request.group} "{name}" is invalid: {together(violations)}',
        "details": {
            "group": request.group,
            "kind": request.kind,
            "name": name,
            "causes": [
                {"reason": each.reason, "message": each.message, "field": each.field}
                for each in violations
            ],
        },
    }


def together(violations: Sequence[FieldError]) -> str:
    """All violations in one line: the bare text of one, else ``[a, b]`` without repeats."""
    texts = dict.fromkeys(f"{each.field}: {each.message}" for each in violations)
    return next(iter(texts)) if len(texts) == 1 else f"[{', '.join(texts)}]"


def unknown_version(request: Request) -> dict[str, Any]:
    """``metav1.Status`` 400 for a review in another version of the protocol."""
    return {
        "status": "Failure",
        "code": 400,
        "reason": "BadRequest",
        "message": f"this webhook speaks {API_VERSION}, not {request.api_version}: "
        "set admissionReviewVersions: [v1] in its configuration",
    }
