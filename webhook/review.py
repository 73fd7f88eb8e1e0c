"""AdmissionReview v1 on the wire: bytes to `Request`, `Answer` to bytes.

`webhook.endpoint` calls `decode` before a decision and `encode` after it. Nothing here knows what a
SummaryRule is. Field names and the rules for a response are those of the Kubernetes API
(k8s.io/api/admission/v1; what the server accepts is in apiserver's VerifyAdmissionResponse).
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from webhook.errors import RefusedRequestError
from webhook.patch import Operation

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"

_read = msgspec.json.Decoder().decode
_write = msgspec.json.Encoder().encode
# msgspec raises the first; RecursionError for deep nesting, UnicodeDecodeError for bad UTF-8.
_UNREADABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class Request(msgspec.Struct, frozen=True, gc=False):
    """The part of an AdmissionReview request that a decision needs."""

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


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What to tell the API server. ``decision`` is for metrics, logs and the audit log."""

    allowed: bool
    decision: str
    patch: tuple[Operation, ...] = ()
    status: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    audit: Mapping[str, str] = {}


def decode(body: bytes) -> Request:
    """Read an AdmissionReview of any version; the caller looks at ``api_version``.

    Raises:
        RefusedRequestError: 400, when the body is no JSON, repeats a key, or is no review.
    """
    try:
        review = _read(body)
    except _UNREADABLE as error:
        raise RefusedRequestError(400, f"the body is not JSON: {error}") from None
    _refuse_repeated_keys(review, body)
    return _request(_mapping(review, "the body"))


def encode(request: Request, answer: Answer) -> bytes:
    """The review that answers ``request``, in the API version that it came in."""
    response: dict[str, Any] = {"uid": request.uid, "allowed": answer.allowed}
    if answer.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = b64encode(_write(answer.patch)).decode("ascii")
    if answer.status is not None:
        response["status"] = answer.status
    if answer.warnings:
        response["warnings"] = answer.warnings
    if answer.audit:
        response["auditAnnotations"] = answer.audit
    return _write({"apiVersion": request.api_version, "kind": KIND, "response": response})


def _request(review: dict[str, Any]) -> Request:
    if review.get("kind") != KIND:
        raise RefusedRequestError(400, f"the body must be an {KIND}; send one as {API_VERSION}")
    request = _mapping(review.get("request"), "request")
    resource = _mapping(request.get("kind"), "request.kind")
    user = _mapping(request.get("userInfo"), "request.userInfo")
    return Request(
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
    """Refuse JSON that says one thing twice, without parsing a well-made body again.

    A body that is the very text its meaning is written as holds no key twice. The API server
    writes with Go's encoder, which escapes ``<``, ``>`` and ``&`` (Go 1.26, encoding/json); any
    other spelling costs a second parse.
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
