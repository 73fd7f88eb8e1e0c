"""AdmissionReview v1: bytes to `AdmissionRequest`, `AdmissionResponse` to bytes.

Field names and the rules for a response are those of k8s.io/api/admission/v1; what the API server
accepts is in apiserver's VerifyAdmissionResponse. The constructors of a response are those of
controller-runtime's webhook/admission: `allowed`, `patched`, `denied`, `errored`.
"""

import json
import re
from base64 import b64encode
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from summaryrule.api.field_errors import FieldError
from webhook.errors import RefusedRequestError
from webhook.json_patch import Operation

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"

MAX_WARNING_LENGTH: Final = 256
MAX_WARNINGS_LENGTH: Final = 4096

_SPACES = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_WARNINGS_OMITTED: Final = "more warnings were left out"
_read = msgspec.json.Decoder().decode
_write = msgspec.json.Encoder().encode
# msgspec raises the first; RecursionError for deep nesting, UnicodeDecodeError for bad UTF-8.
_UNREADABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class AdmissionRequest(msgspec.Struct, frozen=True, gc=False):
    """The fields of an AdmissionReview request that a decision needs."""

    api_version: str
    uid: str
    operation: str
    subresource: str
    group: str
    kind: str
    name: str
    namespace: str
    user: str
    object: dict[str, Any] | None
    old: dict[str, Any] | None


class AdmissionResponse(msgspec.Struct, frozen=True, gc=False):
    """The answer to one request. ``decision`` is the label of metrics and of the audit log."""

    allowed: bool
    decision: str
    patch: tuple[Operation, ...] = ()
    status: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    audit: Mapping[str, str] = {}


def allowed(
    decision: str, *, warnings: Collection[str] = (), audit: Mapping[str, str] | None = None
) -> AdmissionResponse:
    """Allow the object as it is."""
    return AdmissionResponse(
        allowed=True, decision=decision, warnings=format_warnings(warnings), audit=audit or {}
    )


def patched(
    patch: Iterable[Operation], *, warnings: Collection[str], audit: Mapping[str, str]
) -> AdmissionResponse:
    """Allow the object with ``patch`` applied."""
    return AdmissionResponse(
        allowed=True,
        decision="patched",
        patch=tuple(patch),
        warnings=format_warnings(warnings),
        audit=audit,
    )


def denied(
    request: AdmissionRequest,
    violations: Sequence[FieldError],
    *,
    warnings: Collection[str] = (),
    audit: Mapping[str, str],
) -> AdmissionResponse:
    """Deny with a ``metav1.Status`` 422 Invalid that has a cause for each violation, in order.

    The shape is apimachinery's ``errors.NewInvalid`` (v0.37): kubectl prints the causes as
    ``The SummaryRule "x" is invalid: field: message``, other API clients show ``message``.
    """
    return AdmissionResponse(
        allowed=False,
        decision="denied",
        status=_invalid_status(request, violations),
        warnings=format_warnings(warnings),
        audit=audit,
    )


def errored(message: str) -> AdmissionResponse:
    """Deny with a ``metav1.Status`` 400 BadRequest."""
    status = {"status": "Failure", "code": 400, "reason": "BadRequest", "message": message}
    return AdmissionResponse(allowed=False, decision="denied", status=status)


def aggregate_message(violations: Sequence[FieldError]) -> str:
    """Return all violations in one line: the bare text of one, else ``[a, b]`` without repeats."""
    texts = dict.fromkeys(f"{each.field}: {each.message}" for each in violations)
    return next(iter(texts)) if len(texts) == 1 else f"[{', '.join(texts)}]"


def format_warnings(warnings: Collection[str]) -> tuple[str, ...]:
    """Return distinct warnings of one line, within the API server's limits.

    The server turns each into a ``Warning`` header and silently drops one with a control
    character; past 4,096 characters in total it cuts each to 256 and drops the rest (apiserver
    v0.37, endpoints/filters/warning.go). Here the last line says when some were left out.
    """
    if not warnings:
        return ()
    lines = tuple(dict.fromkeys(filter(None, map(_warning_line, warnings))))
    if sum(map(len, lines)) <= MAX_WARNINGS_LENGTH:
        return lines
    limit = MAX_WARNINGS_LENGTH - len(_WARNINGS_OMITTED)
    return (*_take_within(lines, limit), _WARNINGS_OMITTED)


def name_of(request: AdmissionRequest) -> str:
    """Return the object's name; empty when the server will generate one (``generateName``)."""
    metadata = (request.object or {}).get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return request.name or (name if isinstance(name, str) else "")


def decode(body: bytes) -> AdmissionRequest:
    """Read an AdmissionReview of any version, which is in ``api_version``.

    Raises:
        RefusedRequestError: 400, when the body is not JSON, repeats a key, or is not a review.
    """
    try:
        review = _read(body)
    except _UNREADABLE as error:
        raise RefusedRequestError(400, f"the body is not JSON: {error}") from None
    _refuse_repeated_keys(review, body)
    return _read_request(_mapping(review, "the body"))


def encode(request: AdmissionRequest, response: AdmissionResponse) -> bytes:
    """Return the AdmissionReview that answers ``request``, in the API version of the request."""
    fields: dict[str, Any] = {"uid": request.uid, "allowed": response.allowed}
    if response.patch:
        fields["patchType"] = "JSONPatch"
        fields["patch"] = b64encode(_write(response.patch)).decode("ascii")
    if response.status is not None:
        fields["status"] = response.status
    if response.warnings:
        fields["warnings"] = response.warnings
    if response.audit:
        fields["auditAnnotations"] = response.audit
    return _write({"apiVersion": request.api_version, "kind": KIND, "response": fields})


def _read_request(review: dict[str, Any]) -> AdmissionRequest:
    if review.get("kind") != KIND:
        raise RefusedRequestError(400, f"the body must be an {KIND}; send one as {API_VERSION}")
    request = _mapping(review.get("request"), "request")
    resource = _mapping(request.get("kind"), "request.kind")
    user = _mapping(request.get("userInfo"), "request.userInfo")
    return AdmissionRequest(
        api_version=_text(review, "apiVersion"),
        uid=_text(request, "uid"),
        operation=_text(request, "operation"),
        subresource=_text(request, "subResource"),
        group=_text(resource, "group"),
        kind=_text(resource, "kind"),
        name=_text(request, "name"),
        namespace=_text(request, "namespace"),
        user=_text(user, "username"),
        object=_object(request, "object"),
        old=_object(request, "oldObject"),
    )


def _invalid_status(request: AdmissionRequest, violations: Sequence[FieldError]) -> dict[str, Any]:
    name, message = name_of(request), aggregate_message(violations)
    return {
        "status": "Failure",
        "code": 422,
        "reason": "Invalid",
        "message": f'{request.kind}.{request.group} "{name}" is invalid: {message}',
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


def _warning_line(text: str) -> str:
    line = _SPACES.sub(" ", text).strip()
    return line if len(line) <= MAX_WARNING_LENGTH else line[: MAX_WARNING_LENGTH - 1] + "…"


def _take_within(lines: Iterable[str], limit: int) -> Iterable[str]:
    """Yield lines from the front while their total length is at most ``limit``."""
    for line in lines:
        limit -= len(line)
        if limit < 0:
            return
        yield line


def _mapping(value: object, where: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise RefusedRequestError(400, f"{where} must be an object")
    return cast("dict[str, Any]", value)


def _text(holder: dict[str, Any], key: str) -> str:
    value = holder.get(key, "")
    if type(value) is not str:
        raise RefusedRequestError(400, f"{key} must be a string")
    return value


def _object(request: dict[str, Any], key: str) -> dict[str, Any] | None:
    value = request.get(key)
    return None if value is None else _mapping(value, f"request.{key}")


def _refuse_repeated_keys(review: object, body: bytes) -> None:
    """Refuse JSON with a key twice in one object.

    A body that equals the encoding of its decoded value has no repeated key. The API server writes
    with Go's encoder, which escapes ``<``, ``>`` and ``&`` (Go 1.26, encoding/json). A body in
    another spelling is parsed a second time.
    """
    text = _write(review)
    if len(text) != len(body) - body.endswith(b"\n"):
        text = text.replace(b"<", rb"\u003c").replace(b">", rb"\u003e").replace(b"&", rb"\u0026")
    if body.startswith(text):
        return
    try:
        json.loads(body, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise RefusedRequestError(400, f"the body is not JSON: {error}") from None


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) == len(pairs):
        return
    keys = [key for key, _ in pairs]
    twice = next(key for key in keys if keys.count(key) > 1)
    raise RefusedRequestError(400, f"the body has the key {twice!r} twice in one object")
