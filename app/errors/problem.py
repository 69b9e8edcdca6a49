"""The problem document: its classes, and how it is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from pydantic import with_config

from app.logs import current_request_id

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
