"""A chunk of lines and the replies to them: lines that are written alike together, the others one by one."""

import io
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.access import Caller
from app.bulk.forms import Form, FormKey, find_key, has_form
from app.bulk.line_bodies import read_submission
from app.bulk.replies import Reply, write_grade, write_piece, write_refusal
from app.bulk.summary import Summary
from app.errors import BodyError
from app.grade_desk import GradeDesk
from app.schemas.grade_bodies import GradeLineBody
from app.wire import DEFAULT_LIMITS, Limits
from core.budget import Budget
from core.grading import UNSURE, Outright

FEWEST_ALIKE = 8
"""Fewer lines of one form are marked one by one."""

LONGEST_ALIKE = 64 * 1024
"""Bytes of a line; of longer ones, a chunk has too few for it to be worth it to look for their form."""

MOST_FORMS = 64
MOST_REPLIES = 1024
LARGEST_KEPT = 8192
"""Bytes of a line and its reply that are kept together: the same mistake, rounded alike, comes again."""

MOST_BYTES = 8 * 1024 * 1024
"""Of all lines and replies that are kept."""

PIECE_BYTES = 1024 * 1024
PIECE_SECONDS = 0.5
"""What a piece of a reply holds and takes, and what its last line adds: short lines may ask for much."""

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What all lines of a request share, in a form that another process can be sent.

    Parameters
    ----------
    defaults : GradeLineBody or None
        What they leave out.
    budget : Budget
        What each line may hold and do.
    longest : int
        The most bytes of a line.
    caller : Caller
        Who asks.
    limits : Limits
        What each line may be like.
    """

    defaults: GradeLineBody | None
    budget: Budget
    longest: int
    caller: Caller
    limits: Limits = DEFAULT_LIMITS


class ChunkMarker:
    """Marks chunks of lines that share their terms.

    Parameters
    ----------
    terms : Terms
    give_way : callable, optional
        Called after each line that was marked by itself, with the seconds it took: others may go first meanwhile.

    Raises
    ------
    BodyError, CoreError
        If the defaults are wrong, or say what the caller may not.
    """

    def __init__(self, terms: Terms, give_way: Callable[[float], None] | None = None) -> None:
        self._terms, self._give_way = terms, give_way
        self._desk = GradeDesk(terms.caller, terms.defaults, budget=terms.budget)
        self._form: Form | None = None
        self._forms: Recent[Form] = Recent(MOST_FORMS)
        # those to lines, and those to all lines of a form that are right and written alike
        self._replies: Recent[Reply] = Recent(MOST_REPLIES)
        # when the last line was marked by itself
        self._marked = 0.0

    def mark(self, chunk: bytes, first: int) -> Iterator[tuple[bytes, Summary]]:
        """Mark a chunk.

        Parameters
        ----------
        chunk : bytes
            Whole lines, as `read_chunk` gives them.
        first : int
            The index of the first.

        Yields
        ------
        tuple of bytes and Summary
            Pieces of the reply, which has a line for each that is not blank, and their counts.
        """
        replies: list[Reply] = []
        size, end = 0, time.perf_counter() + PIECE_SECONDS
        for reply in self._mark_alike(chunk) or self._mark_groups(chunk):
            replies.append(reply)
            size += len(reply.ending)
            if size >= PIECE_BYTES or self._marked > end:
                piece, summary = write_piece(replies, first)
                first += len(replies)
                # what is large is not kept while it is sent
                del reply
                replies.clear()
                yield piece, summary
                del piece
                size, end = 0, time.perf_counter() + PIECE_SECONDS
        if replies:
            yield write_piece(replies, first)

    def _mark_alike(self, chunk: bytes) -> Iterable[Reply] | None:
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
        return (known.get(kind) or self._reply(line, form, kind) for line, kind in zip(lines, kinds, strict=True))

    def _mark_groups(self, chunk: bytes) -> Iterator[Reply]:
        """Mark lines, those of each form together."""
        lines = split_lines(chunk, self._terms.longest)
        told: list[tuple[Form | None, int]] = [(None, UNSURE)] * len(lines)
        groups: dict[FormKey, list[int]] = {}
        for number, line in enumerate(lines):
            if len(line) <= min(LONGEST_ALIKE, self._terms.longest) and has_form(line):
                groups.setdefault(find_key(line), []).append(number)
        for key, numbers in groups.items():
            alike = [lines[number] for number in numbers]
            form = self._find_form(key, alike[0]) if len(alike) >= FEWEST_ALIKE else None
            if form is not None:
                self._form = form
                for number, kind in zip(numbers, form.tell_each(alike), strict=True):
                    told[number] = form, kind
        return (self._reply(line, form, kind) for line, (form, kind) in zip(lines, told, strict=True))

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
        start = time.perf_counter()
        try:
            return write_grade(self._desk.mark(self._read(line)))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a line, the others are marked
            return write_refusal(error)
        finally:
            self._marked = time.perf_counter()
            if self._give_way is not None:
                self._give_way(self._marked - start)

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
