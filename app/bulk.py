"""Marking in bulk: lines of JSON in, lines of JSON out, in order and in constant memory.

The first line may hold defaults that all others share. A bad line is answered by its problem and stops
nothing; the last line of the reply is a summary, so that a reply that was cut short can be told.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import BinaryIO

import orjson
from pydantic import TypeAdapter, with_config

from app.errors import BodyError, ErrorItem, describe_error
from app.schemas.grade_bodies import GradeLineBody
from app.wire import STRICT, encode, parse_body
from core.budget import Budget
from core.grading import Grade
from core.marking import GradeRequest, MarkingDesk

MEDIA_TYPE = "application/jsonl"

CHUNK_BYTES = 64 * 1024
"""Replies are handed on in pieces of about this size."""

MOST_COUNTED = 1000
"""Quantities that the summary counts one by one; further ones, each line with ids of its own, go together."""

OTHERS = "others"

DEFAULTS_START = re.compile(rb'\s*\{\s*"defaults"')


@with_config(STRICT)
@dataclass(frozen=True, kw_only=True)
class DefaultsLine:
    """The first line of a bulk request, where it is one that others share."""

    defaults: GradeLineBody
    """What lines leave out."""


LINE: TypeAdapter[GradeLineBody] = TypeAdapter(GradeLineBody)
DEFAULTS: TypeAdapter[DefaultsLine] = TypeAdapter(DefaultsLine)


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
    """The reply to one line."""

    index: int
    grade: Grade | None = None
    problem: LineProblem | None = None


@dataclass(slots=True)
class Summary:
    """Counts over a whole request."""

    lines: int = 0
    problems: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    quantities: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)

    def count(self, grade: Grade) -> None:
        """Count one grade, as far as its feedback shows it.

        Parameters
        ----------
        grade : Grade
        """
        self.verdicts[grade.verdict] += 1
        for part in grade.parts:
            name = part.quantity
            if name not in self.quantities and len(self.quantities) >= MOST_COUNTED:
                name = OTHERS
            counts = self.quantities.setdefault(name, {"verdicts": Counter(), "mistakes": Counter()})
            counts["verdicts"][part.verdict] += 1
            for diagnosis in part.diagnoses or ():
                counts["mistakes"].update(diagnosis.mistakes)


class Bulk:
    """A bulk request that has been read to a file.

    Parameters
    ----------
    file : file
        Binary, at its beginning.
    budget : Budget
        What each line may hold and do.
    longest : int
        The most bytes of a line.

    Raises
    ------
    BodyError, CoreError, pydantic.ValidationError
        If there is a line of defaults, and it is wrong: then nothing can be marked.
    """

    def __init__(self, file: BinaryIO, *, budget: Budget, longest: int) -> None:
        lines = _read_lines(file, longest)
        self._budget = budget
        defaults: GradeRequest | None = None
        first = list(islice(lines, 1))
        match first:
            case [bytes() as line] if _holds_defaults(line):
                defaults = parse_body(DEFAULTS, line, most_values=budget.numbers).defaults
                first = []
        # the first line may be None, too
        self._lines = chain(first, lines)
        self._desk = MarkingDesk(defaults, budget=budget)
        self._longest = longest

    def replies(self) -> Iterator[bytes]:
        """Mark the lines one after the other.

        Yields
        ------
        bytes
            Pieces of the reply, of whole lines each.
        """
        summary, chunk = Summary(), bytearray()
        for raw in self._lines:
            chunk += self._reply(raw, summary) + b"\n"
            if len(chunk) >= CHUNK_BYTES:
                yield bytes(chunk)
                chunk.clear()
        yield bytes(chunk) + encode({"summary": summary}) + b"\n"

    def _reply(self, raw: bytes | None, summary: Summary) -> bytes:
        index = summary.lines
        summary.lines += 1
        try:
            grade = self._mark(raw)
            reply = encode(LineReply(index=index, grade=grade))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a line, the others are marked
            summary.problems += 1
            return encode(LineReply(index=index, problem=_to_problem(error)))
        summary.count(grade)
        return reply

    def _mark(self, raw: bytes | None) -> Grade:
        if raw is None:
            raise BodyError(413, "too_large", f"the line has more than {self._longest} bytes")
        return self._desk.mark(parse_body(LINE, raw, most_values=self._budget.numbers))


def _holds_defaults(line: bytes) -> bool:
    if b'"defaults"' not in line:
        return False
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        # what is wrong with it is said where it is read
        return DEFAULTS_START.match(line) is not None
    return isinstance(found, dict) and "defaults" in found


def _read_lines(file: BinaryIO, longest: int) -> Iterator[bytes | None]:
    """Read lines that are not blank; None stands for one that is too long."""
    while raw := file.readline(longest + 1):
        if len(raw) > longest and not raw.endswith(b"\n"):
            while (rest := file.readline(CHUNK_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield None
        elif raw.strip():
            yield raw


def _to_problem(error: Exception) -> LineProblem:
    document = describe_error(error)
    return LineProblem(
        type=document.type,
        title=document.title,
        status=document.status,
        detail=document.detail,
        errors=document.errors,
    )
