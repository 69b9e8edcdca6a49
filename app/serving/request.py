"""One request as the application sees it, and its reply as it goes out."""

import asyncio
import logging
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from starlette.types import ASGIApp, Message, Scope

from app.serving.refusals import OLD_VERSION, Headers

logger = logging.getLogger("gradmark")

# not everywhere
fcntl: Any = import_module("fcntl") if find_spec("fcntl") else None
termios: Any = import_module("termios") if find_spec("termios") else None

STATUS_LINES = {one.value: b"HTTP/1.1 %d %b" % (one.value, one.phrase.encode("ascii")) for one in HTTPStatus}

TCP_CLOSE = 7  # state of a Linux socket whose connection is over
RESET = struct.pack("ii", 1, 0)  # of SO_LINGER: what the client has not taken is thrown away


class Outlet:
    """The sending side of a connection: what the client has not taken, and for how long it has kept that waiting."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._socket = transport.get_extra_info("socket")
        self._written = self._taken = 0
        self._can_write = asyncio.Event()
        self._can_write.set()
        # seconds, less those that the client has earned by taking something
        self.kept_waiting = 0.0
        # the protocol's, as the transport calls them
        self.pause_writing = self._can_write.clear
        self.resume_writing = self._can_write.set

    def write(self, data: bytes) -> None:
        """Write; nothing where the client has left."""
        if not self._transport.is_closing():
            self._written += len(data)
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait until there is room for more."""
        if not self._can_write.is_set():
            await self._can_write.wait()

    def count_unread(self) -> int:
        """Count the bytes that the client's system has not confirmed: those here, and those in the kernel."""
        unread: int = self._transport.get_write_buffer_size()
        if self._taken != self._written:
            with suppress(AttributeError, OSError):
                queued = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4))
                unread += int.from_bytes(queued, sys.byteorder)
                if (
                    sys.platform == "linux"
                    and self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE
                ):
                    # reset by the client after its end of the connection, which the loop does not hear of
                    return 0
        return unread

    def watch(self, seconds: float, rate: float) -> None:
        """Count time that has passed; `rate` bytes that the client has taken earn it a second."""
        if self._taken == self._written:
            return
        taken = self._written - self.count_unread()
        if taken == self._written:
            self.kept_waiting = 0.0
        else:
            # what it takes at once makes up for the time before it, not for silence after it
            self.kept_waiting = max(0.0, self.kept_waiting + seconds - (taken - self._taken) / rate)
        self._taken = taken

    def reset(self) -> None:
        """End the connection at once: closed, the kernel would keep what is unread for minutes."""
        if self.count_unread():
            with suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._transport.abort()


@dataclass(slots=True, eq=False)
class Request:
    """A request that the application answers."""

    scope: Scope
    outlet: Outlet
    headers: Headers  # of every reply
    keeps: bool  # whether the connection is kept after the reply
    expects: bool  # whether the client sends the body only when it is told to go on
    read_on: Callable[[], None]  # called when a piece of the body has been taken
    end: Callable[["Request"], None]  # called when the reply is complete
    body: bytearray = field(default_factory=bytearray)  # what has come of it and is not taken yet
    is_whole: bool = False
    has_left: bool = False
    has_begun: bool = False
    is_answered: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _head: bytes = b""  # of a reply whose length is known: it goes out with the beginning of the body
    _is_chunked: bool = False
    _owed: int = 0  # bytes that the head has promised; below 0 where it says nothing of them

    def wake(self) -> None:
        """Tell the application that there is something to receive."""
        self._news.set()

    def leave(self) -> None:
        """Tell the application that the client has left."""
        self.has_left = True
        self._news.set()

    async def run(self, app: ASGIApp) -> None:
        """Have the request answered."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception:
            # `Watch` answers every other bug
            logger.exception("a reply could not be sent")
        if not (self.is_answered or self.has_left):
            self.outlet.reset()

    async def receive(self) -> Message:
        """Receive a piece of the body, or that the client has left."""
        if self.expects and not self.has_begun:
            self.outlet.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.expects = False
        if not (self.has_left or self.is_answered):
            await self._news.wait()
            self._news.clear()
        if self.has_left or self.is_answered:
            return {"type": "http.disconnect"}
        body, self.body = bytes(self.body), bytearray()
        self.read_on()
        return {"type": "http.request", "body": body, "more_body": not self.is_whole}

    async def send(self, message: Message) -> None:
        """Send a piece of the reply; the first is its head."""
        await self.outlet.drain()
        if self.has_left:
            return
        if not self.has_begun:
            self.has_begun = True
            self._head = self._write_head(message["status"], message.get("headers", ()))
            if self._owed < 0:
                self.outlet.write(self._head)
                self._head = b""
            return
        body, is_last = message.get("body", b""), not message.get("more_body", False)
        if self.scope["method"] == "HEAD":
            self.outlet.write(self._head)
        else:
            self._send_body(body, is_last=is_last)
        self._head = b""
        if is_last:
            self.is_answered = True
            self._news.set()
            self.end(self)

    def _write_head(self, status: int, headers: Headers) -> bytes:
        names = {name for name, _ in headers}
        lines = [STATUS_LINES[status], *(b"%b: %b" % header for header in (*self.headers, *headers))]
        if b"content-length" in names:
            self._owed = next(int(value) for name, value in headers if name == b"content-length")
        elif self.scope["method"] != "HEAD" and status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            # an old client reads to the end of the connection
            self._is_chunked = self.scope["http_version"] != OLD_VERSION
            self._owed = -1
            if self._is_chunked:
                lines.append(b"transfer-encoding: chunked")
        if not self.keeps:
            lines.append(b"connection: close")
        head = b"\r\n".join((*lines, b"", b""))
        if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1:
            raise ValueError("a header holds the end of a line")
        return head

    def _send_body(self, body: bytes, *, is_last: bool) -> None:
        if self._is_chunked:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            self.outlet.write(chunk + b"0\r\n\r\n" if is_last else chunk)
            return
        if self._owed >= 0:
            self._owed -= len(body)
            if self._owed < 0 or (is_last and self._owed):
                raise ValueError("a reply's body has another length than its head says")
        self.outlet.write(self._head + body if self._head else body)
