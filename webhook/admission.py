"""From an admission request to an answer: the two paths of design section 5, without I/O.

The rules themselves are in `summaryrule.admission`. What is decided here is only whether a request
is ours to judge at all, and how the protocol says what the rules found.
"""

from collections.abc import Callable
from dataclasses import dataclass

from summaryrule.admission.defaulting import apply_defaults
from summaryrule.admission.validation import review
from summaryrule.api.field_errors import FieldError
from summaryrule.api.instant import Instant
from webhook.patch import diff
from webhook.refusal import invalid, unknown_version
from webhook.review import API_VERSION, Answer, Request
from webhook.warning import sanitised

GROUP = "adx-mon.azure.com"
KIND = "SummaryRule"

PASSED = Answer(allowed=True, decision="passed")
UNCHANGED = Answer(allowed=True, decision="unchanged")
Judgement = tuple[Answer, tuple[FieldError, ...]]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a decision depends on besides the request: the worker's user name and a CEL parser.

    ``parse_cel`` returns what is wrong with an expression, or None.
    """

    worker: str
    parse_cel: Callable[[str], str | None]


def mutate(request: Request, policy: Policy, now: Instant) -> Judgement:
    """Default the object. Always allowed: what cannot be read is for the next stages to refuse."""
    if request.api_version != API_VERSION or request.object is None or not _is_ours(request):
        return _passed(request), ()
    defaulted = apply_defaults(
        request.old, request.object, user=request.user, worker=policy.worker, now=now
    )
    patch = tuple(diff(request.object, defaulted.object))
    if not patch and not defaulted.warnings:
        return UNCHANGED, ()
    decision = "patched" if patch else "unchanged"
    answer = Answer(
        allowed=True,
        decision=decision,
        patch=patch,
        warnings=sanitised(defaulted.warnings),
        audit={"decision": decision},
    )
    return answer, ()


def validate(request: Request, policy: Policy, now: Instant) -> Judgement:
    """Report every violation, or allow. A deletion and what is being deleted always pass."""
    if request.api_version != API_VERSION:
        refusal = Answer(allowed=False, decision="denied", status=unknown_version(request))
        return refusal, ()
    if request.object is None or not _is_ours(request) or _is_going(request.object):
        return _passed(request), ()
    found = review(
        request.old,
        request.object,
        user=request.user,
        worker=policy.worker,
        now=now,
        parse_cel=policy.parse_cel,
    )
    violations = found.violations
    answer = Answer(
        allowed=not violations,
        decision="denied" if violations else "allowed",
        status=invalid(request, name_of(request), violations) if violations else None,
        warnings=sanitised(found.warnings),
        audit=found.audit,
    )
    return answer, violations


def name_of(request: Request) -> str:
    """The object's name; empty when the server is still to make one up (``generateName``)."""
    metadata = (request.object or {}).get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return request.name or (name if isinstance(name, str) else "")


def _is_ours(request: Request) -> bool:
    return request.kind == KIND and request.group == GROUP and not request.subresource


def _is_going(rule: dict[str, object]) -> bool:
    metadata = rule.get("metadata")
    return isinstance(metadata, dict) and bool(metadata.get("deletionTimestamp"))


def _passed(request: Request) -> Answer:
    """Let through what is not ours, and say so where a configuration sent it by mistake."""
    if request.api_version != API_VERSION:
        warning = f"not defaulted: this webhook speaks {API_VERSION}, not {request.api_version}"
    elif (request.group, request.kind) != (GROUP, KIND):
        warning = f"not judged: this webhook judges {KIND}.{GROUP}, not {request.kind}"
    else:
        return PASSED
    return Answer(allowed=True, decision="passed", warnings=sanitised([warning]))
