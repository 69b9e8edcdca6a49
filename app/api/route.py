"""The way of an operation: who asks, bytes, a checked core object, one core call, bytes.

The framework keeps what it is good at, paths and OpenAPI. At run time the body goes through `app.wire`, which is strict
where the framework converts, `Dispatcher` decides where the work is done, and the reply goes out as it is.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from functools import partial, wraps
from inspect import Parameter, Signature
from typing import Annotated, Any, cast

import orjson
from fastapi import Body, Path, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from app.access.admission import TOKEN, Access, Caller
from app.access.tokens import find_token
from app.api.media_types import MediaTypes, choose_media_types
from app.api.openapi import Responses, problems
from app.errors import BodyError, describe_error, name_key
from app.logs import current_request_id
from app.operations.operation import Operation
from app.record import note_facts
from app.settings import Settings
from app.wire.writing import encode
from app.work.computation import JSON_TYPE, Call, Reply, answer_problem
from app.work.dispatch import Dispatcher
from app.work.memory import Reservation, find_holder


def read_holder(request: Request) -> str:
    """Return who holds what a request does."""
    settings: Settings = request.app.state.settings
    return find_holder(request.scope, settings.client_header)


PIECE_BYTES = 256 * 1024  # replies are sent in pieces of at most this size

Endpoint = Callable[[Request, Caller, ExitStack], Awaitable[Reply | Response]]
"""Answers a request of somebody who is admitted; what enters the stack is kept until the reply is sent."""

Endpoints = dict[Endpoint, dict[str, Any]]
"""Functions that answer an operation of their name by themselves, each with further options of its route."""


class OperationRoute(APIRoute):
    """The route of an operation: of its handler, or of an endpoint where it is more than one core call.

    The framework reads what the handler takes for OpenAPI alone.
    """

    def __init__(
        self,
        operation: Operation,
        endpoint: Endpoint | None = None,
        *,
        responses: Responses | None = None,
        **options: Any,
    ) -> None:
        self.operation = operation
        self._endpoint = endpoint or self._call_handler
        self._fixed: Reply | None = None
        super().__init__(
            operation.path,
            _describe_parameters(operation, endpoint or operation.handler),
            name=operation.name,
            methods=[operation.method],
            tags=[operation.tag],
            response_model=operation.reply,
            responses=(responses or {}) | problems(*operation.problems),
            **options,
        )
        # past the framework's reading of parameters, for which there is nothing here to read
        self.app = self.answer

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        access: Access = request.app.state.access
        with ExitStack() as until_sent:
            try:
                caller = access.admit(request, self.operation.admits) if self.operation.admits else access.everybody
                reply = await self._endpoint(request, caller, until_sent)
            except BodyError as error:
                reply = answer_problem(describe_error(error), headers=error.headers)
            if isinstance(reply, Reply):
                note_facts(scope, reply.facts)
                await send_reply(reply, send)
            else:
                await reply(scope, receive, send)

    async def _call_handler(self, request: Request, caller: Caller, until_sent: ExitStack) -> Reply:
        if self.operation.body is None:
            if self._fixed is None:
                # without a body the reply is always the same: it is written once
                found = self.operation.run({"access": request.app.state.access})
                self._fixed = Reply(content=encode(found), media_type=JSON_TYPE)
            return self._fixed
        dispatcher: Dispatcher = request.app.state.dispatcher
        reservation = until_sent.enter_context(dispatcher.memory.open(read_holder(request)))
        call = await read_call(request, self.operation, caller, reservation)
        reply = await dispatcher.answer(self.operation, call, request.receive, reservation)
        # not every body says how large its reply will be: each place makes one too many at most
        reservation.reserve(len(call.raw) + len(reply.content))
        # the body is not needed any more, the reply until the client has taken it
        reservation.resize(len(reply.content))
        return reply


def _describe_parameters(operation: Operation, function: Any) -> Callable[..., Any]:
    """Return what the framework reads the parameters of an operation from; `OperationRoute.answer` answers."""
    parameter = partial(Parameter, kind=Parameter.KEYWORD_ONLY)
    found: list[Parameter] = []
    if operation.body is not None and issubclass(operation.body, BaseModel):
        for name, field in operation.body.model_fields.items():
            where = Path if f"{{{name}}}" in operation.path else Query
            kind: Any = field.annotation
            annotation = Annotated[kind, *field.metadata, where(description=field.description)]
            default = Parameter.empty if field.is_required() else field.default
            found.append(parameter(name, annotation=annotation, default=default))
    elif operation.body is not None:
        examples = Body(openapi_examples=dict(operation.examples))
        found.append(parameter("body", annotation=Annotated[operation.body, examples]))
    named = [one for name, one in operation.parameters.items() if f"{{{name}}}" in operation.path]
    found += [one.replace(kind=Parameter.KEYWORD_ONLY) for one in named]
    described: Any = wraps(function)(lambda: None)
    described.__signature__ = Signature(found)
    return cast("Callable[..., Any]", described)


async def read_call(request: Request, operation: Operation, caller: Caller, reservation: Reservation) -> Call:
    """Read what a request asks for; the body's bytes are counted in the reservation.

    A body without a key and without a valid token is 401, whatever else is wrong with it.
    """
    settings: Settings = request.app.state.settings
    if operation.method == "GET":
        if not caller.scopes:
            caller.tokens.open(request.query_params.get(TOKEN, ""))
        media_types = MediaTypes(JSON_TYPE, JSON_TYPE)
        raw: bytes | bytearray = _read_query(request)
    elif caller.scopes:
        media_types = choose_media_types(request)
        dispatcher: Dispatcher = request.app.state.dispatcher
        if place := dispatcher.find_place(operation, media_types.reads):
            place.require_room()
        raw = await _read_body(request, settings.max_body_bytes, reservation)
    else:
        raw = await _read_body(request, min(settings.max_keyless_bytes, settings.max_body_bytes), reservation)
        # nothing is told before it is known who asks
        caller.tokens.open(find_token(raw))
        media_types = choose_media_types(request)
    return Call(
        operation=operation.name,
        raw=raw,
        budget=settings.budget,
        limits=settings.limits,
        reads=media_types.reads,
        writes=media_types.writes,
        request_id=current_request_id.get(),
        caller=caller,
        path=request.path_params,
    )


def _read_query(request: Request) -> bytes:
    """Write the parameters of path and query as the JSON of a body."""
    found = [*request.path_params.items(), *request.query_params.multi_items()]
    for name, times in Counter(name for name, _ in found).items():
        if times > 1:
            message = f"{name_key([name])} stands {times} times in path and query; only one of the values could count"
            raise BodyError(422, "duplicate_key", message, path=(name,))
    return orjson.dumps(dict(found))


async def _read_body(request: Request, limit: int, reservation: Reservation) -> bytes | bytearray:
    raw: bytes | bytearray = b""
    async for chunk in stream_body(request, limit):
        reservation.grow(len(chunk))
        if not raw:
            raw = chunk
        elif isinstance(raw, bytearray):
            raw += chunk
        elif chunk:
            # joined at the end, a large body would hold everybody up for a moment
            raw = bytearray(raw + chunk)
    return raw


async def send_reply(reply: Reply, send: Send) -> None:
    """Send a reply in pieces of at most `PIECE_BYTES`."""
    headers = [
        (b"content-length", b"%d" % len(reply.content)),
        (b"content-type", reply.media_type.encode("ascii")),
        *((name.lower().encode("ascii"), value.encode("ascii")) for name, value in reply.headers.items()),
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    content, sent = reply.content, 0
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


async def stream_body(request: Request, limit: int) -> AsyncIterator[bytes]:
    """Read a body piece by piece: 413 past the limit in bytes, 400 for half a body, or the connection's refusal."""
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
    """Return the error for a body over the limit in bytes."""
    return BodyError(413, "too_large", f"the body has more than {limit} bytes, the most that is read here")
