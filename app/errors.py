"""Every exception becomes one problem document (RFC 9457), the same for all routes.

    {"type", "title", "status", "detail", "errors": [{"pointer", "code", "message"}], "request_id"}

Nothing of the input is repeated: a message says what kind of thing was found, what was needed, and why.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError, with_config
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException

from core.errors import CoreError, DomainError, NonFiniteError, Path, ShapeError, TooLargeError, UnknownNameError

logger = logging.getLogger("gradmark")

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 20
LONGEST_KEY = 64

PROBLEMS = {
    400: ("malformed-body", "The body is not valid JSON"),
    404: ("not-found", "There is nothing here"),
    405: ("method-not-allowed", "The method is not allowed here"),
    413: ("body-too-large", "The body is too large"),
    415: ("unsupported-media-type", "The body is not of a media type that is read here"),
    422: ("invalid-values", "The values cannot be computed with"),
    500: ("internal-error", "The service made a mistake"),
    503: ("not-ready", "The service is not ready"),
}
"""The kinds of problem: a name that does not change, and words for people."""

HTTP_DETAILS = {
    404: "there is no such path; /docs shows those there are",
    405: "this path takes another method; needed {Allow}",
}

CORE_ERRORS: Mapping[type[CoreError], tuple[int, str]] = {
    UnknownNameError: (422, "unknown_name"),
    ShapeError: (422, "shape"),
    DomainError: (422, "domain"),
    TooLargeError: (422, "too_large"),
    NonFiniteError: (422, "not_finite"),
}

PYDANTIC_ERRORS = {
    "float_type": ("type", "found {found}, needed a number; nothing is converted to one"),
    "finite_number": (
        "not_finite",
        "found a number that float64 cannot hold; needed a finite one, up to about 1.8e308",
    ),
    "int_type": ("type", "found {found}, needed a whole number without a decimal point, such as a class index"),
    "int_from_float": ("type", "found a fraction, needed a whole number, such as a class index"),
    "int_parsing_size": ("range", "found a number of too many digits, needed a class index"),
    "greater_than_equal": ("range", "found a number below {ge}, the smallest possible here"),
    "less_than_equal": ("range", "found a number above {le}, the largest possible here"),
    "bool_type": ("type", "found {found}, needed true or false"),
    "string_type": ("type", "found {found}, needed a string"),
    "list_type": ("type", "found {found}, needed an array"),
    "tuple_type": ("type", "found {found}, needed an array"),
    "too_short": ("empty", "found an empty array; needed at least one entry"),
    "literal_error": ("choice", "found {found} that is not a choice; needed {expected}"),
    "dataclass_type": ("type", "found {found}, needed an object"),
    "missing": ("missing", "this key is required"),
    "unexpected_keyword_argument": ("unknown_key", "this key is not known here; was it misspelt?"),
}


class BodyError(Exception):
    """A request whose body could not be read as JSON at all.

    Parameters
    ----------
    status : int
        400, 413 or 415.
    code, message : str
    path : tuple
        Where in the body, when known.
    """

    def __init__(self, status: int, code: str, message: str, *, path: Path = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.path = path


@with_config(use_attribute_docstrings=True)
@dataclass(frozen=True)
class ErrorItem:
    """One thing that is wrong."""

    pointer: str
    """JSON pointer (RFC 6901) into the body; empty for the whole."""
    code: str
    """What kind of error it is, for programs."""
    message: str
    """What was found, what was needed, and why."""


@with_config(use_attribute_docstrings=True)
@dataclass(frozen=True, kw_only=True)
class ProblemDocument:
    """What every reply of status 400 and above holds (RFC 9457)."""

    type: str
    """A name for this kind of problem."""
    title: str
    """The kind of problem in words."""
    status: int
    """The HTTP status."""
    detail: str
    """The first error's message, and how many there are."""
    errors: list[ErrorItem]
    """What is wrong and where; at most 20."""
    request_id: str
    """The id of this request, also in the header X-Request-ID."""


def problem_response(
    status: int, items: Sequence[ErrorItem], *, detail: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """Write a problem document.

    Parameters
    ----------
    status : int
    items : sequence of ErrorItem
        All that is wrong; the first 20 are written.
    detail : str
        Said where there is no item.
    headers : mapping, optional
        Further headers.

    Returns
    -------
    Response
    """
    name, title = PROBLEMS.get(status, (f"http-{status}", HTTPStatus(status).phrase))
    if items:
        count = "" if len(items) == 1 else f"{len(items)} errors, the first: "
        detail = count + items[0].message
    document = ProblemDocument(
        type=f"urn:gradmark:problem:{name}",
        title=title,
        status=status,
        detail=detail,
        errors=list(items[:MOST_ERRORS]),
        request_id=correlation_id.get() or "",
    )
    return Response(orjson.dumps(document), status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def to_pointer(path: Sequence[str | int]) -> str:
    """Write a path as a JSON pointer.

    Parameters
    ----------
    path : sequence of str and int
        Keys and indices; union tags, in angle brackets, are left out, and a key that is too long or not
        printable ends the pointer at its object.

    Returns
    -------
    str
    """
    pointer = ""
    for step in path:
        text = str(step)
        if text.startswith("<"):
            continue
        if len(text) > LONGEST_KEY or not (text.isascii() and text.isprintable()):
            break
        pointer += "/" + text.replace("~", "~0").replace("/", "~1")
    return pointer


def describe(value: object) -> str:
    """Say what kind of JSON value something is, and nothing else of it.

    Parameters
    ----------
    value : object

    Returns
    -------
    str
    """
    if value is None:
        return "null"
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return kinds.get(type(value), "an object")


def to_item(error: ErrorDetails) -> ErrorItem:
    """Turn one of pydantic's errors into ours.

    Parameters
    ----------
    error : ErrorDetails

    Returns
    -------
    ErrorItem
    """
    context: dict[str, Any] = error.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, CoreError):
        return ErrorItem(
            pointer=to_pointer((*error["loc"], *cause.path)), code=CORE_ERRORS[type(cause)][1], message=str(cause)
        )
    code, message = PYDANTIC_ERRORS[error["type"]]
    message = message.format(found=describe(error["input"]), **context)
    return ErrorItem(pointer=to_pointer(error["loc"]), code=code, message=message)


def add_error_handlers(app: FastAPI) -> None:
    """Make every exception a problem document.

    Parameters
    ----------
    app : FastAPI
    """
    for kind in (BodyError, ValidationError, RequestValidationError, CoreError, HTTPException, Exception):
        app.add_exception_handler(kind, handle_error)


async def handle_error(request: Request, error: Exception) -> Response:
    """Answer an exception that reached the framework.

    Parameters
    ----------
    request : Request
    error : Exception

    Returns
    -------
    Response
    """
    return answer_error(error)


def answer_error(error: Exception) -> Response:
    """Answer an exception, whatever raised it.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    Response
    """
    match error:
        case BodyError():
            return problem_response(error.status, [ErrorItem(to_pointer(error.path), error.code, str(error))])
        case ValidationError() | RequestValidationError():
            return _answer_validation(list(error.errors()))
        case CoreError():
            status, code = CORE_ERRORS[type(error)]
            return problem_response(status, [ErrorItem(to_pointer(error.path), code, str(error))])
        case HTTPException():
            detail = HTTP_DETAILS.get(error.status_code, str(error.detail)).format(
                **{"Allow": ""} | dict(error.headers or {})
            )
            return problem_response(error.status_code, [], detail=detail, headers=error.headers)
        case _:
            logger.error("unforeseen error in request %s", correlation_id.get(), exc_info=error)
            # this reply leaves outside the middleware that adds the request id to all others
            headers = {"X-Request-ID": correlation_id.get() or ""}
            return problem_response(
                500, [], detail="this is a bug of the service; its log has the cause", headers=headers
            )


def _answer_validation(details: list[ErrorDetails]) -> Response:
    if details[0]["type"] == "json_invalid":
        # json.loads accepts what pydantic's parser does not: lone surrogates, deeper nesting
        return problem_response(400, [ErrorItem("", "json", details[0]["msg"])])
    return problem_response(422, [to_item(item) for item in details])
