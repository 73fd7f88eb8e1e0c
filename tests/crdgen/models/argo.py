"""Argo Workflows' CronWorkflow, in its minimal form: data without a schema."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from crdgen import AtomicMap, PreserveUnknown, resource
from tests.crdgen.models import Model

Open = Annotated[dict[str, Any], PreserveUnknown(), AtomicMap()]


class CronWorkflow(Model):
    """A workflow on a schedule."""

    model_config = ConfigDict(
        json_schema_extra=resource(
            group="argoproj.io", version="v1alpha1", short_names=["cwf", "cronwf"]
        )
    )
    metadata: dict[str, Any]
    spec: Open
    status: Open = Field(default_factory=dict)
