"""What a transport tells of its client, and how it ends without cutting the client off."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any

# not everywhere
fcntl: Any = import_module("fcntl") if find_spec("fcntl") else None
termios: Any = import_module("termios") if find_spec("termios") else None


class LastTransport:
    """A transport as a reply sees it after which the connection ends.

    Parameters
    ----------
    transport : Transport
    close : callable
        What is done when the reply has been sent.
    """

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


def count_unsent(transport: asyncio.Transport) -> int:
    """Count what was written and the client has not taken; it stays the same while the client reads nothing.

    Parameters
    ----------
    transport : Transport

    Returns
    -------
    int
        In bytes; 0 where the operating system has taken it all.
    """
    unsent = transport.get_write_buffer_size()
    if unsent:
        # a socket takes more only once it has much room: what is left in it tells whether the client reads
        with suppress(AttributeError, OSError):
            left = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
            unsent += int.from_bytes(left, sys.byteorder)
    return unsent
