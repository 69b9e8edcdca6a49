"""One connection, as the service waits for it: for how long, and how it ends.

It counts, `Connections` and the server look: a request costs some counting and no timer.
"""

import asyncio
from contextlib import suppress
from typing import cast

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.errors import BodyError
from app.serving.connections import Connections
from app.serving.phases import Phase
from app.serving.refusals import too_slow, write_refusal
from app.serving.transports import CountedTransport, PipelineFlow, ReplyTransport

LINGER_SECONDS = 2.0
"""How long a client may take to read a last reply: closed at once, the connection would be reset before it has."""


class WaitingProtocol(HttpToolsProtocol):
    """A connection that ends where its client keeps the service waiting."""

    server_state: Connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Greet a client.

        Parameters
        ----------
        transport : Transport
        """
        self._outgoing = CountedTransport(transport)
        super().connection_made(cast("asyncio.Transport", self._outgoing))
        self.flow = PipelineFlow(self.transport, self.pipeline)
        self._replies = cast("asyncio.Transport", ReplyTransport(self.transport, self.end))
        self._answering: RequestResponseCycle | None = None
        self._settings = self.server_state.settings
        self._unanswered = 0
        self._begin(Phase.SILENT)
        self.server_state.make_room(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that is being answered that its client has left; those behind it are forgotten.

        Parameters
        ----------
        exc : Exception or None
        """
        self.pipeline.clear()
        if self._answering and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    # ---------------------------------------------------------------- what is being answered

    def _begin(self, phase: Phase) -> None:
        self.phase = phase
        self._is_counted = True
        self._waited = 0.0
        self._received = self._credited = self._content = self._chunks = self._tiny = self._chunk_start = 0
        self._pieces: list[bytes] = []

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """End a reply: the client may send the next request, or has to end one that was answered early."""
        super().on_response_complete()
        # `watch` ends what is idle; this timer would be unset for good by the rest of a body that was answered early
        self._unset_keepalive_if_required()
        if self.flow.read_paused and not self.transport.is_closing():
            # less waits now than before
            self.flow.resume_reading()
        # none is left after the last
        self._unanswered = max(0, self._unanswered - 1)
        if self._unanswered:
            # what is being received belongs to a later request
            return
        if self.phase is Phase.BODY:
            self.phase, self._waited = Phase.REST, 0.0

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
        # what comes at once makes up for the time before it, not for silence after it
        earned = 0.0 if self.phase is Phase.REST else (self._received - self._credited) / settings.receive_rate
        self._credited = self._received
        self._waited = max(0.0, self._waited + seconds - earned)
        if self.phase is Phase.DEAF:
            if self._waited > LINGER_SECONDS:
                self.transport.abort()
        elif self.phase is Phase.DONE:
            if self._waited > settings.idle_seconds:
                self.transport.close()
        elif self._waited > settings.receive_seconds:
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
            if phase is Phase.BODY or phase is Phase.DONE:
                self.cycle.scope["state"]["refusal"] = error
                self.cycle.message_event.set()
                return
        self.server_state.turned_away[error.code] += 1
        if self._unanswered:
            return
        if self._received and (phase is Phase.SILENT or phase is Phase.HEAD):
            is_head = phase is Phase.HEAD and bool(self.url) and self.parser.get_method() == b"HEAD"
            self.transport.write(write_refusal(error, self.server_state.default_headers, has_body=not is_head))
        self.linger()

    def linger(self) -> None:
        """Close the connection once the client has read what it was sent, or has had the time."""
        self.phase, self._waited = Phase.DEAF, 0.0
        # it may be closing already
        with suppress(RuntimeError):
            self.transport.write_eof()
            self.flow.resume_reading()

    def end(self) -> None:
        """Close the connection after its last reply, so that a client that is still sending gets to read it."""
        is_quiet = not self.pipeline and (self.phase is Phase.DONE or self.phase is Phase.SILENT)
        self.pipeline.clear()
        self._unanswered = 0
        if is_quiet:
            self.transport.close()
        else:
            self.linger()

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
