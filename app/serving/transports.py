"""What a transport tells of its client, and how it ends without cutting the client off."""

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

# not everywhere
fcntl: Any = import_module("fcntl") if find_spec("fcntl") else None
termios: Any = import_module("termios") if find_spec("termios") else None

Waiting = deque[tuple[RequestResponseCycle, Any]]


class ReplyTransport:
    """A transport as replies see it.

    Parameters
    ----------
    transport : Transport
    close : callable
        What is done after a reply that ends the connection.
    """

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class PipelineFlow(FlowControl):
    """The flow of one connection, on which little comes of requests that are behind others.

    It is not stopped altogether: that a client has left is heard at the end of what it sent.

    Parameters
    ----------
    transport : Transport
    pipeline : deque
        The requests behind the one that is being answered.
    """

    def __init__(self, transport: asyncio.Transport, pipeline: Waiting) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        """Read on, unless there is much already that waits for its turn."""
        if self.read_paused and sum(len(cycle.body) for cycle, _ in self._pipeline) <= HIGH_WATER_LIMIT:
            super().resume_reading()


class CountedTransport:
    """A transport that knows how much was written to it, and for how long its client has kept that waiting.

    Parameters
    ----------
    transport : Transport

    Attributes
    ----------
    kept_waiting : float
        In seconds, beside those that the client has earned by taking something.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._written = self._taken = 0
        self.kept_waiting = 0.0
        self.abort = transport.abort
        self.close = transport.close
        self.get_extra_info = transport.get_extra_info
        self.get_write_buffer_size = transport.get_write_buffer_size
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.write_eof = transport.write_eof

    def write(self, data: bytes) -> None:
        """Write; nothing where the client has left.

        Parameters
        ----------
        data : bytes
        """
        if self.is_closing():
            return
        self._written += len(data)
        self._transport.write(data)

    def watch(self, seconds: float, rate: float) -> None:
        """Count time that has passed.

        Parameters
        ----------
        seconds : float
        rate : float
            Bytes that earn a second.
        """
        taken = self._written - self._count_unsent()
        if taken == self._written:
            self.kept_waiting = 0.0
        else:
            self.kept_waiting = max(0.0, self.kept_waiting + seconds - (taken - self._taken) / rate)
        self._taken = taken

    def _count_unsent(self) -> int:
        """Count what the client has not taken; 0 where the operating system has all of it."""
        unsent = self._transport.get_write_buffer_size()
        if unsent:
            # a socket takes more only once it has much room: what is left in it tells whether the client reads
            with suppress(AttributeError, OSError):
                left = fcntl.ioctl(self.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
                unsent += int.from_bytes(left, sys.byteorder)
        return unsent
