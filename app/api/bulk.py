"""Marking many submissions at once: lines of JSON in, lines of JSON out."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, BinaryIO, cast

from anyio import move_on_after
from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.access.admission import Caller
from app.api.media_types import LINES_TYPE, LINES_TYPES, require_media_type
from app.api.openapi import Responses
from app.api.route import PIECE_BYTES, Endpoints, read_holder, stream_body
from app.errors import stopping
from app.examples import BULK
from app.logs import current_request_id
from app.marking.bulk import Bulk
from app.marking.chunks import MarkedChunk, Refusal, Terms
from app.marking.replies import write_end, write_summary
from app.record import Facts, facts_of, note_facts
from app.settings import Settings
from app.work.computation import Reply, answer_problem
from app.work.dispatch import Dispatcher
from app.work.memory import Reservation
from app.work.queue import BusyError

logger = logging.getLogger("gradmark")

LAST_LINE_SECONDS = 0.4
"""For a client to take the line that says that the service stops; the server waits for little longer."""

IN_MEMORY = 1024 * 1024  # a bulk request up to this size never sees the disk

REPLY_BYTES = 1024 * 1024  # what the reply to a bulk request holds of the memory budget at least: a chunk's replies

LINES_BODY = {
    LINES_TYPE: {"schema": {"type": "string"}, "examples": BULK},
    # the only form of lines that generators of clients know
    "application/octet-stream": {
        "schema": {"type": "string", "format": "binary", "description": f"The same lines as {LINES_TYPE}, as bytes."}
    },
}
LINES_REPLIES: Responses = {
    200: {
        "description": "A line for each line, and a summary",
        "content": {LINES_TYPE: {"schema": {"type": "string"}}},
    }
}


async def grade_lines(request: Request, caller: Caller, until_sent: ExitStack) -> "Reply | LinesResponse":
    """Mark many submissions: lines of JSON in, lines of JSON out, in order.

    Each line is the body of a grade request. The first may instead be `{"defaults": {…}}`: what the others
    leave out. The reply has a line for each, `{"index", "grade"}` or `{"index", "problem"}`, and the last
    is `{"summary"}`, with counts by verdict and mistake. It starts when the whole request has been read.
    A line may have an `id`, which is text: it comes back beside the index.
    """
    require_media_type(request, LINES_TYPES)
    settings: Settings = request.app.state.settings
    dispatcher: Dispatcher = request.app.state.dispatcher
    # rather than when everything has been sent; then it is looked at once more
    dispatcher.bulk.require_room()
    # replying while still reading deadlocks clients that write first and read afterwards
    spooled = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - it is closed when the reply is sent
    file = cast("BinaryIO", until_sent.enter_context(spooled))
    await _fill(file, request, until_sent)
    file.seek(0)
    terms = Terms(
        caller=caller,
        budget=settings.budget,
        limits=settings.limits,
        longest=settings.max_body_bytes,
        request_id=current_request_id.get(),
    )
    reservation = until_sent.enter_context(dispatcher.memory.open(read_holder(request)))
    reservation.grow(REPLY_BYTES)

    def run(function: Callable[..., Any], *arguments: object) -> Any:
        found = dispatcher.run_chunk(function, *arguments)
        if isinstance(found, MarkedChunk):
            # a line alone may be answered by many megabytes; where there is no room for them, it is answered by 503
            reservation.reserve(len(found.reply))
        return found

    bulk = Bulk(file, terms, run)
    first = await dispatcher.take_turn(request.receive, bulk.begin)
    if isinstance(first, Refusal):
        return answer_problem(first.document, headers=first.headers)
    note_facts(request.scope, Facts(marks=bulk.summary))
    return LinesResponse(_write(first, bulk, dispatcher, reservation), request.scope)


class LinesResponse(StreamingResponse):
    """Lines, the last of which says so where the service stops before all are written."""

    def __init__(self, lines: AsyncIterator[bytes], scope: Scope) -> None:
        super().__init__(lines, media_type=LINES_TYPE)
        self._scope, self._has_left = scope, False

    async def listen_for_disconnect(self, receive: Receive) -> None:
        """Return when the client has left, which cancels the reply as a stop of the service does."""
        await super().listen_for_disconnect(receive)
        self._has_left = True

    async def stream_response(self, send: Send) -> None:
        """Send piece by piece, until this is cancelled."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        end = b"\n"
        try:
            async for piece in self.body_iterator:
                end = cast("bytes", piece)[-1:] or end
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except asyncio.CancelledError:
            note_facts(self._scope, replace(facts_of(self._scope), is_cut=True))
            if not self._has_left:
                # a line that is sent in part stays one by itself
                last = write_end(stopping()) if end == b"\n" else b"\n" + write_end(stopping())
                with move_on_after(LAST_LINE_SECONDS, shield=True):
                    await send({"type": "http.response.body", "body": last, "more_body": False})
            raise
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _write(
    replies: bytes | None, bulk: Bulk, dispatcher: Dispatcher, reservation: Reservation
) -> AsyncIterator[bytes]:
    """Write the reply: the first replies to lines, those of the next turns, and the summary."""
    while replies is not None:
        # a line alone may have many megabytes, and while a socket takes them nobody else is answered
        rest = memoryview(replies)
        for start in range(0, len(rest), PIECE_BYTES):
            yield bytes(rest[start : start + PIECE_BYTES])
        reservation.resize(REPLY_BYTES)
        replies = await dispatcher.take_turn(None, bulk.mark_next)
    yield write_summary(bulk.summary)


async def _fill(file: BinaryIO, request: Request, until_sent: ExitStack) -> None:
    settings: Settings = request.app.state.settings
    dispatcher: Dispatcher = request.app.state.dispatcher
    holder = read_holder(request)
    in_memory = until_sent.enter_context(dispatcher.memory.open(holder))
    in_file = until_sent.enter_context(dispatcher.spool.open(holder))
    size = 0
    async for chunk in stream_body(request, settings.max_bulk_bytes):
        size += len(chunk)
        in_file.grow(len(chunk))
        if size <= IN_MEMORY:
            in_memory.grow(len(chunk))
            file.write(chunk)
            continue
        in_memory.release()
        try:
            await run_in_threadpool(file.write, chunk)
        except OSError:
            logger.exception(
                "a bulk request cannot be kept in a temporary file: needed a writable /tmp with room in it"
            )
            raise BusyError(
                "busy_disk",
                f"found no room for the request's {size} bytes in temporary files; try again later, or with at most "
                f"{IN_MEMORY} bytes, and if it stays so, have whoever runs the service look into its log",
            ) from None


ENDPOINTS: Endpoints = {
    grade_lines: {
        "response_class": StreamingResponse,
        "responses": LINES_REPLIES,
        "openapi_extra": {"requestBody": {"required": True, "content": LINES_BODY}},
    }
}
