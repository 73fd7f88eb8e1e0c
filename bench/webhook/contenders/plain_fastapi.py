"""FastAPI as people deploy a webhook: a pydantic body, a JSON response, the access log.

The decisions are ours, so that only the serving differs.
"""

import sys
from base64 import b64encode
from typing import Any

import msgspec
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from runtime import cel, clock
from webhook import admission_review
from webhook.app import Handler
from webhook.cli import WORKER
from webhook.handlers import AdmissionConfig, mutate, validate

CONFIG = AdmissionConfig(WORKER, cel.parse_error)


class Kind(BaseModel):
    """A group, version and kind."""

    group: str
    version: str
    kind: str


class UserInfo(BaseModel):
    """Who asks."""

    model_config = ConfigDict(extra="allow")
    username: str = ""


class AdmissionRequest(BaseModel):
    """admission.k8s.io/v1."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)
    uid: str
    kind: Kind
    operation: str
    name: str = ""
    namespace: str = ""
    sub_resource: str = Field("", alias="subResource")
    user_info: UserInfo = Field(alias="userInfo")
    object: dict[str, Any] | None = None
    old_object: dict[str, Any] | None = Field(None, alias="oldObject")


class AdmissionReview(BaseModel):
    """admission.k8s.io/v1."""

    api_version: str = Field(alias="apiVersion")
    kind: str
    request: AdmissionRequest


app = FastAPI()


@app.post("/mutate")
async def answer_mutate(review: AdmissionReview) -> dict[str, Any]:
    """Default."""
    return _answer(review, mutate)


@app.post("/validate")
async def answer_validate(review: AdmissionReview) -> dict[str, Any]:
    """Validate."""
    return _answer(review, validate)


def _answer(review: AdmissionReview, handler: Handler) -> dict[str, Any]:
    asked = review.request
    request = admission_review.AdmissionRequest(
        api_version=review.api_version,
        uid=asked.uid,
        operation=asked.operation,
        subresource=asked.sub_resource,
        group=asked.kind.group,
        kind=asked.kind.kind,
        name=asked.name,
        namespace=asked.namespace,
        user=asked.user_info.username,
        object=asked.object,
        old=asked.old_object,
    )
    answer, _ = handler(request, CONFIG, clock.now())
    response: dict[str, Any] = {"uid": asked.uid, "allowed": answer.allowed}
    if answer.patch:
        patch = b64encode(msgspec.json.encode(answer.patch)).decode()
        response |= {"patchType": "JSONPatch", "patch": patch}
    if answer.status:
        response["status"] = answer.status
    response |= {"warnings": list(answer.warnings), "auditAnnotations": dict(answer.audit)}
    return {"apiVersion": review.api_version, "kind": review.kind, "response": response}


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        ssl_certfile=f"{sys.argv[2]}/tls.crt",
        ssl_keyfile=f"{sys.argv[2]}/tls.key",
    )
