"""Well-known resources as models: what they become, and that the API server takes it."""
# ruff: noqa: E501 - one case a line

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from crdgen import check, generate, to_yaml, validate
from tests.crdgen.differential.server import Server
from tests.crdgen.models.argo import CronWorkflow
from tests.crdgen.models.cert_manager import Certificate
from tests.crdgen.models.gateway import GRPCRoute
from tests.crdgen.models.keda import ScaledObject

GOLDEN = Path(__file__).parents[1] / "golden" / "crdgen"
MODELS: list[type[BaseModel]] = [Certificate, CronWorkflow, GRPCRoute, ScaledObject]
of_each = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
Object = dict[str, Any]


@of_each
def test_a_model_becomes_its_golden_file(model: type[BaseModel]) -> None:
    golden = GOLDEN / f"{model.__name__.lower()}.yaml"
    assert to_yaml(*generate(model)) == golden.read_text(encoding="utf-8")


@of_each
def test_what_a_model_becomes_passes_check_and_the_server(
    model: type[BaseModel], server: Server
) -> None:
    crd = generate(model)[0]
    assert check(crd).problems == ()
    assert server.try_definition(crd).accepted


def certificate(**spec: Any) -> Object:
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "site", "namespace": "default"},
        "spec": {"secretName": "site", "issuerRef": {"name": "ca"}} | spec,
    }


def route(**match: Any) -> Object:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GRPCRoute",
        "metadata": {"name": "calls", "namespace": "default"},
        "spec": {"rules": [{"matches": [{"method": match}]}]},
    }


def scaled(**spec: Any) -> Object:
    trigger = {"type": "cron", "metadata": {"timezone": "UTC"}}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "workers", "namespace": "default"},
        "spec": {"scaleTargetRef": {"name": "workers"}, "triggers": [trigger]} | spec,
    }


@pytest.mark.parametrize(
    ("model", "body", "told"),
    [
        (Certificate, certificate(usages=["signing"]), ""),
        (Certificate, certificate(usages=["sining"]), 'spec.usages[0]: Unsupported value: "sining"'),
        (GRPCRoute, route(service="a.b.C", method="Get"), ""),
        (GRPCRoute, route(service="a-b"), "spec.rules[0].matches[0].method: Invalid value: service must"),
        (ScaledObject, scaled(minReplicaCount=1, fallback={"failureThreshold": 1, "replicas": 2}), ""),
        (ScaledObject, scaled(minReplicaCount=3, maxReplicaCount=2), "spec: Invalid value: the lower"),
        (ScaledObject, scaled(triggers=[]), "spec.triggers: Invalid value: 0: spec.triggers in body"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)  # fmt: skip
def test_a_manifest_is_admitted_or_refused_as_its_users_expect(
    model: type[BaseModel], body: Object, told: str
) -> None:
    words = [str(problem) for problem in validate(generate(model)[0], body).problems]
    assert any(word.startswith(told) for word in words) if told else words == []


def test_defaults_of_the_model_are_stored() -> None:
    stored = validate(generate(GRPCRoute)[0], route(service="a")).object
    assert stored["spec"]["rules"][0]["matches"][0]["method"] == {"service": "a", "type": "Exact"}
