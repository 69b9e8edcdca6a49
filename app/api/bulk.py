"""Marking many submissions at once: lines of JSON in, lines of JSON out."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Annotated, Any, BinaryIO, cast

from anyio import move_on_after, to_thread
from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Send

from app.api.admission import RequestCaller
from app.api.media_types import LINES_TYPES, require_media_type
from app.api.openapi import Responses
from app.api.route import PIECE_BYTES, Endpoints, read_budget, stream_body
from app.errors import stopping
from app.examples import BULK
from app.marking import MEDIA_TYPE, Bulk, DefaultsError, ProcessAside, answer_line
from app.marking.replies import write_refusal
from app.record import record_of
from app.settings import Settings
from app.work.computation import Reply
from app.work.dispatch import PROCESS_BYTES, Dispatcher
from app.work.memory import Reservation, find_holder
from app.work.queue import BusyError

logger = logging.getLogger("gradmark")

LAST_LINE_SECONDS = 0.4
"""For a client to take the line that says that the service stops; the server waits for little longer."""

IN_MEMORY = 1024 * 1024
"""A bulk request up to this size never sees the disk."""

LINES_BODY = {
    MEDIA_TYPE: {"schema": {"type": "string"}, "examples": BULK},
    # the only form of lines that generators of clients know
    "application/octet-stream": {
        "schema": {"type": "string", "format": "binary", "description": f"The same lines as {MEDIA_TYPE}, as bytes."}
    },
}
LINES_REPLIES: Responses = {
    200: {
        "description": "A line for each line, and a summary",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}


async def hold_until_sent() -> AsyncIterator[AsyncExitStack]:
    """Yield a stack that is closed when the reply has been sent, or the client has left."""
    async with AsyncExitStack() as stack:
        yield stack


UntilSent = Annotated[AsyncExitStack, Depends(hold_until_sent, scope="request")]


async def grade_lines(request: Request, caller: RequestCaller, until_sent: UntilSent) -> Response:
    """Mark many submissions: lines of JSON in, lines of JSON out, in order.

    Each line is the body of a grade request. The first may instead be `{"defaults": {…}}`: what the others
    leave out. The reply has a line for each, `{"index", "grade"}` or `{"index", "problem"}`, and the last
    is `{"summary"}`, with counts by verdict and mistake. It starts when the whole request has been read.
    A line may have an `id`, which is text: it comes back beside the index.
    """
    require_media_type(request, LINES_TYPES)
    settings: Settings = request.app.state.settings
    dispatcher: Dispatcher = request.app.state.dispatcher
    # rather than when everything has been sent
    dispatcher.require_room_for_bulk()
    # replying while still reading deadlocks clients that write first and read afterwards
    spooled = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - it is closed when the reply is sent
    file = cast("BinaryIO", until_sent.enter_context(spooled))
    await _fill(file, request, until_sent)
    await until_sent.enter_async_context(dispatcher.turn())
    file.seek(0)
    aside = ProcessAside(ask=lambda line: dispatcher.run_chunk(answer_line, line), from_bytes=PROCESS_BYTES)
    try:
        bulk = await run_in_threadpool(
            Bulk,
            file,
            caller=caller,
            budget=read_budget(request),
            limits=settings.limits,
            longest=settings.max_body_bytes,
            aside=aside if dispatcher.pool.is_started else None,
        )
    except DefaultsError as error:
        return _refuse(request, error.answer)
    record_of(request.scope).summary = bulk.summary
    reservation = until_sent.enter_context(dispatcher.memory.open(find_holder(request.scope)))
    return LinesResponse(_count(bulk.replies(), reservation), media_type=MEDIA_TYPE)


class LinesResponse(StreamingResponse):
    """Lines, the last of which says so where the service stops before all are written."""

    def __init__(self, pieces: Iterator[bytes], **options: Any) -> None:
        super().__init__((), **options)
        self._pieces = pieces

    async def stream_response(self, send: Send) -> None:
        """Send piece by piece; whoever stops the service cancels this."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        end = b"\n"
        try:
            # the framework would wait for a thread that is cancelled
            while (piece := await to_thread.run_sync(next, self._pieces, None, abandon_on_cancel=True)) is not None:
                end = piece[-1:] or end
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except asyncio.CancelledError:
            last = write_refusal(stopping()).ending.replace(b",", b"{", 1)
            # a line that is sent in part stays one by itself
            last = last if end == b"\n" else b"\n" + last
            with move_on_after(LAST_LINE_SECONDS, shield=True):
                await send({"type": "http.response.body", "body": last, "more_body": False})
            raise
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _refuse(request: Request, found: Reply) -> Response:
    record_of(request.scope).facts = found.facts
    return Response(bytes(found.content), found.status, media_type=found.media_type)


def _count(pieces: Iterator[bytes], reservation: Reservation) -> Iterator[bytes]:
    """Count each piece of a reply as long as it is sent; it is too late to refuse one."""
    for piece in pieces:
        reservation.resize(len(piece))
        # a line alone may have many megabytes, and while a socket takes them nobody else is answered
        for start in range(0, max(1, len(piece)), PIECE_BYTES):
            yield piece[start : start + PIECE_BYTES]


async def _fill(file: BinaryIO, request: Request, until_sent: AsyncExitStack) -> None:
    settings: Settings = request.app.state.settings
    dispatcher: Dispatcher = request.app.state.dispatcher
    holder = find_holder(request.scope)
    in_memory = until_sent.enter_context(dispatcher.memory.open(holder))
    in_file = until_sent.enter_context(dispatcher.spool.open(holder))
    size = 0
    async for chunk in stream_body(request, settings.max_bulk_bytes):
        size += len(chunk)
        in_file.grow(len(chunk))
        if size <= IN_MEMORY:
            in_memory.grow(len(chunk))
        else:
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
