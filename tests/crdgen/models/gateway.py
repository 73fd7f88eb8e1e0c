"""Gateway API's GRPCRoute, with its CEL rules."""
# ruff: noqa: RUF012, E501 - pydantic copies defaults; a rule a line

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from crdgen import (
    AtomicList,
    Column,
    Int32,
    Int64,
    ListMap,
    Rule,
    resource,
    schema_extra,
)
from tests.crdgen.models import Model

LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
GROUP = rf"^$|^{SUBDOMAIN}$"
KIND = "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$"

Group = Annotated[str, StringConstraints(max_length=253, pattern=GROUP)]
Kind = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=KIND)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=253)]
Namespace = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=f"^{LABEL}$")]
Section = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=rf"^{SUBDOMAIN}$")]
Hostname = Annotated[
    str, StringConstraints(min_length=1, max_length=253, pattern=rf"^(\*\.)?{SUBDOMAIN}$")
]
HeaderName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$"),
]
HeaderValue = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Port = Annotated[Int32, Field(ge=1, le=65535)]
Match = Literal["Exact", "RegularExpression"]


class ParentRef(Model):
    group: Group = "gateway.networking.k8s.io"
    kind: Kind = "Gateway"
    namespace: Namespace | None = None
    name: Name
    section_name: Section | None = None
    port: Port | None = None


def _absent(field: str) -> str:
    both = (f"(!has({p}.{field}) || {p}.{field} == '')" for p in ("p1", "p2"))
    return " && ".join(both)


SAME_NAMESPACE = (
    f"(({_absent('__namespace__')}) || (has(p1.__namespace__) && has(p2.__namespace__)"
    " && p1.__namespace__ == p2.__namespace__ ))"
)
SAME_PARENT = (
    "p1.group == p2.group && p1.kind == p2.kind && p1.name == p2.name && " + SAME_NAMESPACE
)
SECTION_SET = [f"(!has({p}.sectionName) || {p}.sectionName == '')" for p in ("p1", "p2")]
ParentRefs = Annotated[
    list[ParentRef],
    AtomicList(),
    Field(max_length=32),
    Rule(
        f"self.all(p1, self.all(p2, {SAME_PARENT} ? ({SECTION_SET[0]} == {SECTION_SET[1]}) : true))",
        message="references to one parent must all name a section or none",
    ),
    Rule(
        f"self.all(p1, self.exists_one(p2, {SAME_PARENT} && (({SECTION_SET[0]} &&"
        f" {SECTION_SET[1]}) || (has(p1.sectionName) && has(p2.sectionName) && p1.sectionName =="
        " p2.sectionName))))",
        message="references to one parent must name different sections",
    ),
]


class Header(Model):
    name: HeaderName
    value: HeaderValue


Headers = Annotated[list[Header], ListMap("name"), Field(max_length=16)]


class HeaderModifier(Model):
    set_: Headers = Field(default=[], alias="set")
    add: Headers = []
    remove: Annotated[set[str], Field(max_length=16)] = set()


PORT_RULE = Rule(
    "(size(self.group) == 0 && self.kind == 'Service') ? has(self.port) : true",
    message="a Service must be named with its port",
)


class BackendObject(Model):
    model_config = ConfigDict(json_schema_extra=schema_extra(PORT_RULE))
    group: Group = ""
    kind: Kind = "Service"
    name: Name
    namespace: Namespace | None = None
    port: Port | None = None


class Fraction(Model):
    model_config = ConfigDict(
        json_schema_extra=schema_extra(
            Rule("self.numerator <= self.denominator", message="must be at most one")
        )
    )
    numerator: Annotated[Int32, Field(ge=0)]
    denominator: Annotated[Int32, Field(ge=1)] = 100


class Mirror(Model):
    model_config = ConfigDict(
        json_schema_extra=schema_extra(
            Rule("!(has(self.percent) && has(self.fraction))", message="percent or fraction")
        )
    )
    backend_ref: BackendObject
    percent: Annotated[Int32, Field(ge=0, le=100)] | None = None
    fraction: Fraction | None = None


class ExtensionRef(Model):
    group: Group
    kind: Kind
    name: Name


FILTERS = ("RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "ExtensionRef")


def _filter_rules() -> list[Rule]:
    rules = []
    for kind in FILTERS:
        field = kind[0].lower() + kind[1:]
        rules += [
            Rule(
                f"!(has(self.{field}) && self.type != '{kind}')", message=f"{field} is for {kind}"
            ),
            Rule(
                f"!(!has(self.{field}) && self.type == '{kind}')", message=f"{kind} needs {field}"
            ),
        ]
    return rules


class Filter(Model):
    model_config = ConfigDict(json_schema_extra=schema_extra(*_filter_rules()))
    type: Literal[
        "ResponseHeaderModifier", "RequestHeaderModifier", "RequestMirror", "ExtensionRef"
    ]
    request_header_modifier: HeaderModifier | None = None
    response_header_modifier: HeaderModifier | None = None
    request_mirror: Mirror | None = None
    extension_ref: ExtensionRef | None = None


Filters = Annotated[
    list[Filter],
    AtomicList(),
    Field(max_length=16),
    *[
        Rule(f"self.filter(f, f.type == '{kind}').size() <= 1", message=f"{kind} at most once")
        for kind in FILTERS[:2]
    ],
]


class BackendRef(BackendObject):
    weight: Annotated[Int32, Field(ge=0, le=1_000_000)] = 1
    filters: Filters = []


class HeaderMatch(Model):
    type: Match = "Exact"
    name: HeaderName
    value: HeaderValue


def _valid(field: str, pattern: str) -> Rule:
    exact = f"(!has(self.type) || self.type == 'Exact') && has(self.{field})"
    return Rule(
        f'{exact} ? self.{field}.matches(r"""{pattern}"""): true',
        message=f"{field} must match {pattern}",
    )


class MethodMatch(Model):
    model_config = ConfigDict(
        json_schema_extra=schema_extra(
            Rule(
                "has(self.type) ? has(self.service) || has(self.method) : true",
                message="needs service, method or both",
            ),
            _valid("service", r"^(?i)\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*$"),
            _valid("method", "^[A-Za-z_][A-Za-z_0-9]*$"),
        )
    )
    type: Match = "Exact"
    service: Annotated[str, StringConstraints(max_length=1024)] | None = None
    method: Annotated[str, StringConstraints(max_length=1024)] | None = None


class RouteMatch(Model):
    method: MethodMatch | None = None
    headers: Annotated[list[HeaderMatch], ListMap("name"), Field(max_length=16)] = []


class RouteRule(Model):
    name: Section | None = None
    matches: Annotated[list[RouteMatch], AtomicList(), Field(max_length=64)] = []
    filters: Filters = []
    backend_refs: Annotated[list[BackendRef], AtomicList(), Field(max_length=16)] = []


def _matches(at: int) -> str:
    return f"(self.size() > {at} ? (has(self[{at}].matches) ? self[{at}].matches.size() : 0) : 0)"


class RouteSpec(Model):
    """Which calls go where."""

    parent_refs: ParentRefs = []
    hostnames: Annotated[list[Hostname], AtomicList(), Field(max_length=16)] = []
    rules: Annotated[
        list[RouteRule],
        AtomicList(),
        Field(max_length=16),
        Rule(
            " + ".join(_matches(at) for at in range(16)) + " <= 128",
            message="all rules together may have 128 matches",
        ),
    ] = []


class Condition(Model):
    type: Annotated[
        str,
        StringConstraints(
            max_length=316,
            pattern=rf"^({SUBDOMAIN}/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
        ),
    ]
    status: Literal["True", "False", "Unknown"]
    observed_generation: Annotated[Int64, Field(ge=0)] | None = None
    last_transition_time: datetime
    reason: Annotated[
        str,
        StringConstraints(
            min_length=1, max_length=1024, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
        ),
    ]
    message: Annotated[str, StringConstraints(max_length=32768)]


class ParentStatus(Model):
    parent_ref: ParentRef
    controller_name: Annotated[
        str,
        StringConstraints(
            min_length=1,
            max_length=253,
            pattern=rf"^{SUBDOMAIN}\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$",
        ),
    ]
    conditions: Annotated[list[Condition], ListMap("type"), Field(min_length=1, max_length=8)]


class RouteStatus(Model):
    """What each parent makes of the route."""

    parents: Annotated[list[ParentStatus], AtomicList(), Field(max_length=32)]


class GRPCRoute(Model):
    """Routes gRPC calls."""

    model_config = ConfigDict(
        json_schema_extra=resource(
            group="gateway.networking.k8s.io",
            version="v1",
            categories=["gateway-api"],
            status=True,
            columns=[
                Column("Hostnames", ".spec.hostnames"),
                Column("Age", ".metadata.creationTimestamp", type="date"),
            ],
            annotations={
                "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/4530"
            },
        )
    )
    spec: RouteSpec
    status: RouteStatus | None = None
