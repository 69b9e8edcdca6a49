"""Every exception becomes one problem document (RFC 9457), the same for all routes.

    {"type", "title", "status", "detail", "errors": [{"pointer", "code", "message"}], "request_id"}

Nothing of the input is repeated: a message says what kind of thing was found, what was needed, and why.
"""

from app.errors.describe import describe_error, describe_validation
from app.errors.messages import CORE_ERRORS, PYDANTIC_ERRORS, BodyError, describe, name_key, stopping, to_pointer
from app.errors.problem import (
    MEDIA_TYPE,
    PROBLEMS,
    ErrorItem,
    ProblemDocument,
    name_reason,
    write_problem,
)

__all__ = [
    "CORE_ERRORS",
    "MEDIA_TYPE",
    "PROBLEMS",
    "PYDANTIC_ERRORS",
    "BodyError",
    "ErrorItem",
    "ProblemDocument",
    "describe",
    "describe_error",
    "describe_validation",
    "name_key",
    "name_reason",
    "stopping",
    "to_pointer",
    "write_problem",
]
