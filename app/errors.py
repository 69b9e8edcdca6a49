"""Every exception becomes one problem document (RFC 9457), the same for all routes.

    {"type", "title", "status", "detail", "errors": [{"pointer", "code", "message"}], "request_id"}

Nothing of the input is repeated: a message says what kind of thing was found, what was needed, and why.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError, with_config
from pydantic_core import ErrorDetails

from app.logs import current_request_id
from core.errors import CoreError, DomainError, NonFiniteError, Path, ShapeError, TooLargeError, UnknownNameError

logger = logging.getLogger("gradmark")

MEDIA_TYPE = "application/problem+json"

PROBLEMS = {
    400: ("malformed-body", "The body cannot be read"),
    401: ("unauthorized", "A key or token is missing, or does not hold"),
    403: ("forbidden", "The sender may not do this"),
    404: ("not-found", "There is nothing here"),
    405: ("method-not-allowed", "The method is not allowed here"),
    406: ("not-acceptable", "The reply has no form that is acceptable"),
    408: ("request-timeout", "The request took too long to arrive"),
    413: ("body-too-large", "The body is too large"),
    415: ("unsupported-media-type", "The body is not of a media type that is read here"),
    422: ("invalid-values", "The values cannot be computed with"),
    431: ("header-too-large", "The request's head is too large"),
    500: ("internal-error", "The service made a mistake"),
    503: ("unavailable", "The service cannot answer this now"),
}
"""The kinds of problem: a name that does not change, and words for people."""


LONGEST_KEY = 64
MOST_ERRORS = 20

CORE_ERRORS: Mapping[type[CoreError], tuple[int, str]] = {
    UnknownNameError: (422, "unknown_name"),
    ShapeError: (422, "shape"),
    DomainError: (422, "domain"),
    TooLargeError: (422, "too_large"),
    NonFiniteError: (422, "not_finite"),
}

PYDANTIC_ERRORS = {
    "float_type": ("type", "found {found}, needed a number; nothing is converted to one{depth}"),
    "finite_number": (
        "not_finite",
        "found a number that float64 cannot hold; needed a finite one, up to about 1.8e308",
    ),
    "int_type": ("type", "found {found}, needed a whole number{hint}"),
    "greater_than_equal": ("range", "found a number below {ge}, the smallest possible here"),
    "less_than_equal": ("range", "found a number above {le}, the largest possible here"),
    "bool_type": ("type", "found {found}, needed true or false"),
    "string_type": ("type", "found {found}, needed a string"),
    "list_type": ("type", "found {found}, needed an array{depth}"),
    "tuple_type": ("type", "found {found}, needed an array"),
    "too_short": ("empty", "found an empty array; needed at least one entry"),
    "literal_error": ("choice", "found {found} that is not a choice; needed {expected}"),
    "dataclass_type": ("type", "found {found}, needed an object"),
    "int_parsing": ("type", "found text that is no whole number; needed one, in digits alone"),
    "int_parsing_size": ("range", "found a whole number that is too long"),
    "dict_type": ("type", "found {found}, needed an object"),
    "extra_forbidden": ("unknown_key", "{key} is not known here: misspelt? /docs shows what there is"),
    "missing": ("missing", "{key} is required and missing"),
    "unexpected_keyword_argument": (
        "unknown_key",
        "{key} is not known here: misspelt, or in the wrong object? /docs shows each object's keys",
    ),
}


WITHOUT_POINT = ", written without a decimal point"

HINTS = {
    "<labels>": "; a list here holds class indices, numbers per output stand in a row of their own for each sample",
    "<label>": "; a number here is a class index",
}
"""What a reader may not know of the branch of a union that was taken, by its tag."""


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
    """The first error's place and message, and how many there are."""
    errors: list[ErrorItem]
    """What is wrong and where; at most 20."""
    request_id: str
    """The id of this request, also in the header X-Request-ID."""

    @property
    def reason(self) -> str:
        """The first error's code, or else the kind of problem, in one word."""
        return self.errors[0].code if self.errors else name_reason(self.status)


def write_problem(status: int, items: Sequence[ErrorItem], *, count: int = 1, detail: str = "") -> ProblemDocument:
    """Write a problem document with at most 20 of `count` errors; `detail` counts where there is none."""
    name, title = PROBLEMS.get(status, (f"http-{status}", HTTPStatus(status).phrase))
    if items:
        place = f"{items[0].pointer}: " if items[0].pointer else ""
        detail = ("" if count == 1 else f"{count} errors, the first: ") + place + items[0].message
    return ProblemDocument(
        type=f"urn:gradmark:problem:{name}",
        title=title,
        status=status,
        detail=detail,
        errors=list(items),
        request_id=current_request_id.get(),
    )


def name_reason(status: int) -> str:
    """Name the kind of problem that a status stands for, in one word."""
    return PROBLEMS[status][0].replace("-", "_") if status in PROBLEMS else "other"


class BodyError(Exception):
    """A request that is refused before its values are looked at: `path` is where in its body, when known.

    Its status is 422 for too much of everything, 503 when it is not the request's fault, and 4xx else.
    """

    def __init__(
        self, status: int, code: str, message: str, *, path: Path = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.path = path
        self.headers = dict(headers or {})


def stopping() -> BodyError:
    """Return the error for a request that the end of the service comes before."""
    return BodyError(503, "stopping", "the service is stopping", headers={"Retry-After": "1"})


def to_pointer(path: Sequence[str | int]) -> str:
    """Write a path as a JSON pointer.

    Union tags, in angle brackets, are left out. A key that is too long or not printable ends the pointer at its object.
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
    """Say what kind of JSON value something is, and nothing else of it."""
    if value is None:
        return "null"
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return kinds.get(type(value), "an object")


def to_item(error: ErrorDetails) -> ErrorItem:
    """Turn one of pydantic's errors into ours."""
    context: dict[str, Any] = dict(error.get("ctx", {}))
    cause = context.get("error")
    if isinstance(cause, CoreError):
        return ErrorItem(
            pointer=to_pointer((*error["loc"], *cause.path)), code=CORE_ERRORS[type(cause)][1], message=str(cause)
        )
    code, message = PYDANTIC_ERRORS[error["type"]]
    # the choices, quoted as JSON has them
    context["expected"] = str(context.get("expected")).replace("'", '"')
    found, key, depth = describe(error["input"]), name_key(error["loc"]), explain_depth(error)
    hint = HINTS.get(next((str(step) for step in error["loc"] if str(step).startswith("<")), ""), WITHOUT_POINT)
    return ErrorItem(
        pointer=to_pointer(error["loc"]),
        code=code,
        message=message.format(found=found, key=key, hint=hint, depth=depth, **context),
    )


def explain_depth(error: ErrorDetails) -> str:
    """Say what an array's levels are, where there is one too many or too few."""
    if error["type"] == "list_type" and error["loc"] and isinstance(error["loc"][-1], int):
        return ": an array of rows, one row for each sample or input"
    if error["type"] == "float_type" and isinstance(error["input"], list):
        return "; it is nested one level too deep"
    return ""


def name_key(path: Sequence[str | int]) -> str:
    """Name the key at the end of a path, where it is one that a message can carry."""
    key = str(path[-1]) if path else ""
    return f'the key "{key}"' if key.isidentifier() and key.isascii() and len(key) <= LONGEST_KEY else "this key"


def describe_error(error: Exception) -> ProblemDocument:
    """Turn an exception, whatever raised it, into a problem document."""
    match error:
        case BodyError():
            return write_problem(error.status, [ErrorItem(to_pointer(error.path), error.code, str(error))])
        case ValidationError():
            return _describe_validation(error.errors())
        case CoreError():
            status, code = CORE_ERRORS[type(error)]
            return write_problem(status, [ErrorItem(to_pointer(error.path), code, str(error))])
        case _:
            logger.error("unforeseen error in request %s", current_request_id.get(), exc_info=error)
            return write_problem(500, [], detail="this is a bug of the service; its log has the cause")


def _describe_validation(details: Sequence[ErrorDetails]) -> ProblemDocument:
    if details[0]["type"] == "json_invalid":
        # what the check of the body let pass and pydantic's parser does not: lone surrogates, deep nesting
        return write_problem(400, [ErrorItem("", "json", details[0]["msg"])])
    return write_problem(422, [to_item(item) for item in details[:MOST_ERRORS]], count=len(details))
