"""The way of every JSON request: bytes, a checked core object, one core call, bytes.

The route keeps FastAPI's reading of the handler's signature, and so OpenAPI, and replaces what happens at
run time: the body becomes the handler's first argument through `wire.parse_body`, which is strict where
the framework converts, and the reply is written by `wire.encode`. Work runs in a thread, so that health
checks are answered meanwhile.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any, cast

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from app.errors import BodyError, answer_error, problem_response, write_problem
from app.settings import Settings
from app.wire import encode, parse_body
from core.budget import Budget
from core.errors import CoreError


def read_budget(request: Request) -> Budget:
    """Return what one request may hold and do.

    Parameters
    ----------
    request : Request

    Returns
    -------
    Budget
    """
    settings: Settings = request.app.state.settings
    return settings.budget


PARAMETERS = r'(\s*;\s*(charset="?utf-?8"?|(?!charset)[a-z0-9_-]+=[a-z0-9_./-]+))*\s*;?\s*'
JSON_TYPE = re.compile("application/json" + PARAMETERS, re.IGNORECASE)
LINES_TYPE = re.compile("application/(jsonl|x-ndjson)" + PARAMETERS, re.IGNORECASE)

# the route reads the budget itself; the dependency tells OpenAPI that it is no part of the body
RequestBudget = Annotated[Budget, Depends(read_budget)]


class JsonRoute(APIRoute):
    """A route whose handler takes ``(body, budget)``, or nothing, and returns what `wire.encode` writes."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        if self.body_field is None:

            async def answer_plain(request: Request) -> Response:
                return json_response(encode(self.endpoint()))

            return answer_plain
        adapter: TypeAdapter[Any] = TypeAdapter(cast("type", self.body_field.field_info.annotation))

        def compute(raw: bytes, budget: Budget) -> Response:
            try:
                body = parse_body(adapter, raw, most_values=budget.numbers)
                return json_response(encode(self.endpoint(body, budget)))
            except (BodyError, CoreError, ValidationError) as error:
                # answered here and not by the application: a long list of errors is work for a thread, too
                return answer_error(error)

        async def answer(request: Request) -> Response:
            try:
                return await run_in_threadpool(compute, await read_body(request), read_budget(request))
            except asyncio.CancelledError:
                # only a server that stops cancels a request, when its time to finish is over
                return problem_response(
                    write_problem(503, [], detail="the service is stopping"), headers={"Retry-After": "1"}
                )

        return answer


def json_response(content: bytes) -> Response:
    """Wrap encoded JSON.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    Response
    """
    return Response(content, media_type="application/json")


async def read_body(request: Request) -> bytes:
    """Read a JSON body, of the right media type and within the limit.

    Parameters
    ----------
    request : Request

    Returns
    -------
    bytes

    Raises
    ------
    BodyError
        415 for another media type, charset or content coding; 413 past the limit; 400 for half a body.
    """
    require_media_type(request, JSON_TYPE, "application/json")
    settings: Settings = request.app.state.settings
    return b"".join([chunk async for chunk in stream_body(request, settings.max_body_bytes)])


async def stream_body(request: Request, limit: int) -> AsyncIterator[bytes]:
    """Read a body piece by piece, within a limit.

    Parameters
    ----------
    request : Request
    limit : int
        In bytes.

    Yields
    ------
    bytes

    Raises
    ------
    BodyError
        413 past the limit; 400 for half a body.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise too_large(limit)
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise too_large(limit)
            yield chunk
    except ClientDisconnect:
        raise BodyError(400, "incomplete", "the client left before the body was complete") from None


def require_media_type(request: Request, pattern: re.Pattern[str], needed: str) -> None:
    """Check that a body says it is plain UTF-8 of the right media type.

    Parameters
    ----------
    request : Request
    pattern : Pattern
        Of the media types that are read.
    needed : str
        The media type, for the message.

    Raises
    ------
    BodyError
        415 if it does not.
    """
    if not pattern.fullmatch(request.headers.get("content-type", "")):
        raise BodyError(415, "media_type", f"the body has to be sent with Content-Type: {needed}, in UTF-8")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise BodyError(415, "content_encoding", "the body is compressed; it has to be sent as it is")


def too_large(limit: int) -> BodyError:
    """Return the error for a body over the limit.

    Parameters
    ----------
    limit : int
        In bytes.

    Returns
    -------
    BodyError
    """
    return BodyError(413, "too_large", f"the body has more than {limit} bytes, the most that is read here")
