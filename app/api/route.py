"""The way of most operations: bytes, a checked core object, one core call, bytes.

The framework keeps what it is good at, paths and OpenAPI. At run time the body goes through `app.wire`, which is strict
where the framework converts, `Placement` decides where the work is done, and the reply goes out as it is.
"""

from collections.abc import AsyncIterator, Callable
from functools import cached_property, wraps
from inspect import Parameter, Signature
from typing import Annotated, Any, cast

from asgi_correlation_id import correlation_id
from fastapi import Body, Path, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from app.access import Caller, find_token
from app.api.media_types import choose_forms
from app.api.openapi import TENSOR_FORMS, problems
from app.errors import BodyError, describe_error
from app.operations import Operation
from app.record import record_of
from app.settings import Settings
from app.wire import encode
from app.work.computation import JSON_TYPE, Answer, Call, answer_problem
from app.work.dispatch import Placement
from app.work.memory import Share
from core.budget import Budget


def read_budget(request: Request) -> Budget:
    """Return what one request may hold and do."""
    settings: Settings = request.app.state.settings
    return settings.budget


PIECE_BYTES = 256 * 1024
"""Replies are sent in pieces of at most this size."""

Endpoints = dict[str, dict[str, Any]]
"""Options of a route whose endpoint answers by itself, by the name of the operation."""


class OperationRoute(APIRoute):
    """The route of an operation whose handler takes a checked body, or nothing.

    The framework reads what the handler takes for OpenAPI alone. Bodies and replies are JSON, or binary where a
    client says so.
    """

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        super().__init__(
            operation.path,
            _make_endpoint(operation),
            name=operation.name,
            methods=[operation.method],
            tags=[operation.tag],
            response_model=operation.reply,
            responses=problems(*operation.problems),
            openapi_extra=TENSOR_FORMS if operation.body else None,
        )
        # past the framework's reading of parameters, for which there is nothing here to read
        self.app = self.answer

    @cached_property
    def fixed(self) -> Answer:
        """What a handler that takes nothing returns, always the same, written once."""
        return Answer(content=encode(self.operation.run({})), media_type=JSON_TYPE)

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
            if self.operation.body is not None:
                # until the client has taken it; what is the same for all is there once
                reply.become(len(found.content))
            await send_answer(found, send)

    async def _find_answer(self, request: Request, placement: Placement, reply: Share) -> Answer:
        caller = request.app.state.access.admit(request, self.operation.admits)
        if self.operation.body is None:
            return self.fixed
        with placement.held_bytes.share() as share:
            call = await read_call(request, self.operation, caller, share)
            found = await placement.answer(self.operation, call, request.receive, reply)
            # not every body says how large its reply will be: each place makes one too many at most
            reply.expect(len(found.content))
            return found


def _make_endpoint(operation: Operation) -> Callable[..., Any]:
    """Return what the framework reads the parameters of an operation from; `OperationRoute.answer` answers."""
    found: dict[str, Any] = {}
    if operation.body is not None:
        found["body"] = Annotated[operation.body, Body(openapi_examples=dict(operation.examples))]
    for name, (annotation, description) in operation.path_parameters.items():
        found[name] = Annotated[annotation, Path(description=description)]
    endpoint: Any = wraps(operation.run)(lambda: None)
    endpoint.__signature__ = Signature(
        [Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation) for name, annotation in found.items()]
    )
    return cast("Callable[..., Any]", endpoint)


async def read_call(request: Request, operation: Operation, caller: Caller, share: Share) -> Call:
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
        placement.require_room(operation, forms.reads)
        raw = await _read_body(request, settings.max_body_bytes, share)
    else:
        raw = await _read_body(request, min(settings.max_keyless_bytes, settings.max_body_bytes), share)
        # nothing is told before it is known who asks
        caller.tokens.open(find_token(raw))
        forms = choose_forms(request)
    return Call(
        operation=operation.name,
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
