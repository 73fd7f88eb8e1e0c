"""Private keywords that travel in a JSON schema from the model to the passes, and no further.

The JSON-schema generator and the markers write them, the passes read them; none reaches a CRD.
"""

from typing import Any, Final

Schema = dict[str, Any]

UNSUPPORTED: Final = "x-crdgen-refused"
"""Value `[why, instead]`: this place has no structural form. Refused unless a pass replaces it."""
FLOAT: Final = "x-crdgen-float"
"""This number comes from a float; refused unless allowed here or by the options."""
ANY: Final = "x-crdgen-any"
"""Anything may stand here; refused unless allowed here or by the options."""
DEPTH: Final = "x-crdgen-depth"
"""On a recursive model: how often it is unrolled into itself."""
COSTLY: Final = "x-crdgen-costly"
"""A CEL rule here was written by a pass; its cost must be within the API server's limits."""
CRD: Final = "x-kubernetes-crd"
"""On a root model: the resource's metadata in the API's own spelling."""


def unsupported(why: str, instead: str) -> Schema:
    """A schema that stands for a field without a structural form."""
    return {UNSUPPORTED: [why, instead]}
