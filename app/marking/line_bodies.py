"""What a line holds: a submission, or the defaults that others share."""

import re
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError, with_config

from app.errors import BodyError
from app.schemas.grade_bodies import GradeLineBody
from app.wire import Limits, NotJsonError, parse_body
from app.wire.fields import STRICT, OptionalText

Value = TypeVar("Value")


@with_config(STRICT)
@dataclass(frozen=True, kw_only=True)
class DefaultsLine:
    """The first line of a bulk request, where it is one that others share."""

    defaults: GradeLineBody
    """What lines leave out."""


@with_config(STRICT)
@dataclass(frozen=True, kw_only=True, eq=False)
class SubmissionLine(GradeLineBody):
    """A submission in bulk."""

    id: OptionalText = None
    """Comes back with the reply to this line."""


@with_config(STRICT | {"extra": "ignore"})
@dataclass(frozen=True, kw_only=True)
class IdOfLine:
    """The id of a line, whatever else it holds."""

    id: OptionalText = None


LINE: TypeAdapter[SubmissionLine] = TypeAdapter(SubmissionLine)
ID: TypeAdapter[IdOfLine] = TypeAdapter(IdOfLine)
DEFAULTS: TypeAdapter[DefaultsLine] = TypeAdapter(DefaultsLine)

# each letter of the key may be escaped
MAY_HOLD_ID = re.compile(rb'"(?:i|\\u0069)(?:d|\\u0064)"')

NEWLINES_LOST = "; each line ends with a newline, which curl takes out with -d and keeps with --data-binary"


def read_submission(line: bytes, limits: Limits) -> SubmissionLine:
    """Read a submission.

    Parameters
    ----------
    limits : Limits
        What it may be like.

    Raises
    ------
    BodyError, pydantic.ValidationError
        As `parse_body` does.
    """
    return _read(LINE, line, limits, "this line")


def read_id(line: bytes, limits: Limits) -> str | None:
    """Read the id of a line that is no submission.

    Parameters
    ----------
    limits : Limits
        What it may be like.

    Returns
    -------
    str or None
        None if it has none, or is not JSON.
    """
    if not MAY_HOLD_ID.search(line):
        return None
    try:
        return parse_body(ID, line, limits=limits).id
    except (BodyError, ValidationError):
        return None


def read_defaults(line: bytes, limits: Limits) -> GradeLineBody:
    """Read the line of defaults.

    Parameters
    ----------
    limits : Limits
        What it may be like.

    Raises
    ------
    BodyError, pydantic.ValidationError
        As `parse_body` does.
    """
    return _read(DEFAULTS, line, limits, "the line of defaults").defaults


def _read(adapter: TypeAdapter[Value], line: bytes, limits: Limits, name: str) -> Value:
    try:
        # with its newline, what is missing at its end would be missing at the start of a second line
        return parse_body(adapter, line.removesuffix(b"\n"), limits=limits)
    except NotJsonError as error:
        hint = NEWLINES_LOST if error.error.msg == "Extra data" else ""
        message = f"{name} is not JSON: {error.error.msg} at column {error.error.colno}{hint}"
        raise BodyError(error.status, error.code, message) from None
