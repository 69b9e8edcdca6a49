"""Places for so many requests at once, with a bounded queue before each, and what requests hold meanwhile.

Whoever cannot be served soon is told so at once, and comes again: an endless queue serves nobody in time.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from anyio import CapacityLimiter, WouldBlock, create_task_group, move_on_after
from anyio.abc import TaskGroup
from starlette.types import Receive

from app.errors import BodyError

RETRY_SECONDS = 1
"""When a client that is refused should come again."""

RETRY_AFTER = {"Retry-After": str(RETRY_SECONDS)}


class BusyError(BodyError):
    """A request that has to come again, because there is too much to do.

    Parameters
    ----------
    code : str
        What there is too much of.
    message : str
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(503, code, message, headers=RETRY_AFTER)


class Limiter:
    """A place where so many are worked on at once; the others wait, not too many and not too long.

    Parameters
    ----------
    place : str
        What it is called in messages.
    at_once : int
    max_waiting : int
    queue_seconds : float
        The longest wait.

    Attributes
    ----------
    waiting : int
        How many wait at the moment.
    """

    def __init__(self, place: str, at_once: int, *, max_waiting: int, queue_seconds: float) -> None:
        self.waiting = 0
        self._place = place
        self._tokens = CapacityLimiter(at_once)
        self._max_waiting, self._queue_seconds = max_waiting, queue_seconds

    @property
    def running(self) -> int:
        """How many are worked on at the moment."""
        return self._tokens.borrowed_tokens

    def require_room(self) -> None:
        """Check that one more can be worked on or wait.

        Raises
        ------
        BusyError
            If none can.
        """
        if self._tokens.available_tokens <= 0 and self.waiting >= self._max_waiting:
            raise BusyError(
                "busy",
                f"{self.waiting} requests wait for {self._place} already, the most that may; "
                f"try again in {RETRY_SECONDS} s",
            )

    @asynccontextmanager
    async def turn(self, receive: Receive | None = None) -> AsyncIterator[None]:
        """Wait for a turn, and keep it for the time of the context.

        Parameters
        ----------
        receive : callable, optional
            As ASGI has it, after the request's body: a client that leaves gives up its turn.

        Raises
        ------
        BusyError
            If too many wait already, or if no turn comes in time.
        BodyError
            400 if the client leaves.
        """
        borrower = object()
        try:
            self._tokens.acquire_on_behalf_of_nowait(borrower)
        except WouldBlock:
            await self._wait(borrower, receive)
        try:
            yield
        finally:
            self._tokens.release_on_behalf_of(borrower)

    async def _wait(self, borrower: object, receive: Receive | None) -> None:
        self.require_room()
        has_turn = False
        self.waiting += 1
        try:
            with move_on_after(self._queue_seconds) as patience:
                async with create_task_group() as group:
                    if receive is not None:
                        group.start_soon(_cancel_when_gone, receive, group)
                    await self._tokens.acquire_on_behalf_of(borrower)
                    has_turn = True
                    group.cancel_scope.cancel()
        except BaseException:
            if has_turn:
                self._tokens.release_on_behalf_of(borrower)
            raise
        finally:
            self.waiting -= 1
        if not has_turn:
            raise self._explain(is_late=patience.cancelled_caught)

    def _explain(self, *, is_late: bool) -> BodyError:
        if not is_late:
            return BodyError(400, "left", "the client left before its turn came")
        return BusyError(
            "busy_too_long",
            f"the request has waited {self._queue_seconds:g} s for {self._place}, the longest that one may; "
            f"try again in {RETRY_SECONDS} s",
        )


async def _cancel_when_gone(receive: Receive, group: TaskGroup) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    group.cancel_scope.cancel()


class HeldBytes:
    """What all requests together hold of the bodies that have arrived.

    Parameters
    ----------
    most : int
        In bytes; a request that is alone may hold more.
    where : str
        Where they are held, for messages.

    Attributes
    ----------
    total : int
        In bytes, at the moment.
    """

    def __init__(self, most: int, where: str) -> None:
        self.total = 0
        self._most, self._where = most, where

    @contextmanager
    def share(self) -> Iterator["Share"]:
        """Hold nothing at first, and let go of everything at the end.

        Yields
        ------
        Share
        """
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
        if self.total + size > self._most and own < self.total:
            raise BusyError(
                "busy_memory",
                f"the bodies of the requests that are not answered yet would take more than {self._most} bytes "
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
        self._held.require_room(size, self._own)
        self._own += size
        self._held.total += size

    def clear(self) -> None:
        """Let go of everything."""
        self._held.total -= self._own
        self._own = 0
