"""What a request can be answered with instead of rows.

    KustoError                the request itself; HTTP 400 unless said otherwise
    ├── KustoSyntaxError      the text does not parse; says line and position
    ├── KustoSemanticError    it parses, but names something that does not exist or does not fit
    ├── UnsupportedError        Kusto knows it, this endpoint does not; names it
    ├── DatabaseNotFoundError   the request's `db`
    ├── EntityNotFoundError     a table, extent or operation that a command names
    ├── ForbiddenError          HTTP 403, a right is missing
    ├── ThrottledError          HTTP 429, worth repeating
    ├── QueryTimeoutError           HTTP 504, the query was stopped at its time limit
    ├── InternalError             HTTP 500, the endpoint's own fault
    └── BadRequestError          404, 405, 413, 415: not a Kusto request at all

Raised anywhere below `emulator.app`, which turns one into the body that the official clients read
(Kusto REST API, "Query/management HTTP response": OneApiError).
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID


class KustoError(Exception):
    """One clear sentence, with the error code and type name that Kusto would use."""

    status = 400
    code = "General_BadRequest"
    kind = "Kusto.Data.Exceptions.KustoBadRequestException"
    summary = "Request is invalid and cannot be executed."
    permanent = True

    def __init__(self, message: str, **more: object) -> None:
        super().__init__(message)
        self.message = message
        self.more = more

    def body(self, activity: UUID, now: datetime) -> dict[str, Any]:
        """The JSON body; `@message` is what `KustoApiError` prints."""
        context = {
            "timestamp": now.isoformat() + "Z",
            "serviceAlias": "LOCAL",
            "machineName": "emulator",
            "processName": "emulator",
            "clientRequestId": str(activity),
            "activityId": str(activity),
        }
        error: dict[str, Any] = {"code": self.code, "message": self.summary, "@type": self.kind}
        error |= {"@message": self.message, "@context": context, "@permanent": self.permanent}
        return {"error": error | self.more}


class KustoSyntaxError(KustoError):
    """The text does not parse."""

    kind = "Kusto.Data.Exceptions.SyntaxException"

    def __init__(self, message: str, line: int, position: int) -> None:
        where = f"[line:position={line}:{position}]"
        more = {"@line": line, "@pos": position}
        super().__init__(f"Syntax error: SYN0002: {message} {where}", **more)


class KustoSemanticError(KustoError):
    """The text parses but cannot mean anything here."""

    kind = "Kusto.Data.Exceptions.SemanticException"

    def __init__(self, message: str, code: str = "SEM0100") -> None:
        super().__init__(f"Semantic error: {code}: {message}", **{"@errorCode": code})


class UnsupportedError(KustoError):
    """Something that Kusto has and this endpoint has not."""

    code = "General_NotSupported"
    kind = "Kusto.Data.Exceptions.KustoNotSupportedException"

    def __init__(self, what: str, instead: str = "") -> None:
        tail = f": {instead}" if instead else ""
        super().__init__(f"The local Kusto endpoint does not support {what}{tail}")


class DatabaseNotFoundError(KustoError):
    """The request's `db` names no database."""

    code = "BadRequest_DatabaseNotExist"
    kind = "Kusto.Data.Exceptions.DatabaseNotFoundException"

    def __init__(self, name: str) -> None:
        super().__init__(f"Database '{name}' could not be found.")


class EntityNotFoundError(KustoError):
    """A command names an entity that is not there."""

    code = "BadRequest_EntityNotFound"
    kind = "Kusto.Data.Exceptions.EntityNotFoundException"

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(f"Entity ID '{name}' of kind '{kind}' was not found.")


class ForbiddenError(KustoError):
    """The caller may not do this; Kusto says so with the name of the operation."""

    status = 403
    code = "Forbidden"
    kind = "Kusto.Common.Svc.Exceptions.UnauthorizedOperationException"
    summary = "Caller is not authorized to perform this action"

    def __init__(self, operation: str, database: str) -> None:
        super().__init__(
            f"Principal 'local' is not authorized to perform operation '{operation}' on "
            f"'{database}'."
        )


class ThrottledError(KustoError):
    """Too many requests; `retry_after` in whole seconds goes into the header."""

    status = 429
    code = "Too many requests"
    kind = "Kusto.DataNode.Exceptions.ControlCommandThrottledException"
    summary = "Request is invalid and cannot be executed."
    permanent = False

    def __init__(self, operation: str, retry_after: float) -> None:
        super().__init__(
            "The control command was aborted due to throttling. Retrying after some backoff might "
            f"succeed. CommandType: '{operation}', Capacity: 1, Origin: 'CapacityPolicy/Ingestion'."
        )
        self.retry_after = retry_after


class QueryTimeoutError(KustoError):
    """A query took longer than its limit."""

    status = 504
    code = "Timeout"
    kind = "Kusto.Data.Exceptions.KustoServiceTimeoutException"
    summary = "Request timed out."
    permanent = False

    def __init__(self, limit: timedelta) -> None:
        super().__init__(
            f"The query took longer than {limit.total_seconds():g} seconds and was stopped; "
            "ask for less, or set servertimeout."
        )


class InternalError(KustoError):
    """The endpoint's own fault."""

    status = 500
    code = "General_InternalServerError"
    kind = "Kusto.Data.Exceptions.KustoServicePartialQueryFailureException"
    summary = "An unexpected error occurred."
    permanent = False


class BadRequestError(KustoError):
    """Not a request that the Kusto REST API knows."""

    summary = "The HTTP request is not one of the Kusto REST API."

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
