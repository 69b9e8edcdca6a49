"""A bulk request on its way through the service: its chunks take turns with those of other bulk requests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, BinaryIO

from fastapi.concurrency import run_in_threadpool

from app.marking.chunks import MarkedChunk, Refusal, Terms, find_refusal, mark_chunk, refuse_chunk
from app.marking.lines import CHUNK_BYTES, read_chunk, split_lines, take_defaults
from app.marking.replies import write_summary
from app.record import Summary
from app.work.queue import BusyError

MEDIA_TYPE = "application/jsonl"

TURN_SECONDS = 0.1
"""How long a chunk may be marked before the next one has its turn; a single submission waits as long for a process."""


class Bulk:
    """A request whose lines stand in a file at its beginning; `summary` tells how far it has come.

    `run` calls a function somewhere, and raises `BusyError` if that is not done; `turn` is held by a request in turn.
    """

    def __init__(
        self,
        file: BinaryIO,
        terms: Terms,
        *,
        run: Callable[..., Awaitable[Any]],
        turn: Callable[[], AbstractAsyncContextManager[None]],
    ) -> None:
        self.summary = Summary()
        self._file, self._terms = file, terms
        self._run, self._turn = run, turn
        # where the defaults stand in the file
        self._defaults = range(0)
        # up to where each line is a chunk of its own: a process has died of one of them
        self._alone = 0

    async def read_defaults(self) -> Refusal | None:
        """Read the defaults, and find out what is wrong with them."""
        defaults = await run_in_threadpool(take_defaults, self._file, self._terms.longest)
        if defaults is None:
            return None
        end = self._file.tell()
        self._defaults = range(end - len(defaults), end)
        async with self._turn():
            refusal: Refusal | None = await self._run(find_refusal, replace(self._terms, defaults=defaults))
        return refusal

    async def replies(self) -> AsyncIterator[bytes | bytearray]:
        """Mark the lines, and yield pieces of the reply, of whole lines each."""
        while (marked := await self._mark_next()) is not None:
            self.summary.add(marked.summary)
            yield marked.reply
        yield write_summary(self.summary)

    async def _mark_next(self) -> MarkedChunk | None:
        async with self._turn():
            start = self._file.tell()
            terms, chunk = await run_in_threadpool(self._read)
            if not chunk:
                return None
            try:
                marked: MarkedChunk = await self._run(mark_chunk, terms, chunk, self.summary.lines, TURN_SECONDS)
            except BusyError as error:
                if len(split_lines(chunk, terms.longest)) < 2:
                    return refuse_chunk(terms, chunk, self.summary.lines, error)
                self._alone = self._file.tell()
                marked = MarkedChunk(reply=b"", summary=Summary(), rest=chunk)
            if marked.rest:
                self._file.seek(start + len(chunk) - len(marked.rest))
            return marked

    def _read(self) -> tuple[Terms, bytes]:
        """Read a chunk, and the defaults anew: requests that wait for their turn keep nothing large in memory."""
        place, defaults = self._file.tell(), None
        if self._defaults.stop:
            self._file.seek(self._defaults.start)
            defaults = self._file.read(len(self._defaults))
            self._file.seek(place)
        chunk = read_chunk(self._file, self._terms.longest, 1 if place < self._alone else CHUNK_BYTES)
        return replace(self._terms, defaults=defaults), chunk
