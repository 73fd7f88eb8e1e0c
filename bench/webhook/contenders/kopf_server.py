"""Kopf's admission server with our decisions in its handlers.

Kopf's operator would watch an API server as well; here only its webhook server and its admission
engine run, which is less than a Kopf operator does. Its protocol has one message for a refusal and
no causes, so that only "allowed" and the patched object can be compared.
"""
# ruff: noqa: ANN401 - Kopf hands over values without types
# mypy: disable-error-code="untyped-decorator,arg-type"

import asyncio
import sys
from typing import Any

import kopf
from kopf._cogs.structs import references
from kopf._core.engines import admission
from kopf._core.reactor import inventory

from runtime import cel, clock
from summaryrule.admission.defaulting import apply_defaults
from summaryrule.admission.validation import review
from webhook.cli import WORKER

REGISTRY = kopf.OperatorRegistry()
RULES = ("adx-mon.azure.com", "v1", "summaryrules")


@kopf.on.mutate(*RULES, registry=REGISTRY, id="mutate")
def on_mutate(body: kopf.Body, old: Any, userinfo: Any, patch: kopf.Patch, **_: Any) -> None:
    """Default, and give Kopf what changed."""
    new = dict(body)
    user = userinfo["username"]
    stored = apply_defaults(_plain(old), new, user=user, worker=WORKER, now=clock.now()).object
    patch.update(_merge_patch(new, stored))


@kopf.on.validate(*RULES, registry=REGISTRY, id="validate")
def on_validate(body: kopf.Body, old: Any, userinfo: Any, warnings: list[str], **_: Any) -> None:
    """Refuse with every violation in the one message there is."""
    found = review(
        _plain(old),
        dict(body),
        user=userinfo["username"],
        worker=WORKER,
        now=clock.now(),
        parse_cel=cel.parse_error,
    )
    warnings.extend(found.warnings)
    if found.violations:
        raise kopf.AdmissionError("; ".join(map(str, found.violations)), code=422)


def _merge_patch(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """RFC 7386, which is what Kopf takes: None removes."""
    made: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            inner = _merge_patch(old[key], value)
            made |= {key: inner} if inner else {}
        elif old.get(key) != value:
            made[key] = value
    return made


def _plain(old: Any) -> dict[str, Any] | None:
    return dict(old) if old else None


async def main(port: int, folder: str) -> None:
    """Serve until killed."""
    resource = references.Resource(*RULES, kind="SummaryRule", verbs=frozenset(), preferred=True)
    insights = references.Insights()
    insights.webhook_resources.add(resource)
    insights.ready_resources.set()
    memories, settings = inventory.ResourceMemories(), kopf.OperatorSettings()
    server = kopf.WebhookServer(
        addr="127.0.0.1",
        port=port,
        certfile=f"{folder}/tls.crt",
        pkeyfile=f"{folder}/tls.key",
    )

    async def answer(request: Any, **how: Any) -> Any:
        return await admission.serve_admission_request(
            request,
            settings=settings,
            memories=memories,
            memobase=kopf.Memo(),
            registry=REGISTRY,
            insights=insights,
            indices={},
            **how,
        )

    async for _ in server(answer):
        pass


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
