"""The replies to lines, and how they are written."""

from collections import Counter
from dataclasses import dataclass

from app.bulk.summary import Summary
from app.errors import ErrorItem, describe_error
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
    """The reply to one line, but for its index."""

    grade: Grade | None = None
    problem: LineProblem | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """The reply to a line, whichever it is.

    Parameters
    ----------
    ending : bytes
        What comes after the index.
    grade : Grade or None
        None where it is a problem.
    """

    ending: bytes
    grade: Grade | None


def write_piece(replies: list[Reply], first: int) -> tuple[bytes, Summary]:
    """Write a piece of a reply.

    Parameters
    ----------
    replies : list of Reply
    first : int
        The index of the first.

    Returns
    -------
    tuple of bytes and Summary
        A line for each, and their counts.
    """
    content = b"".join([b'{"index":%d%b' % (index, reply.ending) for index, reply in enumerate(replies, first)])
    summary = Summary(lines=len(replies))
    for reply, times in Counter(replies).items():
        if reply.grade is None:
            summary.problems += times
        else:
            summary.count(reply.grade, times)
    return content, summary


def write_grade(grade: Grade) -> Reply:
    """Write the reply to a line that has been marked.

    Parameters
    ----------
    grade : Grade

    Returns
    -------
    Reply
    """
    return _write(LineReply(grade=grade))


def write_refusal(error: Exception) -> Reply:
    """Write the reply to a line that cannot be marked.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    Reply
    """
    document = describe_error(error)
    problem = LineProblem(
        type=document.type,
        title=document.title,
        status=document.status,
        detail=document.detail,
        errors=document.errors,
    )
    return _write(LineReply(problem=problem))


def _write(reply: LineReply) -> Reply:
    # its brace is left out, and it is copied only once: it may be large
    return Reply(b"".join((b",", memoryview(encode(reply))[1:], b"\n")), reply.grade)
