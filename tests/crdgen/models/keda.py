"""KEDA's ScaledObject."""
# ruff: noqa: RUF012 - pydantic copies defaults; a rule a line

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from crdgen import AtomicList, Column, Int32, Quantity, Rule, resource, schema_extra
from tests.crdgen.models import Model

Text = Annotated[str, StringConstraints(min_length=1)]
Count = Annotated[Int32, Field(ge=0)]
Positive = Annotated[Int32, Field(ge=1)]


class ScalingPolicy(Model):
    type: str
    value: Int32
    period_seconds: Int32


class ScalingRules(Model):
    stabilization_window_seconds: Int32 | None = None
    select_policy: str | None = None
    policies: Annotated[list[ScalingPolicy], AtomicList()] = []
    tolerance: Quantity | None = None


class Behavior(Model):
    scale_up: ScalingRules | None = None
    scale_down: ScalingRules | None = None


class AutoscalerConfig(Model):
    behavior: Behavior | None = None
    name: str | None = None


class ScalingModifiers(Model):
    formula: str | None = None
    target: str | None = None
    activation_target: str | None = None
    metric_type: Literal["AverageValue", "Value"] | None = None


class Advanced(Model):
    horizontal_pod_autoscaler_config: AutoscalerConfig | None = None
    restore_to_original_replica_count: bool | None = None
    scaling_modifiers: ScalingModifiers | None = None


class Fallback(Model):
    failure_threshold: Count
    replicas: Count
    behavior: Literal[
        "static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower",
        "scalingModifiers",
    ] = "static"  # fmt: skip


class ScaleTarget(Model):
    name: Text
    api_version: str | None = None
    kind: str | None = None
    env_source_container_name: str | None = None


class AuthenticationRef(Model):
    name: str
    kind: Literal["TriggerAuthentication", "ClusterTriggerAuthentication"] | None = None


class Trigger(Model):
    type: Text
    metadata: dict[str, str]
    name: str | None = None
    use_cached_metrics: bool | None = None
    authentication_ref: AuthenticationRef | None = None
    metric_type: str | None = None


class ScaledObjectSpec(Model):
    """What is scaled, between which bounds, and by what."""

    model_config = ConfigDict(
        json_schema_extra=schema_extra(
            Rule(
                "!has(self.minReplicaCount) || self.minReplicaCount <="
                " (has(self.maxReplicaCount) ? self.maxReplicaCount : 100)",
                message="the lower bound must not exceed the upper one, which is 100 if absent",
            )
        )
    )
    scale_target_ref: ScaleTarget
    polling_interval: Positive | None = None
    initial_cooldown_period: Count | None = None
    cooldown_period: Count | None = None
    idle_replica_count: Count | None = None
    min_replica_count: Count | None = None
    max_replica_count: Positive | None = None
    advanced: Advanced | None = None
    triggers: Annotated[list[Trigger], Field(min_length=1)]
    fallback: Fallback | None = None


class Condition(Model):
    type: str
    status: str
    reason: str | None = None
    message: str | None = None


class Health(Model):
    number_of_failures: Int32 | None = None
    status: str | None = None


class Target(Model):
    group: str
    version: str
    kind: str
    resource: str


class Activity(Model):
    is_active: bool | None = None


class ScaledObjectStatus(Model):
    """What KEDA sees and did."""

    scale_target_kind: str | None = None
    scale_target_gvkr: Target | None = Field(default=None, alias="scaleTargetGVKR")
    original_replica_count: Int32 | None = None
    paused_replica_count: Int32 | None = None
    last_active_time: datetime | None = None
    external_metric_names: list[str] = []
    resource_metric_names: list[str] = []
    composite_scaler_name: str | None = None
    conditions: list[Condition] = []
    health: dict[str, Health] = {}
    hpa_name: str | None = None
    triggers_activity: dict[str, Activity] = {}
    triggers_types: str | None = None
    authentications_types: str | None = None


def _condition(name: str) -> Column:
    return Column(name, f'.status.conditions[?(@.type=="{name}")].status')


class ScaledObject(Model):
    """A workload scaled by events."""

    model_config = ConfigDict(
        json_schema_extra=resource(
            group="keda.sh",
            version="v1alpha1",
            short_names=["so"],
            status=True,
            columns=[
                Column("ScaleTargetKind", ".status.scaleTargetKind"),
                Column("ScaleTargetName", ".spec.scaleTargetRef.name"),
                Column("Min", ".spec.minReplicaCount", type="integer"),
                Column("Max", ".spec.maxReplicaCount", type="integer"),
                *map(_condition, ("Ready", "Active", "Fallback", "Paused")),
                Column("Triggers", ".status.triggersTypes"),
                Column("Authentications", ".status.authenticationsTypes"),
                Column("Age", ".metadata.creationTimestamp", type="date"),
            ],
        )
    )
    spec: ScaledObjectSpec
    status: ScaledObjectStatus | None = None
