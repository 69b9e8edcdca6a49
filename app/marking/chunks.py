"""A chunk of lines and the replies to them: lines that are written alike together, the others one by one."""

import io
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Generic, TypeVar

from app.access import Caller
from app.access.rights import AuthorisedGrader
from app.errors import BodyError
from app.marking.forms import Form, FormKey, find_key, has_form
from app.marking.ids import KEY, Line, take_id, take_ids
from app.marking.line_bodies import SubmissionLine, read_id, read_submission
from app.marking.replies import Reply, write_grade, write_piece, write_refusal
from app.record import Summary
from app.schemas.grade_bodies import GradeLineBody
from app.wire import DEFAULT_LIMITS, Limits
from core.budget import Budget
from core.grading import NO_MATCH, ExactMatcher

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
    give_way : callable, optional
        Called after each line that was marked by itself, with the seconds it took: others may go first meanwhile.

    Raises
    ------
    BodyError, CoreError
        If the defaults are wrong, or say what the caller may not.
    """

    def __init__(self, terms: Terms, give_way: Callable[[float], None] | None = None) -> None:
        self._terms, self._give_way = terms, give_way
        self._grader = AuthorisedGrader(terms.caller, terms.defaults, budget=terms.budget)
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
        lines = _Lines(chunk, self._terms.longest)
        replies: list[Reply] = []
        answered = 0
        size, end = 0, time.perf_counter() + PIECE_SECONDS
        for reply in self._mark_alike(lines) or self._mark_groups(lines):
            replies.append(reply)
            size += len(reply.ending)
            if size >= PIECE_BYTES or self._marked > end:
                piece, summary = write_piece(replies, lines.ids[answered:], first + answered)
                answered += len(replies)
                # what is large is not kept while it is sent
                del reply
                replies.clear()
                yield piece, summary
                del piece
                size, end = 0, time.perf_counter() + PIECE_SECONDS
        if replies:
            yield write_piece(replies, lines.ids[answered:], first + answered)

    def _mark_alike(self, lines: "_Lines") -> Iterable[Reply] | None:
        """Mark lines that all have the form of those before them, unless some have another."""
        form = self._form
        told = form.tell(lines.bare) if form and lines.size <= self._terms.longest else None
        if form is None or told is None:
            return None
        kinds = told.tolist()
        found = {kind: self._replies.get((form, kind)) for kind in set(kinds)}
        known = {kind: reply for kind, reply in found.items() if reply is not None}
        if len(known) == len(found):
            return [known[kind] for kind in kinds]
        each = lines.split()
        return (known.get(kind) or self._reply(line, form, kind) for line, kind in zip(each, kinds, strict=True))

    def _mark_groups(self, lines: "_Lines") -> Iterator[Reply]:
        """Mark lines, those of each form together."""
        each = lines.split()
        told: list[tuple[Form | None, int]] = [(None, NO_MATCH)] * len(each)
        groups: dict[FormKey, list[int]] = {}
        for number, line in enumerate(each):
            if len(line.raw) <= min(LONGEST_ALIKE, self._terms.longest) and has_form(line.bare):
                groups.setdefault(find_key(line.bare), []).append(number)
        for key, numbers in groups.items():
            alike = [each[number].bare for number in numbers]
            form = self._find_form(key, alike[0]) if len(alike) >= FEWEST_ALIKE else None
            if form is not None:
                self._form = form
                for number, kind in zip(numbers, form.tell_each(alike), strict=True):
                    told[number] = form, kind
        return (self._reply(line, form, kind) for line, (form, kind) in zip(each, told, strict=True))

    def _find_form(self, key: FormKey, line: bytes) -> Form | None:
        form = self._forms.get(key)
        if form is None and (matcher := self._find_matcher(line)) is not None:
            form = self._forms.put(key, Form(line, matcher))
        return form

    def _find_matcher(self, line: bytes) -> ExactMatcher | None:
        try:
            request = read_submission(line, self._terms.limits)
            holds_text = any(isinstance(answer, str) for answer in (request.answers or {}).values())
            return None if holds_text else self._grader.find_exact_matcher(request)
        except Exception:  # noqa: BLE001 - what is wrong with the line is said where it is marked
            return None

    def _reply(self, line: Line, form: Form | None, kind: int) -> Reply:
        key = line.bare if kind == NO_MATCH else (form, kind)
        reply = self._replies.get(key)
        if reply is None:
            reply = self._mark_one(line)
            size = len(line.bare) + len(reply.ending)
            if reply.grade is not None and (size <= LARGEST_KEPT or kind != NO_MATCH):
                self._replies.put(key, reply, size)
        return reply

    def _mark_one(self, line: Line) -> Reply:
        start = time.perf_counter()
        submission = None
        try:
            submission = self._read(line)
            return write_grade(self._grader.grade(submission), submission.id)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a line, the others are marked
            return write_refusal(error, submission.id if submission else self._find_id(line))
        finally:
            self._marked = time.perf_counter()
            if self._give_way is not None:
                self._give_way(self._marked - start)

    def _read(self, line: Line) -> SubmissionLine:
        if _is_too_long(line.raw, self._terms.longest):
            raise BodyError(413, "too_large", f"the line has more than {self._terms.longest} bytes")
        try:
            return read_submission(line.bare, self._terms.limits)
        except BodyError:
            # the column is that of the line as it was sent
            if line.id:
                return read_submission(line.raw, self._terms.limits)
            raise

    def _find_id(self, line: Line) -> str | None:
        """Find the id of a line that is no submission and from which it was not taken."""
        is_read = not line.id and not _is_too_long(line.raw, self._terms.longest)
        return read_id(line.raw, self._terms.limits) if is_read else None


class _Lines:
    """The lines of a chunk, without the ids that could be taken out.

    Parameters
    ----------
    longest : int
        The most bytes of a line.
    """

    def __init__(self, chunk: bytes, longest: int) -> None:
        self._chunk, self._longest = chunk, longest
        self._each: list[Line] | None = None
        self.size, self.bare = len(chunk), chunk
        self.ids: list[bytes] = []  # none where no line has one
        if KEY not in chunk:
            return
        found = take_ids(chunk) if len(chunk) <= longest else None
        if found is not None:
            self.bare, self.ids = found
        else:
            most = min(LONGEST_ALIKE, longest)
            self._each = [take_id(raw) if len(raw) <= most else Line(raw, raw) for raw in split_lines(chunk, longest)]
            self.bare = b"".join([line.bare for line in self._each])
            self.ids = [line.id for line in self._each]

    def split(self) -> list[Line]:
        """Return the lines that are answered."""
        if self._each is None:
            pairs = zip(split_lines(self._chunk, self._longest), split_lines(self.bare, self._longest), strict=True)
            ids = self.ids or repeat(b"")
            self._each = [Line(raw, bare, id_) for (raw, bare), id_ in zip(pairs, ids, strict=False)]
        return self._each


class Recent(Generic[Value]):
    """What was used last, up to a number and a size."""

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
    longest : int
        The most bytes of a line; a longer one is answered in any case.
    """
    # bytes.splitlines takes more than newlines for the end of a line
    return [line for line in io.BytesIO(chunk) if line.strip() or _is_too_long(line, longest)]


def _is_too_long(line: bytes, longest: int) -> bool:
    return len(line) - line.endswith(b"\n") > longest
