"""Places for so many requests at once, with a bounded queue before each.

Whoever cannot be served soon is told so at once, and comes again: an endless queue serves nobody in time.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from functools import partial
from typing import TypeVar, TypeVarTuple

from anyio import CapacityLimiter
from starlette.types import Receive

from app.errors import BodyError

Taken = TypeVarTuple("Taken")
Found = TypeVar("Found")

RETRY_SECONDS = 1
"""When a client that is refused should come again."""

RETRY_AFTER = {"Retry-After": str(RETRY_SECONDS)}


ROUND_SECONDS = 0.005
"""What small requests may take of a round of the event loop; health waits for all of them."""


class BusyError(BodyError):
    """A request that has to come again, because there is too much to do.

    Parameters
    ----------
    code : str
        What there is too much of.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(503, code, message, headers=RETRY_AFTER)


class Queue:
    """Requests that wait for their turn in a place, not too many.

    Parameters
    ----------
    place : str
        What it is called in messages.
    at_once : int
        How many are worked on at once, and do not wait any more.
    """

    def __init__(self, place: str, at_once: int, *, max_waiting: int) -> None:
        self._place, self._at_once, self._max_waiting = place, at_once, max_waiting
        # a set and no counters, because threads take out what they have done
        self._inside: set[object] = set()

    @property
    def waiting(self) -> int:
        """How many wait at the moment."""
        return max(0, len(self._inside) - self._at_once)

    def require_room(self) -> None:
        """Check that one more can be worked on or wait.

        Raises
        ------
        BusyError
            If none can.
        """
        if len(self._inside) >= self._at_once + self._max_waiting:
            raise BusyError(
                "busy",
                f"{self._max_waiting} requests wait for {self._place} already, the most that may; "
                f"try again in {RETRY_SECONDS} s",
            )


class Limiter(Queue):
    """A place where so many are worked on at once; the others wait, not too many and not too long.

    Parameters
    ----------
    place, at_once, max_waiting
        As `Queue` has them.
    queue_seconds : float
        The longest wait.
    """

    def __init__(self, place: str, at_once: int, *, max_waiting: int, queue_seconds: float) -> None:
        super().__init__(place, at_once, max_waiting=max_waiting)
        self._queue_seconds = queue_seconds

    @property
    def running(self) -> int:
        """How many are worked on at the moment."""
        return min(len(self._inside), self._at_once)

    async def _wait(self, turn: asyncio.Future[Found], receive: Receive | None) -> BodyError | None:
        """Wait for a turn; return why there is none."""
        gone = asyncio.create_task(_wait_until_gone(receive)) if receive else asyncio.Future[None]()
        try:
            await asyncio.wait((turn, gone), timeout=self._queue_seconds, return_when=asyncio.FIRST_COMPLETED)
            if turn.done():
                return None
            if gone.done():
                return BodyError(400, "left", "the client left before its turn came")
            return BusyError(
                "busy_too_long",
                f"the request has waited {self._queue_seconds:g} s for {self._place}, the longest that one may; "
                f"try again in {RETRY_SECONDS} s",
            )
        finally:
            gone.cancel()


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _call(work: Sequence[Callable[[], Found]]) -> Found:
    return work[0]()


class Threads(Limiter):
    """A place of so many threads that call functions.

    Each takes the next one by itself: a loop that is busy hands work out too slowly to keep them busy.

    Parameters
    ----------
    place, at_once, max_waiting, queue_seconds
        As `Limiter` has them.
    """

    def __init__(self, place: str, at_once: int, *, max_waiting: int, queue_seconds: float) -> None:
        super().__init__(place, at_once, max_waiting=max_waiting, queue_seconds=queue_seconds)
        self._start()

    async def run(
        self,
        receive: Receive | None,
        function: Callable[[*Taken], Found],
        *arguments: *Taken,
        is_under_way: bool = False,
    ) -> Found:
        """Call a function when its turn has come.

        Parameters
        ----------
        receive : callable or None
            As ASGI has it, after the request's body: a client that leaves gives up its turn.
        is_under_way : bool
            Whether the request is answered in part, so that it is too late to refuse it: it waits however long.

        Returns
        -------
        object
            What the function returns.

        Raises
        ------
        BusyError
            If too many wait already, or if no turn comes in time.
        BodyError
            400 if the client leaves before.
        """
        if not is_under_way:
            self.require_room()
        work = [partial(function, *arguments)]
        job = self._executor.submit(copy_context().run, _call, work)
        self._inside.add(job)
        job.add_done_callback(self._inside.discard)
        done = asyncio.wrap_future(job)
        try:
            if self.waiting and not is_under_way and (refusal := await self._wait(done, receive)) and job.cancel():
                raise refusal
            return await done
        finally:
            # what has begun cannot be taken back; of what has not, the executor keeps the job, but not what it holds
            if job.cancel():
                work.clear()

    def stop(self) -> None:
        """Begin nothing of what waits; an application may start again, and then there are new threads."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._start()

    def _start(self) -> None:
        self._executor = ThreadPoolExecutor(self._at_once, thread_name_prefix=self._place)


class Rounds(Queue):
    """The event loop: a context around the work for each small request, which has its time in every round.

    Nobody looks at it while one is worked on, and no wait is cut short: those who may wait are done in some rounds.

    Parameters
    ----------
    place, max_waiting
        As `Queue` has them.
    """

    def __init__(self, place: str, *, max_waiting: int) -> None:
        super().__init__(place, 0, max_waiting=max_waiting)
        self._seconds = 0.0
        self._start = 0.0

    @property
    def has_time(self) -> bool:
        """Whether some of this round's is left."""
        return self._seconds < ROUND_SECONDS

    async def wait(self) -> None:
        """Wait for a round that has time left, which takes some rounds at most.

        Raises
        ------
        BusyError
            If too many wait already.
        """
        if self.has_time:
            return
        self.require_room()
        request = object()
        self._inside.add(request)
        try:
            while not self.has_time:  # noqa: ASYNC110 - a round is just what is waited for
                await asyncio.sleep(0)
        finally:
            self._inside.discard(request)

    def __enter__(self) -> None:
        """Start to work."""
        if not self._seconds:
            asyncio.get_running_loop().call_soon(self._start_round)
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        """End to work."""
        self._seconds += time.perf_counter() - self._start

    def _start_round(self) -> None:
        self._seconds = 0.0


class Turns(Limiter):
    """A place whose turns last as long as a context does.

    Parameters
    ----------
    place, at_once, max_waiting, queue_seconds
        As `Limiter` has them.
    """

    def __init__(self, place: str, at_once: int, *, max_waiting: int, queue_seconds: float) -> None:
        super().__init__(place, at_once, max_waiting=max_waiting, queue_seconds=queue_seconds)
        self._tokens = CapacityLimiter(at_once)

    @asynccontextmanager
    async def turn(self, receive: Receive | None) -> AsyncIterator[None]:
        """Wait for a turn, and keep it for the time of the context.

        Parameters
        ----------
        receive : callable or None
            As ASGI has it, after the request's body: a client that leaves gives up its turn.

        Raises
        ------
        BusyError
            If too many wait already, or if no turn comes in time.
        BodyError
            400 if the client leaves.
        """
        self.require_room()
        request = object()
        self._inside.add(request)
        turn = asyncio.create_task(self._tokens.acquire_on_behalf_of(request))
        try:
            if refusal := await self._wait(turn, receive):
                raise refusal
            yield
        finally:
            self._inside.discard(request)
            if not turn.cancel():
                self._tokens.release_on_behalf_of(request)
