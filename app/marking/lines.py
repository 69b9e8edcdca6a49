"""A file of lines: how it is cut into chunks, and what a line holds."""

import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError, with_config

from app.errors import BodyError
from app.schemas.grade_bodies import GradeLineBody
from app.wire.fields import STRICT, LeftOut
from app.wire.limits import Limits
from app.wire.reading import NotJsonError, parse_body
from app.wire.skeletons import BYTE_ORDER_MARK

Value = TypeVar("Value")

CHUNK_BYTES = 256 * 1024
"""A larger chunk is marked no faster, and keeps others waiting for longer."""

DEFAULTS_START = re.compile(rb'\s*\{\s*"defaults"')

# each letter of the key may be escaped
MAY_HOLD_ID = re.compile(rb'"(?:i|\\u0069)(?:d|\\u0064)"')

NEWLINES_LOST = "; each line ends with a newline, which curl takes out with -d and keeps with --data-binary"


class _NamedFile(io.FileIO):
    """A file that errors name when it is read: by itself Python names it only when it is opened."""

    def readinto(self, buffer: Any, /) -> int | None:
        try:
            return super().readinto(buffer)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.name)) from None


def open_lines(path: Path) -> BinaryIO:
    """Open a file of lines; every error that it raises names it."""
    return io.BufferedReader(_NamedFile(path))


def read_chunk(file: BinaryIO, longest: int, size: int = CHUNK_BYTES) -> bytes:
    """Read whole lines of at most `size` bytes together; nothing at the end of the file.

    A line that is longer comes alone. What it has beyond `longest` bytes is left out but for the first of them.
    """
    chunk = file.read(size)
    if end := chunk.rfind(b"\n") + 1:
        file.seek(end - len(chunk), os.SEEK_CUR)
        return chunk[:end]
    chunk += file.readline(max(0, longest + 1 - len(chunk)))
    if not chunk.endswith(b"\n"):
        while (rest := file.readline(CHUNK_BYTES)) and not rest.endswith(b"\n"):
            pass
    return chunk


def split_lines(chunk: bytes, longest: int) -> list[bytes]:
    """Return the lines that are answered: those that are not blank, or too long."""
    # bytes.splitlines takes more than newlines for the end of a line
    return [line for line in io.BytesIO(chunk) if line.strip() or is_too_long(line, longest)]


def cut_lines(chunk: bytes, longest: int, count: int) -> bytes:
    """Return what stands behind so many lines that are answered."""
    lines = io.BytesIO(chunk)
    while count:
        count -= len(split_lines(lines.readline(), longest))
    return lines.read()


def is_too_long(line: bytes, longest: int) -> bool:
    """Tell whether a line has more bytes than that, without its newline."""
    return len(line) - line.endswith(b"\n") > longest


def take_defaults(file: BinaryIO, longest: int) -> bytes | None:
    """Read the first line that is not blank if it holds defaults; otherwise leave the file before it."""
    if file.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
        file.seek(0)
    _skip_blank_lines(file)
    place = file.tell()
    line = file.readline(longest + 1)
    if not is_too_long(line, longest) and _holds_defaults(line):
        return line
    file.seek(place)
    return None


def _skip_blank_lines(file: BinaryIO) -> None:
    while block := file.read(CHUNK_BYTES):
        if rest := block.lstrip():
            start = block.rfind(b"\n", 0, -len(rest)) + 1
            file.seek(start - len(block), os.SEEK_CUR)
            return


def _holds_defaults(line: bytes) -> bool:
    if DEFAULTS_START.match(line):
        return True
    # a longer one is wrong in any case: what is right starts with its only key
    if b'"defaults"' not in line or len(line) > CHUNK_BYTES:
        return False
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        # what is wrong with it is said where it is marked
        return False
    return isinstance(found, dict) and "defaults" in found


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

    id: LeftOut[str] = None
    """Comes back with the reply to this line."""


@with_config(STRICT | {"extra": "ignore"})
@dataclass(frozen=True, kw_only=True)
class IdOfLine:
    """The id of a line, whatever else it holds."""

    id: LeftOut[str] = None


LINE: TypeAdapter[SubmissionLine] = TypeAdapter(SubmissionLine)
ID: TypeAdapter[IdOfLine] = TypeAdapter(IdOfLine)
DEFAULTS: TypeAdapter[DefaultsLine] = TypeAdapter(DefaultsLine)


def read_submission(line: bytes, limits: Limits) -> SubmissionLine:
    """Read a submission; raise `BodyError` or pydantic's `ValidationError` if it is none."""
    return _read(LINE, line, limits, "this line")


def read_defaults(line: bytes, limits: Limits) -> GradeLineBody:
    """Read the line of defaults; raise as `read_submission` does."""
    return _read(DEFAULTS, line, limits, "the line of defaults").defaults


def read_id(line: bytes, limits: Limits) -> str | None:
    """Read the id of a line that is no submission, if it has one and is JSON."""
    if not MAY_HOLD_ID.search(line):
        return None
    try:
        return parse_body(ID, line, limits=limits).id
    except (BodyError, ValidationError):
        return None


def _read(adapter: TypeAdapter[Value], line: bytes, limits: Limits, name: str) -> Value:
    try:
        # with its newline, what is missing at its end would be missing at the start of a second line
        return parse_body(adapter, line.removesuffix(b"\n"), limits=limits)
    except NotJsonError as error:
        hint = NEWLINES_LOST if error.error.msg == "Extra data" else ""
        message = f"{name} is not JSON: {error.error.msg} at column {error.error.colno}{hint}"
        raise BodyError(error.status, error.code, message) from None
