"""What a line holds: a submission, or the defaults that others share."""

from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter, with_config

from app.errors import BodyError
from app.schemas.grade_bodies import GradeLineBody
from app.wire import STRICT, Limits, NotJsonError, parse_body

Value = TypeVar("Value")


@with_config(STRICT)
@dataclass(frozen=True, kw_only=True)
class DefaultsLine:
    """The first line of a bulk request, where it is one that others share."""

    defaults: GradeLineBody
    """What lines leave out."""


LINE: TypeAdapter[GradeLineBody] = TypeAdapter(GradeLineBody)
DEFAULTS: TypeAdapter[DefaultsLine] = TypeAdapter(DefaultsLine)

NEWLINES_LOST = "; each line ends with a newline, which curl takes out with -d and keeps with --data-binary"


def read_submission(line: bytes, limits: Limits) -> GradeLineBody:
    """Read a submission.

    Parameters
    ----------
    line : bytes
    limits : Limits
        What it may be like.

    Returns
    -------
    GradeLineBody

    Raises
    ------
    BodyError, pydantic.ValidationError
        As `parse_body` does.
    """
    return _read(LINE, line, limits, "this line")


def read_defaults(line: bytes, limits: Limits) -> GradeLineBody:
    """Read the line of defaults.

    Parameters
    ----------
    line : bytes
    limits : Limits
        What it may be like.

    Returns
    -------
    GradeLineBody

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
