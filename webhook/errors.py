"""The errors of this package.

WebhookError
├── RefusedRequestError      an HTTP request that gets an error status, and no decision
├── UnusableCertificateError a certificate, key or bundle that must not be served
└── ClusterError             the API server did not answer, or with an error
    ├── ConflictError        another replica wrote first: read and decide again
    └── NotFoundError        the object does not exist
"""


class WebhookError(Exception):
    """Root of the tree; the text is one sentence for people."""


class RefusedRequestError(WebhookError):
    """An HTTP request that gets ``status`` (4xx or 500) and one sentence instead of a decision."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class UnusableCertificateError(WebhookError):
    """A certificate that does not match its key, its name, its bundle or the time."""


class ClusterError(WebhookError):
    """The API server did not answer, or answered with an error."""


class ConflictError(ClusterError):
    """HTTP 409: the resourceVersion of the write is no longer the newest."""


class NotFoundError(ClusterError):
    """HTTP 404: no such object."""
