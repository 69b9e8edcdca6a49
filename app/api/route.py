"""The way of every computation: bytes, a checked core object, one core call, bytes.

The route keeps FastAPI's reading of the handler's signature, and so OpenAPI, and replaces what happens at
run time: the body becomes the handler's first argument through `app.wire`, which is strict where the
framework converts, `Placement` decides where the work is done, and the reply goes out as it is.
"""

from collections.abc import AsyncIterator, Callable
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, cast

from asgi_correlation_id import correlation_id
from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.types import Receive, Scope, Send

from app.access import Caller, find_token
from app.api.media_types import choose_forms
from app.api.openapi import TENSOR_FORMS
from app.api.scopes import named_scopes
from app.errors import BodyError, describe_error
from app.record import record_of
from app.settings import Settings
from app.wire import encode
from app.work.computation import JSON_TYPE, Answer, Call, Computation, answer_problem
from app.work.memory import Share
from core.budget import Budget

if TYPE_CHECKING:
    # its processes look up computations on the routes
    from app.work.dispatch import Placement


def read_budget(request: Request) -> Budget:
    """Return what one request may hold and do."""
    settings: Settings = request.app.state.settings
    return settings.budget


PIECE_BYTES = 256 * 1024
"""Replies are sent in pieces of at most this size."""

# the route reads the budget itself; the dependency tells OpenAPI that it is no part of the body
RequestBudget = Annotated[Budget, Depends(read_budget)]


class JsonRoute(APIRoute):
    """A route whose handler takes what `Computation` says, or nothing, and returns what `wire.encode` writes.

    Bodies and replies of the former are JSON, or binary where a client says so.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        has_body = options.get("methods") == ["POST"]
        super().__init__(path, endpoint, **options | ({"openapi_extra": TENSOR_FORMS} if has_body else {}))
        self.computation: Computation | None = None
        if self.body_field is not None:
            body_class = cast("type", self.body_field.field_info.annotation)
            self.computation = Computation(
                self.name, TypeAdapter(body_class), endpoint, is_estimated=hasattr(body_class, "work")
            )
        self.admitted = named_scopes(self.dependencies)
        # past the framework's reading of parameters, for which there is nothing here to read
        self.app = self.answer

    @cached_property
    def fixed(self) -> Answer:
        """What a handler that takes nothing returns, always the same, written once."""
        return Answer(content=encode(self.endpoint()), media_type=JSON_TYPE)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request.

        Parameters
        ----------
        scope, receive, send
            As ASGI has them.
        """
        request = Request(scope, receive)
        placement: Placement = request.app.state.placement
        with placement.held_reply_bytes.share() as reply:
            try:
                found = await self._find_answer(request, placement, reply)
            except BodyError as error:
                found = answer_problem(describe_error(error), headers=error.headers)
            record_of(scope).facts = found.facts
            if self.computation is not None:
                # until the client has taken it; what is the same for all is there once
                reply.become(len(found.content))
            await send_answer(found, send)

    async def _find_answer(self, request: Request, placement: "Placement", reply: Share) -> Answer:
        caller = request.app.state.access.admit(request, self.admitted)
        if self.computation is None:
            return self.fixed
        with placement.held_bytes.share() as share:
            call = await read_call(request, self.computation, caller, share)
            found = await placement.answer(self.computation, call, request.receive, reply)
            # not every body says how large its reply will be: each place makes one too many at most
            reply.expect(len(found.content))
            return found


async def read_call(request: Request, computation: Computation, caller: Caller, share: Share) -> Call:
    """Read what a request asks for.

    Parameters
    ----------
    share : Share
        Where the body's bytes are counted.

    Raises
    ------
    AccessError
        401 for somebody without a key in whose body there is no valid token, whatever else is wrong with it.
    BodyError
        406 where no form of the reply is acceptable; 415 for another media type, charset or content coding; 413
        past the limit, which is lower without a key; 400 and 408 for a body that does not arrive; 503 where there
        is no room for it.
    """
    settings: Settings = request.app.state.settings
    if caller.scopes:
        forms = choose_forms(request)
        placement: Placement = request.app.state.placement
        placement.require_room(computation, forms.reads)
        raw = await _read_body(request, settings.max_body_bytes, share)
    else:
        raw = await _read_body(request, min(settings.max_keyless_bytes, settings.max_body_bytes), share)
        # nothing is told before it is known who asks
        caller.tokens.open(find_token(raw))
        forms = choose_forms(request)
    return Call(
        computation=computation.name,
        raw=raw,
        budget=settings.budget,
        limits=settings.limits,
        reads=forms.reads,
        writes=forms.writes,
        request_id=correlation_id.get() or "",
        caller=caller,
        path=request.path_params,
    )


async def _read_body(request: Request, limit: int, share: Share) -> bytes | bytearray:
    raw: bytes | bytearray = b""
    async for chunk in stream_body(request, limit):
        share.add(len(chunk))
        if not raw:
            raw = chunk
        elif isinstance(raw, bytearray):
            raw += chunk
        elif chunk:
            # joined at the end, a large body would hold everybody up for a moment
            raw = bytearray(raw + chunk)
    return raw


async def send_answer(answer: Answer, send: Send) -> None:
    """Send a reply.

    Parameters
    ----------
    send : callable
        As ASGI has it.
    """
    headers = [
        (b"content-length", b"%d" % len(answer.content)),
        (b"content-type", answer.media_type.encode("ascii")),
        *((name.lower().encode("ascii"), value.encode("ascii")) for name, value in answer.headers.items()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    content, sent = answer.content, 0
    if len(content) > PIECE_BYTES:
        # a socket takes megabytes at once, and nobody else is answered meanwhile
        rest = memoryview(content)
        while len(rest) - sent > PIECE_BYTES:
            await send(
                {"type": "http.response.body", "body": bytes(rest[sent : sent + PIECE_BYTES]), "more_body": True}
            )
            sent += PIECE_BYTES
        content = bytes(rest[sent:])
    await send({"type": "http.response.body", "body": content})


def json_response(content: bytes) -> Response:
    """Wrap encoded JSON."""
    return Response(content, media_type="application/json")


async def stream_body(request: Request, limit: int) -> AsyncIterator[bytes]:
    """Read a body piece by piece, within a limit.

    Parameters
    ----------
    limit : int
        In bytes.

    Raises
    ------
    BodyError
        413 past the limit; 400 for half a body; what the connection refuses it for.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise too_large(limit)
    size, more = 0, True
    while more:
        message = await request.receive()
        # the connection says so where it has had enough: see app.serving
        if refusal := request.scope.get("state", {}).get("refusal"):
            raise refusal
        if message["type"] == "http.disconnect":
            raise BodyError(400, "incomplete", "the client left before the body was complete")
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        yield chunk


def too_large(limit: int) -> BodyError:
    """Return the error for a body over the limit.

    Parameters
    ----------
    limit : int
        In bytes.
    """
    return BodyError(413, "too_large", f"the body has more than {limit} bytes, the most that is read here")
