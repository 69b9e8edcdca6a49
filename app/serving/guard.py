"""One connection: which requests are taken from it, how long its client is waited for, and how it ends.

It counts, and the server looks at the counts: a request costs no timer.
"""

import asyncio
import heapq
import math
from collections import Counter, deque
from contextlib import suppress
from enum import Enum, auto
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

import httptools
from starlette.types import ASGIApp, Scope

from app.errors import BodyError
from app.serving.refusals import (
    CLOSE,
    MAX_PIPELINED,
    MAX_TINY_CHUNKS,
    OLD_VERSION,
    TINY_BYTES,
    Overload,
    check_head,
    measure,
    refusal,
    write_refusal,
)
from app.serving.request import Outlet, Request
from app.settings import Settings

# not everywhere
resource: Any = import_module("resource") if find_spec("resource") else None

SPARE_FILES = 256  # beside connections: listeners, pipes to workers, temporary files of bulk requests
MAX_PARSED = 16_384  # bytes of a body in chunks in one round of the loop: with the smallest they take milliseconds
ROOM = 32  # where there are too many connections one of so many is closed: to look for them costs each little
MAX_BUFFERED = 65_536  # bytes of bodies that wait for the application; beyond, the connection is not read
# Of the connections held after a refusal each tick lets go one in so many, but at least so many: all at once would
# delay health. With 400 clients that retry at once, refusing then takes 1 % of the time of a core.
HELD_TICKS, LEAST_LET_GO = 10, 32
# for a client to end the connection after its last reply: closed while it still sends, it would lose the reply
LINGER_SECONDS = 2.0


class Phase(Enum):
    """What a connection is waiting for."""

    SILENT = auto()  # the first byte of a request's head
    HEAD = auto()
    BODY = auto()
    REST = auto()  # the end of a body that has been answered already
    DONE = auto()  # nothing: the request is complete; once it is answered, the next one
    DEAF = auto()  # the end of the connection: what still comes is not read


class Connections:
    """The connections of a server, and what they share."""

    def __init__(self, app: ASGIApp, settings: Settings, overload: Overload) -> None:
        self.app, self.settings, self.overload = app, settings, overload
        self.most = int(min(settings.max_connections, max(1, raise_file_limit() - SPARE_FILES)))
        self.connections: set[Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.is_draining = False
        # how many clients were refused or given up without a request, by reason
        self.turned_away: Counter[str] = Counter()
        # the headers of every reply: the date
        self.headers: list[tuple[bytes, bytes]] = []
        # those that were refused for want of room, and are not read for a moment
        self.held: list[Connection] = []

    def make_room(self, newcomer: "Connection") -> None:
        """Where there are too many, close those that have kept the service waiting longest, or else the newcomer."""
        if len(self.connections) <= self.most:
            return
        waited_for = [one for one in self.connections if one is not newcomer and one.kept_waiting is not None]
        longest = heapq.nlargest(max(1, self.most // ROOM), waited_for, key=lambda one: one.kept_waiting or 0.0)
        for connection in longest or [newcomer]:
            connection.cut("no_room")

    def let_some_go(self) -> None:
        """Read on from those that were refused for want of room first."""
        self._let_go(max(LEAST_LET_GO, len(self.held) // HELD_TICKS))

    def let_all_go(self) -> None:
        """Read on from all of those that were refused for want of room."""
        self._let_go(len(self.held))

    def _let_go(self, count: int) -> None:
        held, self.held = self.held[:count], self.held[count:]
        for connection in held:
            connection.is_held = False
            connection.balance()


def raise_file_limit() -> float:
    """Let this process open as many files as it may; return how many, infinite where that is not known."""
    most = math.inf
    # other systems than Linux may have no such limit, or none that can be raised
    with suppress(AttributeError, OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        most = hard
    return most


class Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, shared: Connections) -> None:
        self._shared, self._settings = shared, shared.settings
        self._loop = asyncio.get_running_loop()
        self._open_parser()
        # those that are not answered yet: the first is worked on, the last may still be arriving
        self._requests: deque[Request] = deque()
        self.is_held = self._is_paused = self._is_fresh = self._is_quiet = False
        # what has come and is parsed in the loop's next round; None while nothing waits for that
        self._later: memoryview | None = None
        # what has come since the head at hand began
        self._seen = memoryview(b"")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet a client."""
        self.transport = cast("asyncio.Transport", transport)
        self._outlet = Outlet(self.transport)
        self.pause_writing, self.resume_writing = self._outlet.pause_writing, self._outlet.resume_writing  # type: ignore[method-assign]
        names = (transport.get_extra_info(name) for name in ("sockname", "peername"))
        self._server, self._client = (name[:2] if name else None for name in names)
        self._begin(Phase.SILENT)
        self._shared.connections.add(self)
        self._shared.make_room(self)

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        if self.phase is Phase.DONE:
            self._begin(Phase.SILENT)
        self._read(memoryview(data))

    def _read(self, data: memoryview) -> None:
        # a body in chunks holds up nobody: one piece in each round of the loop
        while data and self.phase is not Phase.DEAF and self._later is None:
            most = MAX_PARSED
            if self.phase is Phase.SILENT or self.phase is Phase.HEAD:
                # as much as the head may still have: where it is not complete then, it has more
                most = self._settings.max_header_bytes - self._received
            if most <= 0:
                self.refuse(refusal("head", limits=self._settings))
                return
            self._feed(data[:most])
            data = data[most:]
            if self._chunks and (data or self.phase is Phase.BODY):
                self._later = data
        if self.phase is Phase.REST and self._later is None:
            # nor what nobody needs any more
            self._later = data
        if self._later is not None:
            self._loop.call_soon(self._read_on)
        self.balance()
        if self._shared.is_draining and not self._later:
            # the last of those that have come
            self.end_after_reply()

    def _read_on(self) -> None:
        data, self._later = self._later, None
        if data:
            self._read(data)
        else:
            self.balance()

    def eof_received(self) -> bool:
        """Take it that a client has left that sends no more; keep what it has not taken under watch."""
        self._forget()
        self._is_quiet = True
        return self._outlet.count_unread() > 0

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - a protocol's method gets it
        """Forget a client that has left."""
        self._shared.connections.discard(self)
        self._forget()
        self._outlet.resume_writing()

    def _forget(self) -> None:
        """Tell the request that is being answered that its client has left; forget all that is behind it."""
        self.phase = Phase.DEAF
        if self._requests:
            self._requests[0].leave()
            self._requests.clear()

    def balance(self) -> None:
        """Read on, unless much waits for its turn: that a client has left is heard at the end of what it sent."""
        is_full = sum(len(request.body) for request in self._requests) > MAX_BUFFERED
        pauses = is_full or self.is_held or self._later is not None
        if pauses is not self._is_paused:
            self._is_paused = pauses
            # it may have been closed meanwhile
            with suppress(RuntimeError):
                (self.transport.pause_reading if pauses else self.transport.resume_reading)()

    # what the parser finds

    def _begin(self, phase: Phase) -> None:
        self.phase = phase
        self._is_counted = True
        self._waited = 0.0
        self._received = self._credited = self._content = self._chunks = self._tiny = self._chunk_start = 0

    def _feed(self, data: memoryview) -> None:
        self._seen = data if self.phase is not Phase.HEAD else memoryview(bytes(self._seen) + data)
        if self.phase is not Phase.DONE:
            self._received += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            # what the methods below raise
            cause = error.__context__
            if self._is_fresh:
                self._start(self._requests[0])
            self.refuse(cause if isinstance(cause, BodyError) else refusal("syntax", error))
            return
        if self._is_fresh:
            self._refuse_or_start(self._requests[0])
        overhead = self._received - self._content - TINY_BYTES * self._chunks
        # where there are no chunks, it is what follows the request
        is_of_body = self._chunks or self.phase is Phase.BODY or self.phase is Phase.REST
        if is_of_body and overhead > 2 * self._settings.max_header_bytes and self.phase is not Phase.DEAF:
            self.refuse(refusal("around", limits=self._settings))

    def _open_parser(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        # what follows the last request is passed over, not an error
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def _parse(self, data: bytes | memoryview) -> None:
        while True:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as wish:
                # ignored, and hidden from a new parser: this one takes what follows for another protocol
                version = self._parser.get_http_version().encode("ascii")
                lines = [b"%b: %b" % header for header in self._headers if header[0] != b"upgrade"]
                start = b"%b %b HTTP/%b" % (self._parser.get_method(), self._url, version)
                data = b"\r\n".join((start, *lines, b"", b"")) + data[wish.args[0] :]
                self._open_parser()
            else:
                return

    def on_message_begin(self) -> None:
        """Start a request's head."""
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        if self.phase is Phase.SILENT:
            self.phase = Phase.HEAD
        elif self.phase is not Phase.DEAF:
            # amid what was read: where exactly, the parser does not say
            self._begin(Phase.HEAD)
            self._is_counted = False

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request's target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Make it a request, unless it is refused for what its head is like."""
        if self.phase is Phase.DEAF:
            return
        parser, settings, headers = self._parser, self._settings, self._headers
        method, version = parser.get_method(), parser.get_http_version()
        if len(self._requests) >= MAX_PIPELINED:
            raise refusal("pipelined")
        check_head(version, method, headers)
        # the parser takes them as well, and does not say so
        seen = b"\n" + bytes(self._seen)
        if any(b"\n%b %b %b/" % (method, self._url, other) in seen for other in (b"RTSP", b"ICE")):
            raise refusal("syntax", "the request line of another protocol")
        size = len(method) + len(self._url) + len("  HTTP/1.1\r\n\r\n") + measure(headers)
        if not self._is_counted and size > settings.max_header_bytes:
            raise refusal("head", limits=settings)
        if parser.should_upgrade():
            # it comes once more
            return
        scope = self._write_scope(method, version)
        # trailers are collected apart, and belong nowhere
        self._headers = []
        keeps = version != OLD_VERSION and parser.should_keep_alive()
        expects = version != OLD_VERSION and any(
            one == b"expect" and value.lower() == b"100-continue" for one, value in headers
        )
        request = Request(scope, self._outlet, self._shared.headers, keeps, expects, self.balance, self._on_answered)
        self._requests.append(request)
        self.phase, self._is_fresh = Phase.BODY, len(self._requests) == 1

    def _write_scope(self, method: bytes, version: str) -> Scope:
        target = httptools.parse_url(self._url)
        if target.path is None:
            raise refusal("target")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "method": method.decode("ascii"),
            "scheme": "http",
            # each path has one spelling, which a proxy's rules go by: one with percent codes is that of no route
            "path": "%" if b"%" in target.path else target.path.decode("latin-1"),
            "raw_path": target.path,
            "query_string": target.query or b"",
            "root_path": "",
            "headers": self._headers,
            "server": self._server,
            "client": self._client,
            "state": {},
        }

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._content += len(body)
        if self.phase is Phase.BODY:
            request = self._requests[-1]
            request.body += body
            request.wake()

    def on_chunk_complete(self) -> None:
        """Count a chunk; refuse too many that are tiny."""
        self._chunks += 1
        size = self._content - self._chunk_start
        self._chunk_start = self._content
        if 0 < size < TINY_BYTES:
            self._tiny += 1
            if self._tiny > MAX_TINY_CHUNKS:
                raise refusal("tiny")

    def on_message_complete(self) -> None:
        """End a request; refuse trailers that are too large."""
        if self._parser.should_upgrade() or self.phase is Phase.DEAF:
            return
        if self._headers and measure(self._headers) > 2 * self._settings.max_header_bytes:
            raise refusal("around", limits=self._settings)
        if self.phase is Phase.BODY:
            self._requests[-1].is_whole = True
            self._requests[-1].wake()
        self.phase, self._waited = Phase.DONE, 0.0
        if self._is_fresh:
            self._refuse_or_start(self._requests[0])

    # what is being answered

    def _refuse_or_start(self, request: Request) -> None:
        shared = self._shared
        keeps = request.keeps and not shared.is_draining
        more = shared.headers if keeps else [*shared.headers, CLOSE]
        reply = shared.overload.refuse(request.scope, more, is_whole=request.is_whole)
        if reply is None:
            self._start(request)
            return
        self._is_fresh = False
        self._requests.clear()
        if self.phase is Phase.BODY:
            self.phase, self._waited = Phase.REST, 0.0
        self._outlet.write(reply)
        if not keeps:
            self._end()
        elif not self._settings.client_header:
            # it was told to come again later: where it comes at once, refusing it would leave no time for others;
            # a connection of a proxy is not held, because it brings requests of many clients
            self.is_held = True
            shared.held.append(self)

    def _start(self, request: Request) -> None:
        self._is_fresh = False
        task = self._loop.create_task(request.run(self._shared.app))
        self._shared.tasks.add(task)
        task.add_done_callback(self._shared.tasks.discard)

    def _on_answered(self, request: Request) -> None:
        self._requests.popleft()
        if not request.keeps:
            self._end()
            return
        if self._requests:
            self._start(self._requests[0])
        elif self.phase is Phase.BODY:
            self.phase, self._waited = Phase.REST, 0.0
        self.balance()

    # how long a client is waited for

    @property
    def _is_worked_for(self) -> bool:
        return bool(self._requests) and self.phase is not Phase.BODY

    @property
    def kept_waiting(self) -> float | None:
        """For how many seconds the client has kept the service waiting; None while it is the service that works."""
        if self._is_worked_for:
            return self._outlet.kept_waiting or None
        return max(self._waited, self._outlet.kept_waiting)

    def watch(self, seconds: float) -> None:
        """Count time that has passed, and end the connection where its client has had enough of it."""
        settings = self._settings
        self._outlet.watch(seconds, settings.send_rate)
        if self._outlet.kept_waiting > settings.client_seconds:
            self.cut("unread")
            return
        is_over = self.phase is Phase.DEAF or self.phase is Phase.DONE
        if self._is_worked_for or self._is_paused or self.transport.is_closing():
            return
        if is_over and self._outlet.count_unread():
            # closed now, it would leave that to the kernel
            return
        # what comes at once makes up for the time before it, not for silence after it
        earned = 0.0 if self.phase is Phase.REST else (self._received - self._credited) / settings.receive_rate
        self._credited = self._received
        self._waited = max(0.0, self._waited + seconds - earned)
        if is_over:
            if self._waited > (settings.client_seconds if self.phase is Phase.DONE else LINGER_SECONDS):
                self.transport.close()
        elif self._waited > settings.client_seconds:
            self.refuse(refusal("slow", limits=settings))

    # how it ends

    def refuse(self, error: BodyError) -> None:
        """Refuse the request at hand, and hear nothing more from this client.

        The application answers where it has the request: it is told when it reads on.
        """
        phase, self.phase, self._waited = self.phase, Phase.DEAF, 0.0
        if self._requests:
            request = self._requests[-1]
            request.keeps = False
            if phase is Phase.BODY or phase is Phase.DONE:
                request.scope["state"]["refusal"] = error
                request.wake()
                return
        self._shared.turned_away[error.code] += 1
        if self._requests:
            return
        if self._received and (phase is Phase.SILENT or phase is Phase.HEAD):
            is_head = phase is Phase.HEAD and bool(self._url) and self._parser.get_method() == b"HEAD"
            self._outlet.write(write_refusal(error, self._shared.headers, has_body=not is_head))
        self._linger()

    def _linger(self) -> None:
        """Close the connection once the client has read what it was sent, or has had the time."""
        self.phase, self._waited = Phase.DEAF, 0.0
        # it may be closing already
        with suppress(RuntimeError):
            self.transport.write_eof()
        self.balance()

    def _end(self) -> None:
        """End the connection after its last reply, so that a client that is still sending gets to read it."""
        self._is_quiet = not self._requests and self.phase in {Phase.DONE, Phase.SILENT}
        self._requests.clear()
        self._linger()

    def cut(self, reason: str) -> None:
        """End the connection at once; this is counted under the reason."""
        self._shared.turned_away[reason] += 1
        # not when the loop gets to it: others may be counted before
        self._shared.connections.discard(self)
        self._outlet.reset()

    def shutdown(self) -> None:
        """Close the connection if nothing is going on, or else after the reply at hand."""
        if not self._requests and (self.phase is Phase.DONE or (self.phase is Phase.DEAF and self._is_quiet)):
            self.transport.close()
        else:
            self.end_after_reply()

    def end_after_reply(self) -> None:
        """Close the connection after the reply at hand, unless that has said already that it is kept."""
        if self._requests and not self._requests[-1].has_begun:
            self._requests[-1].keeps = False
