"""A bulk request that has been read to a file: its defaults, and its lines in chunks."""

import io
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

import numpy as np
import orjson

from app.access import Caller
from app.errors import BodyError
from app.marking.chunks import ChunkMarker, Terms, split_lines
from app.marking.ids import take_id
from app.marking.line_bodies import read_defaults
from app.marking.replies import write_piece, write_refusal
from app.record import Summary
from app.schemas.grade_bodies import GradeLineBody
from app.wire import DEFAULT_LIMITS, Limits, encode
from app.wire.skeletons import BYTE_ORDER_MARK
from core.budget import Budget

MEDIA_TYPE = "application/jsonl"

LEAST_BYTES = 16 * 1024
MOST_BYTES = 256 * 1024
"""Between these, a chunk is as large as fits the pace."""

SHORT_SECONDS = 0.05
LONG_SECONDS = 0.5
"""Chunks that take less or more are too small to be marked well together, or too large to wait for."""

NEWLINE, SPACE = b"\n "

DEFAULTS_START = re.compile(rb'\s*\{\s*"defaults"')


Piece = TypeVar("Piece")


class Aside(Protocol):
    """Where long lines are read and marked instead: in one call of a parser, nothing else happens in this process."""

    @property
    def from_bytes(self) -> int:
        """How long a line is that is long."""

    def read_defaults(self, line: bytes, limits: Limits) -> GradeLineBody:
        """Read the line of defaults."""

    def mark(self, line: bytes, terms: Terms, index: int) -> tuple[bytes, Summary]:
        """Mark a line, as `ChunkMarker.mark` does; raise a `BodyError` if that cannot be done."""


class Bulk:
    """A bulk request that has been read to a file.

    Parameters
    ----------
    file : file
        Binary, at its beginning; it can be searched.
    caller : Caller
        Who asks.
    budget : Budget
        What each line may hold and do.
    longest : int
        The most bytes of a line.
    limits : Limits
        What each line may be like.
    aside : Aside, optional
        Where long lines are marked; by default here, as all are.
    give_way : callable, optional
        As `ChunkMarker` has it.

    Raises
    ------
    BodyError, CoreError, pydantic.ValidationError
        If there is a line of defaults, and it is wrong or not allowed: then nothing can be marked.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        caller: Caller,
        budget: Budget,
        longest: int,
        limits: Limits = DEFAULT_LIMITS,
        aside: Aside | None = None,
        give_way: Callable[[float], None] | None = None,
    ) -> None:
        self._file = file
        self._aside = aside
        line = _take_defaults(file, longest)
        read = aside.read_defaults if aside and line and len(line) >= aside.from_bytes else read_defaults
        defaults = None if line is None else read(line, limits)
        self.terms = Terms(defaults=defaults, budget=budget, limits=limits, longest=longest, caller=caller)
        self._marker = ChunkMarker(self.terms, give_way)
        self.summary = Summary()

    def replies(self) -> Iterator[bytes]:
        """Mark the lines one after the other; how far it came shows in the summary.

        Yields
        ------
        bytes
            Pieces of the reply, of whole lines each.
        """
        pace = Pace()
        while chunk := read_chunk(self._file, pace.size, self.terms.longest):
            yield from pace.follow(self._mark(chunk))
        yield write_summary(self.summary)

    def _mark(self, chunk: bytes) -> Iterator[bytes]:
        if chunk.isspace():
            # between pieces it is noticed that a client has left
            yield b""
        # all but the last line are shorter than a chunk
        start = chunk.rfind(b"\n", 0, -1) + 1
        if self._aside is None or len(chunk) - start < self._aside.from_bytes:
            start = len(chunk)
        for piece, part in self._marker.mark(chunk[:start], self.summary.lines):
            self.summary.add(part)
            yield piece
        if self._aside is not None and start < len(chunk):
            reply, part = self._mark_aside(self._aside, chunk[start:])
            self.summary.add(part)
            yield reply

    def _mark_aside(self, aside: Aside, line: bytes) -> tuple[bytes, Summary]:
        try:
            return aside.mark(line, self.terms, self.summary.lines)
        except BodyError as error:
            return write_piece([write_refusal(error)], [take_id(line).id], self.summary.lines)


class Pace:
    """How many bytes to mark at once, by how long it takes: few lines of slow work, many of fast work."""

    def __init__(self) -> None:
        self.size = LEAST_BYTES

    def follow(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """Pass the reply to a chunk on, and look how long making it takes.

        Yields
        ------
        object
            The same pieces.
        """
        seconds, start = 0.0, time.perf_counter()
        for piece in pieces:
            seconds += time.perf_counter() - start
            yield piece
            # sending it is not marking
            start = time.perf_counter()
        seconds += time.perf_counter() - start
        if seconds < SHORT_SECONDS:
            self.size = min(2 * self.size, MOST_BYTES)
        elif seconds > LONG_SECONDS:
            self.size = max(self.size // 2, LEAST_BYTES)


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


def write_summary(summary: Summary) -> bytes:
    """Write the last line of a reply."""
    return encode({"summary": summary}) + b"\n"


def read_chunk(file: BinaryIO, size: int, longest: int) -> bytes:
    """Read whole lines.

    Parameters
    ----------
    size : int
        About how many bytes.
    longest : int
        The most bytes of a line; of one that is longer, some more are kept, for it to be told.

    Returns
    -------
    bytes
        Nothing at the end of the file.
    """
    chunk = file.read(size)
    if not chunk or chunk.endswith(b"\n"):
        return chunk
    chunk += (rest := file.readline(longest + 1))
    if len(rest) > longest and not rest.endswith(b"\n"):
        while (rest := file.readline(MOST_BYTES)) and not rest.endswith(b"\n"):
            pass
        chunk += b"\n"
    return chunk


def count_lines(chunk: bytes, longest: int) -> int:
    """Count the lines of a chunk that are answered: those that are not blank.

    Parameters
    ----------
    longest : int
        The most bytes of a line; a longer one is answered in any case.
    """
    signs = np.frombuffer(chunk, dtype=np.uint8)
    ends = signs == NEWLINE
    # a line that is blank starts with white space
    may_be_blank = chunk[:1] <= b" " or (ends[:-1] & (signs[1:] <= SPACE)).any()
    if may_be_blank or len(chunk) > longest:
        return len(split_lines(chunk, longest))
    return int(np.count_nonzero(ends)) + (not chunk.endswith(b"\n"))


def _take_defaults(file: BinaryIO, longest: int) -> bytes | None:
    """Read the first line that is not blank if it holds defaults; otherwise leave the file before it."""
    if file.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
        file.seek(0)
    _skip_blank_lines(file)
    place = file.tell()
    line = file.readline(longest + 1)
    is_whole = len(line) <= longest or line.endswith(b"\n")
    if is_whole and _holds_defaults(line):
        return line
    file.seek(place)
    return None


def _skip_blank_lines(file: BinaryIO) -> None:
    while block := file.read(MOST_BYTES):
        if rest := block.lstrip():
            start = block.rfind(b"\n", 0, -len(rest)) + 1
            file.seek(start - len(block), os.SEEK_CUR)
            return


def _holds_defaults(line: bytes) -> bool:
    if DEFAULTS_START.match(line):
        return True
    # a longer one is wrong in any case: what is right starts with its only key
    if b'"defaults"' not in line or len(line) > MOST_BYTES:
        return False
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        # what is wrong with it is said where it is marked
        return False
    return isinstance(found, dict) and "defaults" in found
