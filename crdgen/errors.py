"""What can go wrong, as one tree. Commands print the sentence and exit 2; the API raises.

CrdgenError                  bad usage or input
├── InputError               a file, module or document that cannot be read as asked
└── ModelError               a model that says something a CRD cannot
    └── NotStructuralError   at one field, with what to write instead
"""


class CrdgenError(Exception):
    """Bad usage or input: one sentence that says what, where, and what to do instead."""


class InputError(CrdgenError):
    """A file, module or document cannot be read as what it should be."""


class ModelError(CrdgenError):
    """A model says something that a CustomResourceDefinition cannot say."""


class NotStructuralError(ModelError):
    """A field has no structural schema.

    `path` is as users write it (`spec.rules[*].weight`), `why` says what is wrong with it and
    `instead` what to write.
    """

    def __init__(self, path: str, why: str, instead: str) -> None:
        self.path = path
        self.why = why
        self.instead = instead
        super().__init__(f"{path or 'the model'}: {why}; {instead}")
