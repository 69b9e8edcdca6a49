"""Long lines, which another process reads and marks.

A parser keeps Python's lock all through a call, for seconds where a line has 32 MB; a process that serves would
answer nobody meanwhile.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from anyio import from_thread
from asgi_correlation_id import correlation_id
from pydantic import ValidationError

from app.errors import BodyError, describe_error
from app.marking.chunks import ChunkMarker, Terms
from app.marking.ids import take_id
from app.marking.line_bodies import read_defaults
from app.marking.replies import write_piece, write_refusal
from app.record import Summary
from app.schemas.grade_bodies import GradeLineBody
from app.wire import Limits
from app.work.computation import JSON_TYPE, Reply, answer_problem
from core.errors import CoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDefaults(Reply):
    """Defaults that have been read."""

    defaults: GradeLineBody


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedLine(Reply):
    """The reply to a line, and what it counts."""

    summary: Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultsToRead:
    """A long line of defaults.

    Parameters
    ----------
    limits : Limits
        What it may be like.
    request_id : str
        For problem documents.
    """

    raw: bytes | bytearray
    limits: Limits
    request_id: str

    def answer(self) -> Reply:
        """Read them.

        Returns
        -------
        Reply
            `ReadDefaults`, or a problem document where they are wrong.
        """
        try:
            return ReadDefaults(content=b"", media_type="", defaults=read_defaults(bytes(self.raw), self.limits))
        except (BodyError, CoreError, ValidationError) as error:
            return answer_problem(describe_error(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class LineToMark:
    """A long line.

    Parameters
    ----------
    terms : Terms
        What it shares with others.
    request_id : str
        For the log.
    """

    raw: bytes | bytearray
    terms: Terms
    index: int
    request_id: str

    def answer(self) -> MarkedLine:
        """Mark it.

        Returns
        -------
        MarkedLine
            Without content if it is blank.
        """
        try:
            pieces = list(ChunkMarker(self.terms).mark(bytes(self.raw), self.index))
        except (BodyError, CoreError) as error:
            # defaults that were in order at the start may have a token that has expired since
            pieces = [write_piece([write_refusal(error)], [take_id(bytes(self.raw)).id], self.index)]
        content, summary = pieces[0] if pieces else (b"", Summary())
        return MarkedLine(content=content, media_type=JSON_TYPE, summary=summary)


LongLine: TypeAlias = DefaultsToRead | LineToMark


def answer_line(line: LongLine) -> Reply:
    """Do what there is to do with a long line."""
    token = correlation_id.set(line.request_id)
    try:
        return line.answer()
    finally:
        correlation_id.reset(token)


class DefaultsError(Exception):
    """Defaults are wrong.

    Parameters
    ----------
    answer : Reply
        A problem document.
    """

    def __init__(self, answer: Reply) -> None:
        super().__init__()
        self.answer = answer


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessAside:
    """A process where the long lines of one request are read and marked, from the thread that marks the others.

    Parameters
    ----------
    ask : callable
        Has a process work on a line.
    from_bytes : int
        How long a line is that is long.
    """

    ask: Callable[[LongLine], Coroutine[Any, Any, Reply]]
    from_bytes: int

    def read_defaults(self, line: bytes, limits: Limits) -> GradeLineBody:
        """Read the line of defaults.

        Raises
        ------
        DefaultsError
            If it is wrong.
        BodyError
            503 if the process ends on the way.
        """
        found = self._ask(DefaultsToRead(raw=line, limits=limits, request_id=correlation_id.get() or ""))
        if not isinstance(found, ReadDefaults):
            raise DefaultsError(found)
        return found.defaults

    def mark(self, line: bytes, terms: Terms, index: int) -> tuple[bytes, Summary]:
        """Mark a line.

        Raises
        ------
        BodyError
            503 if the process ends on the way.
        """
        found = self._ask(LineToMark(raw=line, terms=terms, index=index, request_id=correlation_id.get() or ""))
        return bytes(found.content), cast("MarkedLine", found).summary

    def _ask(self, line: LongLine) -> Reply:
        return from_thread.run(self.ask, line)
