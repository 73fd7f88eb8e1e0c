"""Well-known resources written as Pydantic models, as their users would write them.

Each is compared with its project's published definition by `tests/crdgen/real.py`; their own
definitions are golden files.
"""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """A model whose fields are camelCase in the API."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)
