"""Before anything is timed: do all servers say the same?"""

import json
from base64 import b64decode
from typing import Any

import jsonpatch

from bench.webhook.reviews import Json, as_line
from bench.webhook.servers import Running


def answers(running: Running, reviews: list[Json]) -> list[Json]:
    """What a server decides, with patches applied, so that only their effect counts."""
    return [
        _meaning(json.loads(running.ask(path, as_line(review)))["response"], review)
        for review in reviews
        for path in ("/mutate", "/validate")
    ]


def effect(answer: Json) -> Json:
    """The part that Kopf's protocol can say: allowed or not, and the object."""
    return {"allowed": answer["allowed"], "object": _essential(answer["object"])}


def _meaning(response: Json, review: Json) -> Json:
    status = response.get("status") or {}
    return {
        "uid": response["uid"],
        "allowed": response["allowed"],
        "warnings": response.get("warnings") or [],
        "audit": response.get("auditAnnotations") or {},
        "causes": status.get("details", {}).get("causes", []),
        "message": status.get("message", "") if not response["allowed"] else "",
        "object": _patched(response, review),
    }


def _patched(response: Json, review: Json) -> Any:  # noqa: ANN401 - JSON
    thing = review["request"]["object"]
    if not response.get("patch"):
        return thing
    return jsonpatch.apply_patch(thing, b64decode(response["patch"]).decode())


def _essential(thing: Json) -> Json:
    return {"spec": thing["spec"], "annotations": thing["metadata"].get("annotations")}
