"""What all requests together hold: bodies that have arrived, and replies that have not been taken."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from app.work.queue import RETRY_SECONDS, BusyError


class HeldBytes:
    """What all requests together hold.

    Parameters
    ----------
    most : int
        In bytes; a request that is alone may hold more.
    code, where : str
        Where they are held, for programs and for people.
    always : int
        How much a request may hold whatever the others do: connections and queues bound how many do.

    Attributes
    ----------
    total : int
        In bytes, at the moment.
    """

    def __init__(self, most: int, code: str, where: str, *, always: int = 0) -> None:
        self.total = 0
        # threads hold, too
        self.lock = Lock()
        self._most, self._code, self._where, self._always = most, code, where, always

    @contextmanager
    def share(self) -> Iterator["Share"]:
        """Hold nothing at first, and let go of everything at the end."""
        share = Share(self)
        try:
            yield share
        finally:
            share.clear()

    def require_room(self, size: int, own: int) -> None:
        """Check that a request may hold more than it does.

        Parameters
        ----------
        size : int
            How much more.
        own : int
            What it holds.

        Raises
        ------
        BusyError
            If all together would hold too much, and it is not the only one.
        """
        if own + size > self._always and self.total + size > self._most and own < self.total:
            raise BusyError(
                self._code,
                f"the requests that are not answered yet would take more than {self._most} bytes "
                f"{self._where}, the most that they may; try again in {RETRY_SECONDS} s",
            )


class Share:
    """What one request holds.

    Parameters
    ----------
    held : HeldBytes
        What all hold.
    """

    def __init__(self, held: HeldBytes) -> None:
        self._held, self._own = held, 0

    def add(self, size: int) -> None:
        """Hold more.

        Parameters
        ----------
        size : int
            How many bytes more.

        Raises
        ------
        BusyError
            If all together would hold too much.
        """
        with self._held.lock:
            self._held.require_room(size, self._own)
            self._own += size
            self._held.total += size

    def expect(self, size: int) -> None:
        """Hold what something will take that is to come.

        Parameters
        ----------
        size : int
            In bytes, with what is held already.

        Raises
        ------
        BusyError
            If all together would hold too much.
        """
        if size > self._own:
            self.add(size - self._own)

    def become(self, size: int) -> None:
        """Hold what there is after all, in place of what was expected.

        Parameters
        ----------
        size : int
            In bytes.
        """
        with self._held.lock:
            self._held.total += size - self._own
            self._own = size

    def clear(self) -> None:
        """Let go of everything."""
        self.become(0)
