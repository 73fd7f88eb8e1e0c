"""Everything of a definition but its schemas: name, group, names, scope, versions, conversion.

The rules are those of kube-apiserver 1.37 (apiextensions validation), as observed.
"""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from crdgen.definition import Definition
from crdgen.dns_names import label_errors, subdomain_errors
from crdgen.field_errors import (
    FieldError,
    forbidden,
    invalid,
    invalid_unshown,
    required,
    unsupported,
)
from crdgen.schema_keywords import Schema

_APPROVAL: Final = "api-approved.kubernetes.io"
_LONGEST_WARNING: Final = 256
_REVIEWS: Final = ("v1", "v1beta1")


def problems(definition: Definition) -> Iterator[FieldError]:
    """What is wrong around the schemas."""
    spec = definition.spec
    yield from _name(definition)
    yield from _group(spec.get("group", ""))
    yield from _scope(spec.get("scope", ""))
    yield from _versions(definition.versions)
    yield from _names(spec.get("names", {}))
    yield from _conversion(spec.get("conversion"))
    yield from _approval(definition)
    if spec.get("preserveUnknownFields"):
        yield invalid(
            "spec.preserveUnknownFields",
            True,  # noqa: FBT003 - the value shown
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in"
            " spec.versions[*].schema instead",
        )


def _name(definition: Definition) -> Iterator[FieldError]:
    plural = definition.spec.get("names", {}).get("plural", "")
    if not definition.name:
        yield required("metadata.name", "name or generateName is required")
        return
    for error in subdomain_errors(definition.name):
        yield invalid("metadata.name", definition.name, error)
    if definition.name != f"{plural}.{definition.spec.get('group', '')}":
        wanted = 'must be spec.names.plural+"."+spec.group'
        yield invalid("metadata.name", definition.name, wanted)


def _group(group: str) -> Iterator[FieldError]:
    if not group:
        yield required("spec.group")
    elif errors := subdomain_errors(group):
        yield invalid("spec.group", group, ",".join(errors))
    elif "." not in group:
        yield invalid("spec.group", group, "should be a domain with at least one dot")


def _scope(scope: str) -> Iterator[FieldError]:
    if not scope:
        yield required("spec.scope")
    elif scope not in {"Cluster", "Namespaced"}:
        yield unsupported("spec.scope", scope, ("Cluster", "Namespaced"))


def _versions(versions: list[Schema]) -> Iterator[FieldError]:
    names = [str(version.get("name", "")) for version in versions]
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        if errors := label_errors(names[index]):
            yield invalid(f"{path}.name", names[index], ",".join(errors))
        if "openAPIV3Schema" not in version.get("schema", {}):
            yield required(f"{path}.schema.openAPIV3Schema")
        yield from _deprecation(version, path)
    if len(set(names)) < len(names):
        yield invalid_unshown("spec.versions", "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        words = "must have exactly one version marked as storage version"
        yield invalid_unshown("spec.versions", words)


def _deprecation(version: Schema, path: str) -> Iterator[FieldError]:
    warning = version.get("deprecationWarning")
    if warning is None:
        return
    for error in _warning_errors(warning, deprecated=bool(version.get("deprecated"))):
        yield invalid(f"{path}.deprecationWarning", warning, error)


def _warning_errors(warning: str, *, deprecated: bool) -> Iterator[str]:
    if not deprecated:
        yield "can only be set for deprecated versions"
        return
    if len(warning.encode()) > _LONGEST_WARNING:
        yield "must be <= 256 characters long"
    if not warning:
        yield "must not be an empty string"
    for index, character in enumerate(warning):
        if not character.isprintable():
            yield (
                "must only contain printable UTF-8 characters; non-printable character found at"
                f" index {len(warning[:index].encode())}"
            )
            return


def _names(names: Schema) -> Iterator[FieldError]:
    for key in ("plural", "singular", "kind", "listKind"):
        name = names.get(key, "")
        if not name:
            yield required(f"spec.names.{key}")
        elif errors := label_errors(name.lower() if "ind" in key else name):
            mixed = "may have mixed case, but should otherwise match: " if "ind" in key else ""
            yield invalid(f"spec.names.{key}", name, mixed + ",".join(errors))
    if names.get("kind") and names["kind"] == names.get("listKind"):
        words = "kind and listKind may not be the same"
        yield invalid("spec.names.listKind", names["listKind"], words)
    for key in ("shortNames", "categories"):
        for index, name in enumerate(names.get(key, ())):
            if errors := label_errors(name):
                yield invalid(f"spec.names.{key}[{index}]", name, ",".join(errors))


def _conversion(conversion: Schema | None) -> Iterator[FieldError]:
    if conversion is None:
        return
    strategy, webhook = conversion.get("strategy", ""), conversion.get("webhook")
    path = "spec.conversion"
    if not strategy:
        yield required(f"{path}.strategy")
    elif strategy not in {"None", "Webhook"}:
        yield unsupported(f"{path}.strategy", strategy, ("None", "Webhook"))
    if strategy == "Webhook":
        yield from _webhook(webhook or {}, path)
    elif webhook is not None:
        words = "should not be set when strategy is not set to Webhook"
        for part in ("clientConfig", "conversionReviewVersions"):
            if webhook.get(part):
                name = "webhookClientConfig" if part == "clientConfig" else part
                yield forbidden(f"{path}.{name}", words)


def _webhook(webhook: Schema, path: str) -> Iterator[FieldError]:
    client = webhook.get("clientConfig")
    if client is None:
        words = "required when strategy is set to Webhook"
        yield required(f"{path}.webhookClientConfig", words)
    elif ("url" in client) == ("service" in client):
        words = "exactly one of url or service is required"
        yield required(f"{path}.webhookClientConfig", words)
    elif "url" in client:
        yield from _url(client["url"], f"{path}.webhookClientConfig.url")
    else:
        yield from _service(client["service"], f"{path}.webhookClientConfig.service")
    yield from _reviews(webhook.get("conversionReviewVersions", []), path)


def _url(url: str, path: str) -> Iterator[FieldError]:
    form = "; desired format: https://host[/path]"
    parts = urlsplit(url)
    if parts.scheme != "https":
        yield invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{form}")
    if not parts.netloc:
        yield invalid(path, parts.netloc, f"host must be specified{form}")
    if parts.username is not None:
        yield invalid(path, parts.username, f"user information is not permitted in the URL{form}")
    if parts.fragment:
        yield invalid(path, parts.fragment, f"fragments are not permitted in the URL{form}")
    if parts.query:
        yield invalid(path, parts.query, "query parameters are not permitted in the URL")


def _service(service: Schema, path: str) -> Iterator[FieldError]:
    for key in ("name", "namespace"):
        if not service.get(key):
            yield required(f"{path}.{key}")
    if not 1 <= service.get("port", 443) <= 65535:  # noqa: PLR2004 - TCP's ports
        words = "port is not valid: must be between 1 and 65535, inclusive"
        yield invalid(f"{path}.port", service["port"], words)
    route = service.get("path")
    if route is not None and not re.match(r"/(?!.*//)", route):
        yield invalid(f"{path}.path", route, "must start with a '/'")


def _reviews(reviews: list[Any], path: str) -> Iterator[FieldError]:
    here = f"{path}.conversionReviewVersions"
    if not reviews:
        yield required(here)
        return
    for index, review in enumerate(reviews):
        if review in reviews[:index]:
            yield invalid(f"{here}[{index}]", review, "duplicate version")
        elif errors := label_errors(review):
            yield invalid(f"{here}[{index}]", review, ",".join(errors))
    if not set(reviews) & set(_REVIEWS):
        yield invalid(here, reviews, f"must include at least one of {', '.join(_REVIEWS)}")


def _approval(definition: Definition) -> Iterator[FieldError]:
    group = str(definition.spec.get("group", ""))
    if not re.search(r"(^|\.)(k8s|kubernetes)\.io$", group):
        return
    path = f"metadata.annotations[{_APPROVAL}]"
    approval = (definition.metadata.get("annotations") or {}).get(_APPROVAL, "")
    if not approval:
        yield required(
            path,
            f'protected groups must have approval annotation "{_APPROVAL}", see'
            " https://github.com/kubernetes/enhancements/pull/1111",
        )
    elif not approval.startswith("unapproved") and not _is_url(approval):
        yield invalid(
            path,
            approval,
            f'protected groups must have approval annotation "{_APPROVAL}" with either a URL or a'
            ' reason starting with "unapproved", see'
            " https://github.com/kubernetes/enhancements/pull/1111",
        )


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return bool(parts.scheme and parts.netloc)
