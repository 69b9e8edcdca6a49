"""The replies to lines, and how they are written."""

from collections import Counter
from dataclasses import dataclass

import orjson

from app.errors import ErrorItem, describe_error
from app.marking.ids import write_id
from app.record import Summary
from app.wire import encode
from core.grading import Grade


@dataclass(frozen=True, kw_only=True)
class LineProblem:
    """Why one line was not marked: a problem document without the id of a request."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ErrorItem]


@dataclass(frozen=True, kw_only=True, eq=False)
class LineReply:
    """The reply to one line, but for its index and id."""

    grade: Grade | None = None
    problem: LineProblem | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """The reply to a line, whichever it is.

    Parameters
    ----------
    ending : bytes
        What comes after index and id.
    grade : Grade or None
        None where it is a problem.
    id : bytes
        The id that was read with the line, as `write_id` gives it; empty where there is none, or it was taken out.
    """

    ending: bytes
    grade: Grade | None
    id: bytes = b""


def write_piece(replies: list[Reply], ids: list[bytes], first: int) -> tuple[bytes, Summary]:
    """Write a piece of a reply.

    Parameters
    ----------
    ids : list of bytes
        The ids that were taken out of these lines and of those behind them, each empty where none was; empty where
        none was taken out of any line.
    first : int
        The index of the first.

    Returns
    -------
    tuple of bytes and Summary
        A line for each, and their counts.
    """
    indexed = enumerate(replies, first)
    if ids:
        pairs = zip(indexed, ids, strict=False)
        written = [b'{"index":%d%b%b' % (index, id_ or reply.id, reply.ending) for (index, reply), id_ in pairs]
    else:
        written = [b'{"index":%d%b%b' % (index, reply.id, reply.ending) for index, reply in indexed]
    content = b"".join(written)
    summary = Summary(lines=len(replies))
    for reply, times in Counter(replies).items():
        if reply.grade is None:
            summary.problems += times
        else:
            summary.count(reply.grade, times)
    return content, summary


def write_grade(grade: Grade, id_: str | None = None) -> Reply:
    """Write the reply to a line that has been marked."""
    return _write(LineReply(grade=grade), id_)


def write_refusal(error: Exception, id_: str | None = None) -> Reply:
    """Write the reply to a line that cannot be marked."""
    document = describe_error(error)
    problem = LineProblem(
        type=document.type,
        title=document.title,
        status=document.status,
        detail=document.detail,
        errors=document.errors,
    )
    return _write(LineReply(problem=problem), id_)


def _write(reply: LineReply, id_: str | None) -> Reply:
    # its brace is left out, and it is copied only once: it may be large
    ending = b"".join((b",", memoryview(encode(reply))[1:], b"\n"))
    return Reply(ending, reply.grade, b"" if id_ is None else write_id(orjson.dumps(id_)))
