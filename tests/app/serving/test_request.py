"""How replies are framed, whatever the application does: none that is not whole is taken for whole."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from app.serving.guard import Connection, Connections
from app.serving.refusals import Overload
from app.settings import Settings
from app.work.queue import Slots
from tests.support.sockets import HEAD

pytestmark = pytest.mark.anyio

NOBODY = Overload(lambda scope: None, lambda route, method, error: None)


@asynccontextmanager
async def serving(
    app: ASGIApp, overload: Overload = NOBODY
) -> AsyncIterator[Callable[..., Coroutine[Any, Any, bytes]]]:
    """Yield a function that sends bytes and reads until the server closes."""
    connections = Connections(app, Settings.model_construct(), overload)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(connections), "127.0.0.1", 0)

    async def ask(sent: bytes = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") -> bytes:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(sent)
        try:
            return await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()

    async with server:
        yield ask


def reply(*pieces: bytes, status: int = 200, **headers: bytes) -> ASGIApp:
    """Return an application that sends this."""

    async def send_pieces(scope: Scope, receive: Receive, send: Send) -> None:
        written = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": written})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return send_pieces


async def test_a_reply_of_unknown_length_is_chunked() -> None:
    async with serving(reply(b"one", b"", b"two")) as ask:
        head, _, body = (await ask()).partition(b"\r\n\r\n")
    assert b"\r\ntransfer-encoding: chunked" in head
    assert body == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


async def test_to_an_old_client_it_ends_with_the_connection() -> None:
    async with serving(reply(b"one", b"two")) as ask:
        head, _, body = (await ask(b"GET / HTTP/1.0\r\n\r\n")).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body == b"onetwo"


async def test_a_reply_says_once_how_long_it_is() -> None:
    async with serving(reply(b"one", content_length=b"3")) as ask:
        head, _, body = (await ask()).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert body == b"one"


@pytest.mark.parametrize("status", [204, 304])
async def test_a_reply_that_has_no_body_says_nothing_of_one(status: int) -> None:
    async with serving(reply(status=status)) as ask:
        received = await ask()
    assert received.endswith(b"\r\nconnection: close\r\n\r\n")
    assert b"transfer-encoding" not in received


async def raise_bug(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError


async def say_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    pass


BROKEN = {
    "longer than it says": reply(b"one", content_length=b"2"),
    "shorter than it says": reply(b"one", content_length=b"4"),
    "a line in a header": reply(b"one", x=b"y\r\nset-cookie: z"),
    "a bare line feed in a header": reply(b"one", x=b"y\nset-cookie: z"),
    "a bug": raise_bug,
    "nothing": say_nothing,
}


@pytest.mark.parametrize("app", BROKEN.values(), ids=BROKEN)
async def test_what_is_no_reply_is_not_taken_for_one(app: ASGIApp) -> None:
    async with serving(app) as ask:
        try:
            received = await ask()
        except ConnectionResetError:
            received = b""
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"set-cookie" not in received
    assert b"content-length: %d\r\n" % len(body) not in head + b"\r\n" or not body


async def test_who_leaves_is_told_to_the_application() -> None:
    told = asyncio.Event()

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        told.set()

    async with serving(wait) as ask:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(), 0.1)
        await asyncio.wait_for(told.wait(), 5)


@pytest.mark.parametrize(("version", "wish"), [(b"HTTP/1.1", b"close"), (b"HTTP/1.0", b"keep-alive")])
async def test_a_request_behind_one_that_is_refused_and_closes_is_not_answered(version: bytes, wish: bytes) -> None:
    full, left = Slots("a place", 1, max_waiting=0, queue_seconds=1), threading.Event()
    busy = asyncio.create_task(full.run(None, left.wait, 10))
    await asyncio.sleep(0)
    head = HEAD.replace(b"HTTP/1.1\r\n", version + b"\r\nConnection: " + wish + b"\r\n") % (b"/", b"text/plain", 2)
    async with serving(reply(b"one"), Overload(lambda scope: ("/", full), lambda route, method, error: None)) as ask:
        received = await ask(head + b"{}" + head + b"{}" + head)
    assert received.startswith(b"HTTP/1.1 503 ")
    assert received.count(b"HTTP/1.1 ") == 1
    left.set()
    await busy
    full.stop()
