"""A bulk request on its way through the service: its chunks take turns with those of other bulk requests."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, BinaryIO

from app.marking.chunks import MarkedChunk, Refusal, Terms, find_refusal, mark_chunk, refuse_chunk
from app.marking.lines import read_chunk, split_lines, take_defaults
from app.record import Summary
from app.work.queue import BusyError

TURN_BYTES = 512 * 1024
"""What is marked in one turn: with half of it the hops to a thread and to a process took a tenth longer."""

TURN_SECONDS = 0.1
"""How long a chunk may be marked before the next one has its turn; a single submission waits as long for a process."""


class Bulk:
    """A request whose lines stand in a file at its beginning; `summary` tells how far it has come.

    Each method is one turn, in a thread. `run` runs a function in a worker, and raises `BusyError` if that dies.
    """

    def __init__(self, file: BinaryIO, terms: Terms, run: Callable[..., Any]) -> None:
        self.summary = Summary()
        self._file, self._terms, self._run = file, terms, run
        # where the defaults stand in the file
        self._defaults = range(0)
        # up to where each line is a chunk of its own: a process has died of one of them
        self._alone = 0

    def begin(self) -> Refusal | bytes | None:
        """Read the defaults, and mark the first lines as `mark_next` does, unless something is wrong with them."""
        defaults = take_defaults(self._file, self._terms.longest)
        if defaults is not None:
            end = self._file.tell()
            self._defaults = range(end - len(defaults), end)
            refusal: Refusal | None = self._run(find_refusal, replace(self._terms, defaults=defaults))
            if refusal is not None:
                return refusal
        return self.mark_next()

    def mark_next(self) -> bytes | None:
        """Mark the next lines, and return the replies to them; None where there are no more."""
        start = self._file.tell()
        terms, chunk = self._read()
        if not chunk:
            return None
        try:
            marked: MarkedChunk = self._run(mark_chunk, terms, chunk, self.summary.lines, TURN_SECONDS)
        except BusyError as error:
            if len(split_lines(chunk, terms.longest)) > 1:
                self._alone = self._file.tell()
                self._file.seek(start)
                return b""
            marked = refuse_chunk(terms, chunk, self.summary.lines, error)
        if marked.rest:
            self._file.seek(start + len(chunk) - len(marked.rest))
        self.summary.add(marked.summary)
        return marked.reply

    def _read(self) -> tuple[Terms, bytes]:
        """Read a chunk, and the defaults anew: requests that wait for their turn keep nothing large in memory."""
        place, defaults = self._file.tell(), None
        if self._defaults.stop:
            self._file.seek(self._defaults.start)
            defaults = self._file.read(len(self._defaults))
            self._file.seek(place)
        chunk = read_chunk(self._file, self._terms.longest, 1 if place < self._alone else TURN_BYTES)
        return replace(self._terms, defaults=defaults), chunk
