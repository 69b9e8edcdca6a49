"""From exceptions to problem documents."""

import logging
from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.errors.messages import CORE_ERRORS, BodyError, to_item, to_pointer
from app.errors.problem import ErrorItem, ProblemDocument, write_problem
from app.logs import current_request_id
from core.errors import CoreError

logger = logging.getLogger("gradmark")

MOST_ERRORS = 20


def describe_error(error: Exception) -> ProblemDocument:
    """Turn an exception, whatever raised it, into a problem document."""
    match error:
        case BodyError():
            return write_problem(error.status, [ErrorItem(to_pointer(error.path), error.code, str(error))])
        case ValidationError():
            return describe_validation(error.errors())
        case CoreError():
            status, code = CORE_ERRORS[type(error)]
            return write_problem(status, [ErrorItem(to_pointer(error.path), code, str(error))])
        case _:
            logger.error("unforeseen error in request %s", current_request_id.get(), exc_info=error)
            return write_problem(500, [], detail="this is a bug of the service; its log has the cause")


def describe_validation(details: Sequence[ErrorDetails]) -> ProblemDocument:
    """Turn what pydantic found into a problem document."""
    if details[0]["type"] == "json_invalid":
        # what the check of the body let pass and pydantic's parser does not: lone surrogates, deep nesting
        return write_problem(400, [ErrorItem("", "json", details[0]["msg"])])
    return write_problem(422, [to_item(item) for item in details[:MOST_ERRORS]], count=len(details))
