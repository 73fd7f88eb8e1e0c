"""How a command ends without an answer: a no (exit code 1), or a request without sense (2)."""


class PluginError(Exception):
    """`code` is the exit code; the message is one sentence, or empty when all is said."""

    code = 1


class RefusedError(PluginError):
    """The cluster, or the rule's own state, says no; kubectl may have said why already."""


class UsageError(PluginError):
    """The request cannot be understood; the message says what to write."""

    code = 2
