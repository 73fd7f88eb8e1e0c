"""What ``/mutate`` and ``/validate`` decide: pure functions of a request, a configuration, a time.

The rules for the object are in `summaryrule`. A handler decides whether they apply to the request
and turns what they find into a response.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from summaryrule.admission.defaulting import apply_defaults
from summaryrule.admission.validation import review
from summaryrule.api import unstructured
from summaryrule.api.constants import GROUP, KIND, REQUESTED_BY_ANNOTATION
from summaryrule.api.field_errors import FieldError
from summaryrule.api.instant import Instant
from summaryrule.api.ownership import Ownership
from summaryrule.api.upstream_backfill import is_upstream_request
from webhook.admission_review import (
    API_VERSION,
    AdmissionRequest,
    AdmissionResponse,
    allowed,
    denied,
    errored,
    patched,
)
from webhook.json_patch import diff

NOT_APPLICABLE = allowed("passed")
UNCHANGED = allowed("unchanged")
Result = tuple[AdmissionResponse, tuple[FieldError, ...]]


@dataclass(frozen=True, slots=True)
class AdmissionConfig:
    """The worker's user name, a CEL parser, and which rules this operator runs.

    ``parse_cel`` returns its error for an expression, or None.
    """

    worker: str
    parse_cel: Callable[[str], str | None]
    ownership: Ownership = field(default_factory=Ownership)


def mutate(request: AdmissionRequest, config: AdmissionConfig, now: Instant) -> Result:
    """Default the object. Always allowed: the next stages refuse what cannot be read."""
    if (
        request.api_version != API_VERSION
        or request.object is None
        or not _is_for_us(request)
        or not config.ownership.is_for_us(request.object)
    ):
        return _not_applicable(request), ()
    defaulted = apply_defaults(
        _stored(request, config), request.object, user=request.user, worker=config.worker, now=now
    )
    patch = tuple(diff(request.object, defaulted.object))
    if patch:
        return patched(patch, warnings=defaulted.warnings, audit={"decision": "patched"}), ()
    if defaulted.warnings:
        audit = {"decision": "unchanged"}
        return allowed("unchanged", warnings=defaulted.warnings, audit=audit), ()
    return UNCHANGED, ()


def validate(request: AdmissionRequest, config: AdmissionConfig, now: Instant) -> Result:
    """Deny with every violation, or allow. A deletion, or an object being deleted, is allowed."""
    if request.api_version != API_VERSION:
        return errored(
            f"this webhook speaks {API_VERSION}, not {request.api_version}: "
            "set admissionReviewVersions: [v1] in its configuration"
        ), ()
    if (
        request.object is None
        or not _is_for_us(request)
        or not config.ownership.is_for_us(request.object)
        or unstructured.is_being_deleted(request.object)
    ):
        return _not_applicable(request), ()
    found = review(
        _stored(request, config),
        request.object,
        user=request.user,
        worker=config.worker,
        now=now,
        parse_cel=config.parse_cel,
    )
    if found.violations:
        response = denied(request, found.violations, warnings=found.warnings, audit=found.audit)
    else:
        response = allowed("allowed", warnings=found.warnings, audit=found.audit)
    return response, found.violations


def _is_for_us(request: AdmissionRequest) -> bool:
    return request.kind == KIND and request.group == GROUP and not request.subresource


def _stored(request: AdmissionRequest, config: AdmissionConfig) -> dict[str, Any] | None:
    """The stored object, without what was never checked because another operator owned the rule.

    That is a backfill in our form and its requester: with them the rule becomes ours.
    """
    old = request.old
    if old is None or config.ownership.is_for_us(old):
        return old
    spec = dict(unstructured.nested_dict(old, "spec"))
    if not is_upstream_request(spec.get("backfill")):
        spec.pop("backfill", None)
    annotations = {**unstructured.annotations_of(old)}
    annotations.pop(REQUESTED_BY_ANNOTATION, None)
    metadata = {**unstructured.nested_dict(old, "metadata"), "annotations": annotations}
    return {**old, "metadata": metadata, "spec": spec}


def _not_applicable(request: AdmissionRequest) -> AdmissionResponse:
    """Allow, with a warning where a webhook configuration sent the request by mistake."""
    if request.api_version != API_VERSION:
        warning = f"not defaulted: this webhook speaks {API_VERSION}, not {request.api_version}"
    elif (request.group, request.kind) != (GROUP, KIND):
        warning = f"not judged: this webhook judges {KIND}.{GROUP}, not {request.kind}"
    else:
        return NOT_APPLICABLE
    return allowed("passed", warnings=[warning])
