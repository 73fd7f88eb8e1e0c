"""What can go wrong, as one tree. Commands print the sentence and exit 2; the API raises.

CrdgenError                  bad usage or input
├── InputError               a file, module or document that cannot be read as asked
└── ModelError               a model that says something a CRD cannot
    └── NotStructuralError   at the fields it names, each with what to write instead
"""

from typing import NamedTuple


class CrdgenError(Exception):
    """Bad usage or input: one sentence that says what, where, and what to do instead."""


class InputError(CrdgenError):
    """A file, module or document cannot be read as what it should be."""


class ModelError(CrdgenError):
    """A model says something that a CustomResourceDefinition cannot say."""


class UnsupportedField(NamedTuple):
    """A field without a structural schema.

    `path` is as users write it (`spec.rules[*].weight`), `why` says what is wrong with it and
    `instead` what to write.
    """

    path: str
    why: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path or 'the model'}: {self.why}; {self.instead}"


class NotStructuralError(ModelError):
    """Fields of `model` have no structural schema: all of them, one a line, in its order."""

    def __init__(self, *refusals: UnsupportedField, model: str = "") -> None:
        self.refusals = refusals
        prefix = f"{model}: " if model else ""
        super().__init__("\n".join(f"{prefix}{each}" for each in refusals))
