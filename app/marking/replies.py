"""The replies to lines, and how they are written."""

from collections import Counter
from dataclasses import dataclass

import orjson

from app.errors import describe_error
from app.marking.ids import write_id
from app.record import Summary
from app.wire.writing import encode
from core.grading import Grade


@dataclass(frozen=True, slots=True, eq=False)
class LineReply:
    """The reply to a line: what stands behind its index and id, the grade unless it is a problem, and its id.

    The id is as `write_id` gives it, and empty where the line has none or it was taken out before.
    """

    ending: bytes
    grade: Grade | None
    id: bytes = b""


def write_replies(replies: list[LineReply], ids: list[bytes], first: int) -> tuple[bytes, Summary]:
    """Write the replies to lines from index `first` on, and count them.

    `ids` were taken out of these lines, and of others behind them: each is empty where none was, and all of it where
    none was taken out of any line.
    """
    indexed = enumerate(replies, first)
    if ids:
        pairs = zip(indexed, ids, strict=False)
        written = [b'{"index":%d%b%b' % (index, id_ or reply.id, reply.ending) for (index, reply), id_ in pairs]
    else:
        written = [b'{"index":%d%b%b' % (index, reply.id, reply.ending) for index, reply in indexed]
    summary = Summary(lines=len(replies))
    for reply, times in Counter(replies).items():
        if reply.grade is None:
            summary.problems += times
        else:
            summary.count(reply.grade, times)
    return b"".join(written), summary


def write_grade(grade: Grade, id_: str | None = None) -> LineReply:
    """Write the reply to a line that has been marked."""
    return _write({"grade": grade}, grade, id_)


def write_problem(error: Exception, id_: str | None = None) -> LineReply:
    """Write the reply to a line that cannot be marked."""
    document = describe_error(error)
    # the request's id stands in the head of the whole reply
    problem = {name: getattr(document, name) for name in ("type", "title", "status", "detail", "errors")}
    return _write({"problem": problem}, None, id_)


def _write(reply: dict[str, object], grade: Grade | None, id_: str | None) -> LineReply:
    # its brace is left out, and it is copied only once: it may be large
    ending = b"".join((b",", memoryview(encode(reply))[1:], b"\n"))
    return LineReply(ending, grade, b"" if id_ is None else write_id(orjson.dumps(id_)))


def write_summary(summary: Summary) -> bytes:
    """Write the last line of a reply to lines that have all been answered."""
    return encode({"summary": summary}) + b"\n"


def write_end(error: Exception) -> bytes:
    """Write the last line of a reply that ends before all lines have been answered."""
    return b"{" + write_problem(error).ending[1:]
