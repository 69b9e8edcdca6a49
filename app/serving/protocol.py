"""One connection: which requests are taken from it."""

from contextlib import suppress

import httptools

from app.errors import BodyError
from app.serving.heads import OLD_VERSION, check_head, check_size, measure, write_head
from app.serving.phases import Phase
from app.serving.refusals import (
    TINY_BYTES,
    not_http,
    too_large_a_head,
    too_many_chunks,
    too_many_pipelined,
    too_much_around_chunks,
)
from app.serving.waiting import WaitingProtocol


class Connection(WaitingProtocol):
    """One connection, with the limits of what comes on it."""

    # ---------------------------------------------------------------- what comes

    def data_received(self, data: bytes) -> None:
        """Read what has come.

        Parameters
        ----------
        data : bytes
        """
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
        if self.phase is Phase.REST:
            # what nobody needs any more holds up nobody: one piece in each round of the loop
            self.transport.pause_reading()
            self.loop.call_soon(self._read_on)
        if self.server_state.is_draining:
            # the last of those that have come
            self.end_after_reply()

    def _read_on(self) -> None:
        # it may have been closed meanwhile
        with suppress(RuntimeError):
            self.transport.resume_reading()

    def _feed(self, data: bytes) -> None:
        self._received += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            # what the methods below raise
            cause = error.__context__
            self.refuse(cause if isinstance(cause, BodyError) else not_http(str(error)))
            return
        self._pass_pieces()
        overhead = self._received - self._content - TINY_BYTES * self._chunks
        if overhead > 2 * self._settings.max_header_bytes:
            self.refuse(too_much_around_chunks(self._settings))

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as wish:
            # ignored, and hidden from the parser, which takes what follows for another protocol
            headers = [header for header in self.headers if header[0] != b"upgrade"]
            head = write_head(self.parser.get_method(), self.url, self.parser.get_http_version(), headers)
            self._parse(head + data[wish.args[0] :])

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
            431 or 400 for what this head is like; 400 where too many requests wait already.
        """
        settings, method, version = self._settings, self.parser.get_method(), self.parser.get_http_version()
        if self._unanswered >= settings.max_pipelined:
            raise too_many_pipelined(settings)
        check_head(method, version, self.headers, settings)
        if not self._is_counted:
            check_size(method, self.url, self.headers, settings)
        if self.parser.should_upgrade():
            # it comes once more
            return
        if version == OLD_VERSION:
            self.expect_100_continue = False
        super().on_headers_complete()
        self.cycle.transport = self._replies
        self._unanswered += 1
        self.phase = Phase.BODY
        # trailers are collected apart, and belong nowhere
        self.headers = []

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body.

        Parameters
        ----------
        body : bytes
        """
        self._content += len(body)
        # passed on together: one by one, small chunks would take more than twice as long
        self._pieces.append(body)

    def _pass_pieces(self) -> None:
        if self._pieces:
            super().on_body(b"".join(self._pieces))
            self._pieces.clear()

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
        """End a request.

        Raises
        ------
        BodyError
            400 for trailers that are too large.
        """
        if self.parser.should_upgrade():
            return
        if self.headers and measure(self.headers) > 2 * self._settings.max_header_bytes:
            raise too_much_around_chunks(self._settings)
        self._pass_pieces()
        super().on_message_complete()
        self.phase, self._waited = Phase.DONE, 0.0
