"""A chunk of lines and the replies to them: lines that are written alike together, the others one by one."""

import io
from collections import Counter, OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.access import Caller
from app.bulk.forms import Form, FormKey, find_key, has_form
from app.bulk.line_bodies import read_defaults, read_submission
from app.bulk.summary import Summary
from app.errors import BodyError, ErrorItem, describe_error
from app.grade_desk import GradeDesk
from app.schemas.grade_bodies import GradeLineBody
from app.wire import DEFAULT_LIMITS, Limits, encode
from core.budget import Budget
from core.grading import UNSURE, Grade, Outright

FEWEST_ALIKE = 8
"""Fewer lines of one form are marked one by one."""

MOST_FORMS = 64
MOST_REPLIES = 1024
LARGEST_KEPT = 8192
"""Bytes of a line and its reply that are kept together: the same mistake, rounded alike, comes again."""

MOST_BYTES = 8 * 1024 * 1024
"""Of all lines and replies that are kept."""

Value = TypeVar("Value")


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


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What all lines of a request share, in a form that another process can be sent.

    Parameters
    ----------
    defaults : bytes or None
        The line that holds them.
    budget : Budget
        What each line may hold and do.
    longest : int
        The most bytes of a line.
    caller : Caller
        Who asks.
    limits : Limits
        What each line may be like.
    """

    defaults: bytes | None
    budget: Budget
    longest: int
    caller: Caller
    limits: Limits = DEFAULT_LIMITS


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


class ChunkMarker:
    """Marks chunks of lines that share their terms.

    Parameters
    ----------
    terms : Terms

    Raises
    ------
    BodyError, CoreError, pydantic.ValidationError
        If the line of defaults is wrong, or says what the caller may not.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        defaults = None
        if terms.defaults is not None:
            defaults = read_defaults(terms.defaults, terms.limits)
        self._desk = GradeDesk(terms.caller, defaults, budget=terms.budget)
        self._form: Form | None = None
        self._forms: Recent[Form] = Recent(MOST_FORMS)
        # those to lines, and those to all lines of a form that are right and written alike
        self._replies: Recent[Reply] = Recent(MOST_REPLIES)

    def mark(self, chunk: bytes, first: int) -> tuple[bytes, Summary]:
        """Mark a chunk.

        Parameters
        ----------
        chunk : bytes
            Whole lines, as `read_chunk` gives them.
        first : int
            The index of the first.

        Returns
        -------
        tuple of bytes and Summary
            A line for each that is not blank, and their counts.
        """
        replies = self._mark_alike(chunk) or self._mark_groups(chunk)
        content = b"".join([b'{"index":%d%b' % (index, reply.ending) for index, reply in enumerate(replies, first)])
        summary = Summary(lines=len(replies))
        for reply, times in Counter(replies).items():
            if reply.grade is None:
                summary.problems += times
            else:
                summary.count(reply.grade, times)
        return content, summary

    def _mark_alike(self, chunk: bytes) -> list[Reply] | None:
        """Mark lines that all have the form of those before them, unless some have another."""
        form = self._form
        told = form.tell(chunk) if form and len(chunk) <= self._terms.longest else None
        if form is None or told is None:
            return None
        kinds = told.tolist()
        found = {kind: self._replies.get((form, kind)) for kind in set(kinds)}
        known = {kind: reply for kind, reply in found.items() if reply is not None}
        if len(known) == len(found):
            return [known[kind] for kind in kinds]
        lines = split_lines(chunk, self._terms.longest)
        return [known.get(kind) or self._reply(line, form, kind) for line, kind in zip(lines, kinds, strict=True)]

    def _mark_groups(self, chunk: bytes) -> list[Reply]:
        """Mark lines, those of each form together."""
        lines = split_lines(chunk, self._terms.longest)
        told: list[tuple[Form | None, int]] = [(None, UNSURE)] * len(lines)
        groups: dict[FormKey, list[int]] = {}
        for number, line in enumerate(lines):
            if has_form(line) and not _is_too_long(line, self._terms.longest):
                groups.setdefault(find_key(line), []).append(number)
        for key, numbers in groups.items():
            alike = [lines[number] for number in numbers]
            form = self._find_form(key, alike[0]) if len(alike) >= FEWEST_ALIKE else None
            if form is not None:
                self._form = form
                for number, kind in zip(numbers, form.tell_each(alike), strict=True):
                    told[number] = form, kind
        return [self._reply(line, form, kind) for line, (form, kind) in zip(lines, told, strict=True)]

    def _find_form(self, key: FormKey, line: bytes) -> Form | None:
        form = self._forms.get(key)
        if form is None and (outright := self._find_outright(line)) is not None:
            form = self._forms.put(key, Form(line, outright))
        return form

    def _find_outright(self, line: bytes) -> Outright | None:
        try:
            request = self._read(line)
            holds_text = any(isinstance(answer, str) for answer in (request.answers or {}).values())
            return None if holds_text else self._desk.find_outright(request)
        except Exception:  # noqa: BLE001 - what is wrong with the line is said where it is marked
            return None

    def _reply(self, line: bytes, form: Form | None, kind: int) -> Reply:
        key = line if kind == UNSURE else (form, kind)
        reply = self._replies.get(key)
        if reply is None:
            reply = self._mark_one(line)
            size = len(line) + len(reply.ending)
            if reply.grade is not None and (size <= LARGEST_KEPT or kind != UNSURE):
                self._replies.put(key, reply, size)
        return reply

    def _mark_one(self, line: bytes) -> Reply:
        grade: Grade | None = None
        try:
            grade = self._desk.mark(self._read(line))
            written = encode(LineReply(grade=grade))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a line, the others are marked
            grade, written = None, encode(LineReply(problem=_to_problem(error)))
        return Reply(b"," + written[1:] + b"\n", grade)

    def _read(self, line: bytes) -> GradeLineBody:
        if _is_too_long(line, self._terms.longest):
            raise BodyError(413, "too_large", f"the line has more than {self._terms.longest} bytes")
        return read_submission(line, self._terms.limits)


class Recent(Generic[Value]):
    """What was used last, up to a number and a size.

    Parameters
    ----------
    most, most_bytes : int
    """

    def __init__(self, most: int, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> Value | None:
        """Return what is kept under a key, if anything is."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: Value, size: int = 0) -> Value:
        """Keep a new value in place of those that have not been used for longest, and return it."""
        self._values[key] = value, size
        self._bytes += size
        while len(self._values) > self._most or self._bytes > self._most_bytes:
            _, (_, gone) = self._values.popitem(last=False)
            self._bytes -= gone
        return value


def split_lines(chunk: bytes, longest: int) -> list[bytes]:
    """Return the lines of a chunk that are answered: those that are not blank.

    Parameters
    ----------
    chunk : bytes
    longest : int
        The most bytes of a line; a longer one is answered in any case.

    Returns
    -------
    list of bytes
    """
    # bytes.splitlines takes more than newlines for the end of a line
    return [line for line in io.BytesIO(chunk) if line.strip() or _is_too_long(line, longest)]


def _is_too_long(line: bytes, longest: int) -> bool:
    return len(line) - line.endswith(b"\n") > longest


def _to_problem(error: Exception) -> LineProblem:
    document = describe_error(error)
    return LineProblem(
        type=document.type,
        title=document.title,
        status=document.status,
        detail=document.detail,
        errors=document.errors,
    )
