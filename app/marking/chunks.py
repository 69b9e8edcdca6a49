"""A chunk of lines and the replies to them: lines that are written alike are marked together, others one by one."""

import math
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import Generic, TypeVar
from uuid import uuid4

from pydantic import ValidationError

from app.access.admission import Caller
from app.access.rights import AuthorisedGrader
from app.errors import BodyError, ProblemDocument, describe_error
from app.logs import current_request_id
from app.marking.ids import KEY, Line, take_id, take_ids
from app.marking.lines import (
    SubmissionLine,
    cut_lines,
    is_too_long,
    read_defaults,
    read_id,
    read_submission,
    split_lines,
)
from app.marking.replies import LineReply, write_grade, write_problem, write_replies
from app.marking.templates import LineTemplate, find_template_key, has_template
from app.record import Summary
from app.wire.limits import DEFAULT_LIMITS, Limits
from core.budget import Budget
from core.errors import CoreError
from core.grading import NO_MATCH

FEWEST_ALIKE = 8
"""Fewer lines of one template are marked one by one."""

LONGEST_ALIKE = 64 * 1024
"""Bytes of a line; of longer ones, a chunk has too few for a template to be worth it."""

MOST_TEMPLATES = 64
MOST_REPLIES = 1024
LARGEST_REPLY = 8192
"""Bytes of a line and its reply that are kept together: the same mistake, rounded alike, comes again."""

MOST_REPLY_BYTES = 8 * 1024 * 1024
"""Of all lines and replies that are kept."""

MOST_MARKERS = 4
MOST_DEFAULTS_BYTES = 1024 * 1024
"""A process keeps the markers of the last requests, but of large defaults that of the last request alone."""

PIECE_BYTES = 1024 * 1024
"""Where a reply has as many bytes, the rest of the chunk is left: short lines may ask for much."""

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What all lines of one request share; another process can be sent them.

    `defaults` are their line as it was sent, `longest` is the most bytes of a line, and `key` names the request.
    """

    caller: Caller
    budget: Budget
    longest: int
    limits: Limits = DEFAULT_LIMITS
    defaults: bytes | None = None
    request_id: str = ""
    # clients may give the same request id twice
    key: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True, kw_only=True)
class MarkedChunk:
    """The reply to the lines of a chunk but for those that were left."""

    reply: bytes
    summary: Summary
    rest: bytes


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why nothing of a request can be marked."""

    document: ProblemDocument
    headers: dict[str, str]


def find_refusal(terms: Terms) -> Refusal | None:
    """Check the defaults: they may be wrong, or say what the caller may not."""
    try:
        _find_marker(terms)
    except (BodyError, CoreError, ValidationError) as error:
        return Refusal(document=describe_error(error), headers=error.headers if isinstance(error, BodyError) else {})
    return None


def mark_chunk(terms: Terms, chunk: bytes | bytearray, first: int, seconds: float = math.inf) -> MarkedChunk:
    """Mark whole lines from index `first` on, and leave those that are not marked after so many seconds."""
    try:
        return _find_marker(terms).mark(bytes(chunk), first, seconds)
    except (BodyError, CoreError, ValidationError) as error:
        # the token in defaults that were in order at first has expired since
        return refuse_chunk(terms, chunk, first, error)


def refuse_chunk(terms: Terms, chunk: bytes | bytearray, first: int, error: Exception) -> MarkedChunk:
    """Answer each line of a chunk by the same problem."""
    ids = [take_id(line).id for line in split_lines(bytes(chunk), terms.longest)]
    reply, summary = write_replies([write_problem(error)] * len(ids), ids, first)
    return MarkedChunk(reply=reply, summary=summary, rest=b"")


class ChunkMarker:
    """Marks chunks of lines that share their terms; raises what is wrong with the defaults."""

    def __init__(self, terms: Terms) -> None:
        self._longest, self._limits = terms.longest, terms.limits
        defaults = None if terms.defaults is None else read_defaults(terms.defaults, terms.limits)
        self._grader = AuthorisedGrader(terms.caller, defaults, budget=terms.budget)
        # that of the last chunk
        self._template: LineTemplate | None = None
        self._templates: Recent[LineTemplate] = Recent(MOST_TEMPLATES)
        # those to lines, and those to all lines of a template that are right and written alike
        self._replies: Recent[LineReply] = Recent(MOST_REPLIES, MOST_REPLY_BYTES)
        # when the last line was marked by itself
        self._marked = 0.0

    def mark(self, chunk: bytes, first: int, seconds: float) -> MarkedChunk:
        """Mark a chunk as `mark_chunk` does."""
        lines = _Lines(chunk, self._longest)
        replies: list[LineReply] = []
        size, end, rest = 0, time.perf_counter() + seconds, b""
        for reply in self._mark_alike(lines) or self._mark_groups(lines):
            replies.append(reply)
            size += len(reply.ending)
            if size >= PIECE_BYTES or self._marked > end:
                rest = cut_lines(chunk, self._longest, len(replies))
                break
        written, summary = write_replies(replies, lines.ids, first)
        return MarkedChunk(reply=written, summary=summary, rest=rest)

    def _mark_alike(self, lines: "_Lines") -> Iterable[LineReply] | None:
        """Mark lines that all have the template of those before them, unless some have another."""
        template = self._template
        found = template.match(lines.bare) if template and lines.size <= self._longest else None
        if found is None:
            return None
        matches = found.tolist()
        kept = {match: self._replies.get((template, match)) for match in set(matches)}
        replies = {match: reply for match, reply in kept.items() if reply is not None}
        if len(replies) == len(kept):
            return map(replies.__getitem__, matches)
        pairs = zip(lines.split(), matches, strict=True)
        return (self._reply(line, template, match) for line, match in pairs)

    def _mark_groups(self, lines: "_Lines") -> Iterator[LineReply]:
        """Mark lines, those of each template together."""
        each = lines.split()
        groups: dict[Hashable, list[int]] = {}
        for number, line in enumerate(each):
            if len(line.raw) <= min(LONGEST_ALIKE, self._longest) and has_template(line.bare):
                groups.setdefault(find_template_key(line.bare), []).append(number)
        many = {numbers[0]: (key, numbers) for key, numbers in groups.items() if len(numbers) >= FEWEST_ALIKE}
        found: dict[int, tuple[LineTemplate, int]] = {}
        for number, line in enumerate(each):
            reply = None
            if number in many:
                key, numbers = many[number]
                template = self._templates.get(key)
                if template is None:
                    # marked by itself, it says what is wrong with it
                    reply = self._reply(line, None, NO_MATCH)
                    template = None if reply.grade is None else self._make_template(key, line)
                if template is not None:
                    self._template = template
                    matches = template.match_each([each[alike].bare for alike in numbers])
                    found |= {alike: (template, match) for alike, match in zip(numbers, matches, strict=True)}
            template, match = found.get(number, (None, NO_MATCH))
            yield self._reply(line, template, match, reply)

    def _make_template(self, key: Hashable, line: Line) -> LineTemplate | None:
        request = read_submission(line.bare, self._limits)
        holds_text = any(isinstance(answer, str) for answer in (request.answers or {}).values())
        matcher = None if holds_text else self._grader.find_exact_matcher(request)
        if matcher is None:
            return None
        template = LineTemplate(line.bare, matcher)
        self._templates.put(key, template)
        return template

    def _reply(
        self, line: Line, template: LineTemplate | None, match: int, marked: LineReply | None = None
    ) -> LineReply:
        key = line.bare if match == NO_MATCH else (template, match)
        reply = self._replies.get(key)
        if reply is None:
            reply = marked or self._mark_one(line)
            size = len(line.bare) + len(reply.ending)
            if reply.grade is not None and (size <= LARGEST_REPLY or match != NO_MATCH):
                self._replies.put(key, reply, size)
        return reply

    def _mark_one(self, line: Line) -> LineReply:
        submission = None
        try:
            submission = self._read(line)
            return write_grade(self._grader.grade(submission), submission.id)
        except Exception as error:  # noqa: BLE001 - what is unforeseen is logged, and the other lines are marked
            return write_problem(error, submission.id if submission else self._find_id(line))
        finally:
            self._marked = time.perf_counter()

    def _read(self, line: Line) -> SubmissionLine:
        if is_too_long(line.raw, self._longest):
            raise BodyError(413, "too_large", f"the line has more than {self._longest} bytes")
        try:
            return read_submission(line.bare, self._limits)
        except BodyError:
            # the column is that of the line as it was sent
            if line.id:
                return read_submission(line.raw, self._limits)
            raise

    def _find_id(self, line: Line) -> str | None:
        """Find the id of a line that is no submission and from which it was not taken."""
        is_read = not line.id and not is_too_long(line.raw, self._longest)
        return read_id(line.raw, self._limits) if is_read else None


class _Lines:
    """The lines of a chunk, without the ids that could be taken out; `ids` is empty where no line has one."""

    def __init__(self, chunk: bytes, longest: int) -> None:
        self._chunk, self._longest = chunk, longest
        self._each: list[Line] | None = None
        self.size, self.bare = len(chunk), chunk
        self.ids: list[bytes] = []
        # a single byte is found sixty times as fast
        if b"i" not in chunk or KEY not in chunk:
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
    """What was used last, up to a number and a size; the last one of all whatever its size."""

    def __init__(self, most: int, most_bytes: int = 0) -> None:
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

    def put(self, key: Hashable, value: Value, size: int = 0) -> None:
        """Keep a new value in place of those that have not been used for longest."""
        self._values[key] = value, size
        self._bytes += size
        while len(self._values) > 1 and (len(self._values) > self._most or self._bytes > self._most_bytes):
            _, (_, gone) = self._values.popitem(last=False)
            self._bytes -= gone


_MARKERS: Recent[ChunkMarker] = Recent(MOST_MARKERS, MOST_DEFAULTS_BYTES)


def _find_marker(terms: Terms) -> ChunkMarker:
    # whatever is logged on the way says so
    current_request_id.set(terms.request_id)
    marker = _MARKERS.get(terms.key)
    if marker is None:
        marker = ChunkMarker(terms)
        _MARKERS.put(terms.key, marker, len(terms.defaults or b""))
    return marker
