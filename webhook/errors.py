"""The errors of this package.

WebhookError
├── RefusedRequestError      an HTTP request that gets an error status, and no decision
└── UnusableCertificateError a certificate, key or bundle that must not be served

A call to the API server raises an error of ``runtime.errors``.
"""

from runtime.errors import OperatorError


class WebhookError(OperatorError):
    """An error of the webhook itself, such as an option that does not fit."""


class RefusedRequestError(WebhookError):
    """An HTTP request that gets ``status`` (4xx or 500) and one sentence instead of a decision."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class UnusableCertificateError(WebhookError):
    """A certificate that does not match its key, its name, its bundle or the time."""
