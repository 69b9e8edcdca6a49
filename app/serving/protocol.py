"""One connection: which requests are taken from it, and how long its client is waited for.

The protocol counts, `Connections` and the server look: a request costs some counting and no timer.
"""

import asyncio
from contextlib import suppress
from enum import Enum, auto
from typing import cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import BodyError
from app.serving.connections import Connections
from app.serving.refusals import (
    TINY_BYTES,
    not_http,
    not_one_host,
    other_protocol,
    too_large_a_head,
    too_many_chunks,
    too_many_headers,
    too_much_around_chunks,
    too_slow,
    write_refusal,
)
from app.serving.transports import CountedTransport, LastTransport

LINGER_SECONDS = 2.0
"""How long a client may take to read a refusal: closed at once, the connection would be reset before it has."""

OLD_VERSIONS = {"0.9", "1.0"}
"""Those of HTTP that need no Host."""


class Phase(Enum):
    """What a connection is waiting for."""

    SILENT = auto()
    """The first byte of a request's head."""
    HEAD = auto()
    BODY = auto()
    REST = auto()
    """The end of a body that has been answered already."""
    DONE = auto()
    """Nothing: the request is complete; once it is answered, the next one."""
    DEAF = auto()
    """The end of the connection: what still comes is not read."""


class Connection(HttpToolsProtocol):
    """One connection, with its limits."""

    server_state: Connections

    # ---------------------------------------------------------------- what comes

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Greet a client.

        Parameters
        ----------
        transport : Transport
        """
        self._outgoing = CountedTransport(transport)
        super().connection_made(cast("asyncio.Transport", self._outgoing))
        self._settings = self.server_state.settings
        self._unanswered = 0
        self._begin(Phase.SILENT)
        self.server_state.make_room(self)

    def data_received(self, data: bytes) -> None:
        """Read what has come.

        Parameters
        ----------
        data : bytes
        """
        self._unset_keepalive_if_required()
        if self.phase is Phase.DONE:
            self._begin(Phase.SILENT)
        while data and (self.phase is Phase.SILENT or self.phase is Phase.HEAD):
            # as much as the head may still have: where it is not complete then, it has more
            room = self._settings.max_header_bytes - self._received
            if room <= 0:
                self.refuse(too_large_a_head(self._settings))
                return
            self._feed(data[:room])
            data = data[room:]
        if data and self.phase is not Phase.DEAF:
            self._feed(data)
            self._check_overhead()

    def _check_overhead(self) -> None:
        if self._received - self._content - TINY_BYTES * self._chunks > 2 * self._settings.max_header_bytes:
            self.refuse(too_much_around_chunks(self._settings))

    def _feed(self, data: bytes) -> None:
        self._received += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # the parser takes what follows for another protocol: a body would be lost
            self.refuse(other_protocol())
        except httptools.HttpParserError as error:
            # what the methods below raise
            cause = error.__context__
            self.refuse(cause if isinstance(cause, BodyError) else not_http(str(error)))

    def _begin(self, phase: Phase) -> None:
        self.phase = phase
        self._is_counted = True
        self._waited = 0.0
        self._received = self._content = self._chunks = self._tiny = self._chunk_start = 0

    # ---------------------------------------------------------------- what the parser finds

    def on_message_begin(self) -> None:
        """Start a request's head."""
        super().on_message_begin()
        if self.phase is Phase.SILENT:
            self.phase = Phase.HEAD
        else:
            # amid what was read: where exactly, the parser does not say
            self._begin(Phase.HEAD)
            self._is_counted = False

    def on_headers_complete(self) -> None:
        """Let the application answer.

        Raises
        ------
        BodyError
            431 for too many headers; 400 where there is not one Host.
        """
        settings = self._settings
        if len(self.headers) > settings.max_headers:
            raise too_many_headers(settings)
        if not self._is_counted:
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > settings.max_header_bytes:
                raise too_large_a_head(settings)
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() not in OLD_VERSIONS):
            raise not_one_host(hosts)
        super().on_headers_complete()
        self._unanswered += 1
        self.phase = Phase.BODY
        # trailers of a body belong nowhere
        self.headers = []
        if self.server_state.is_draining:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body.

        Parameters
        ----------
        body : bytes
        """
        self._content += len(body)
        super().on_body(body)

    def on_chunk_complete(self) -> None:
        """Count a chunk.

        Raises
        ------
        BodyError
            400 for too many that are tiny.
        """
        self._chunks += 1
        size = self._content - self._chunk_start
        self._chunk_start = self._content
        if 0 < size < TINY_BYTES:
            self._tiny += 1
            if self._tiny > self._settings.max_tiny_chunks:
                raise too_many_chunks(self._settings)

    def on_message_complete(self) -> None:
        """End a request."""
        super().on_message_complete()
        self.phase = Phase.DONE

    def on_response_complete(self) -> None:
        """End a reply: the client may send the next request, or has to end one that was answered early."""
        super().on_response_complete()
        self._unanswered -= 1
        if self._unanswered:
            # what is being received belongs to a later request
            return
        if self.phase is Phase.BODY:
            self.phase = Phase.REST
        if self.phase is Phase.REST or self.phase is Phase.DONE:
            self._waited = 0.0

    # ---------------------------------------------------------------- how long a client is waited for

    @property
    def kept_waiting(self) -> float | None:
        """For how many seconds the client has kept the service waiting; None while it is the service that works."""
        if self._unanswered and self.phase is not Phase.BODY:
            return self._outgoing.kept_waiting or None
        return max(self._waited, self._outgoing.kept_waiting)

    def watch(self, seconds: float) -> None:
        """Count time that has passed, and end the connection where its client has had enough of it.

        Parameters
        ----------
        seconds : float
        """
        settings = self._settings
        self._outgoing.watch(seconds, settings.send_rate)
        if self._outgoing.kept_waiting > settings.send_seconds:
            self.cut("unread")
            return
        is_working = self._unanswered and self.phase is not Phase.BODY
        if is_working or self.flow.read_paused or self.transport.is_closing():
            return
        self._waited += seconds
        if self.phase is Phase.DEAF:
            if self._waited > LINGER_SECONDS:
                self.transport.abort()
        elif self.phase is not Phase.DONE:
            bonus = 0.0 if self.phase is Phase.REST else self._received / settings.receive_rate
            if self._waited > settings.receive_seconds + bonus:
                self.refuse(too_slow(settings))

    # ---------------------------------------------------------------- how it ends

    def refuse(self, error: BodyError) -> None:
        """Refuse the request at hand, and hear nothing more from this client.

        Parameters
        ----------
        error : BodyError
            Answered by the application where it has the request: that is told when it reads on.
        """
        phase, self.phase, self._waited = self.phase, Phase.DEAF, 0.0
        if self._unanswered:
            self.cycle.keep_alive = False
            self.cycle.transport = cast("asyncio.Transport", LastTransport(self.transport, self.linger))
            if phase is Phase.BODY or phase is Phase.DONE:
                self.cycle.scope["state"]["refusal"] = error
                self.cycle.message_event.set()
            return
        self.server_state.turned_away[error.code] += 1
        if self._received and (phase is Phase.SILENT or phase is Phase.HEAD):
            # it may be closing already
            with suppress(RuntimeError):
                self.transport.write(write_refusal(error, self.server_state.default_headers))
        self.linger()

    def linger(self) -> None:
        """Close the connection once the client has read what it was sent, or has had the time."""
        # it may be closing already
        with suppress(RuntimeError):
            self.transport.write_eof()
            self.flow.resume_reading()

    def cut(self, reason: str) -> None:
        """Close the connection at once.

        Parameters
        ----------
        reason : str
            What is counted.
        """
        self.server_state.turned_away[reason] += 1
        # not when the loop gets to it: others may be counted before
        self.connections.discard(self)
        if self.transport.get_write_buffer_size():
            # nobody would look whether it is ever read
            self.transport.abort()
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """Close the connection if nothing is going on, or else after the reply at hand."""
        if self.phase is Phase.DONE and not self._unanswered:
            self.transport.close()
        else:
            self.end_after_reply()

    def end_after_reply(self) -> None:
        """Close the connection after the reply at hand, unless that has said already that it is kept."""
        if self._unanswered and not self.cycle.response_started:
            self.cycle.keep_alive = False
