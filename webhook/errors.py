"""Everything that can go wrong between the socket and the decision.

WebhookError
├── RefusedRequestError      the HTTP request is answered 4xx and never judged
├── UnreadableManifestError  a file given to ``webhook review`` (exit code 2)
├── UnusableCertificateError a certificate, key or bundle that must not be served
└── ClusterError             the API server could not be asked
    ├── ConflictError        another replica wrote first: read again and decide again
    └── NotFoundError        the object is not there (yet)
"""


class WebhookError(Exception):
    """Root of the tree; the text is one sentence fit for a person."""


class RefusedRequestError(WebhookError):
    """An HTTP request that gets ``status`` (4xx) and one sentence instead of a decision."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class UnreadableManifestError(WebhookError):
    """A manifest that holds no SummaryRule, or no YAML at all."""


class UnusableCertificateError(WebhookError):
    """A certificate that does not match its key, its name, its bundle or the time."""


class ClusterError(WebhookError):
    """The API server did not answer, or answered with an error."""


class ConflictError(ClusterError):
    """HTTP 409: the resourceVersion that was written on is no longer the newest."""


class NotFoundError(ClusterError):
    """HTTP 404: no such object."""
