"""Who is worked on now and who waits for it: slots in threads, and the event loop's share of time.

A request that cannot be served soon is refused at once, and comes again: an endless queue serves nobody in time.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

from starlette.types import Receive

from app.errors import BodyError
from core.errors import counted

Taken = TypeVarTuple("Taken")
Found = TypeVar("Found")

RETRY_SECONDS = 1
"""When a client that is refused should come again."""

ROUND_SECONDS = 0.005
"""What small requests may take of a round of the event loop; health waits for all of them."""


class BusyError(BodyError):
    """A request that has to come again, because there is too much to do; the code says of what."""

    def __init__(self, code: str, message: str) -> None:
        again = f"try again in {RETRY_SECONDS} s"
        super().__init__(503, code, f"{message}; {again}", headers={"Retry-After": str(RETRY_SECONDS)})


class Slots:
    """Threads that call functions, and a bounded queue before them.

    Each thread takes the next call by itself: a loop that is busy hands calls out too slowly to keep threads busy.
    """

    def __init__(self, place: str, count: int, *, max_waiting: int, queue_seconds: float) -> None:
        self._place, self._count = place, count
        self._max_waiting, self._queue_seconds = max_waiting, queue_seconds
        # a set and no counters, because threads take out what they have done
        self._inside: set[Future[Any]] = set()
        self._start()

    @property
    def running(self) -> int:
        """How many requests are worked on."""
        return min(len(self._inside), self._count)

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return max(0, len(self._inside) - self._count)

    @property
    def room(self) -> int:
        """How many more requests are not refused."""
        return self._count + self._max_waiting - len(self._inside)

    def busy(self) -> BusyError:
        """Return the refusal of one more request."""
        return too_many(self._place, self._max_waiting)

    def require_room(self) -> None:
        """Raise a `BusyError` where the slots are full."""
        if self.room <= 0:
            raise self.busy()

    async def run(
        self,
        receive: Receive | None,
        function: Callable[[*Taken], Found],
        *arguments: *Taken,
        is_under_way: bool = False,
    ) -> Found:
        """Call a function when its turn has come.

        A client that leaves gives up its turn, where the request is given as ASGI has it after the body. Once part of
        the reply is sent, it is too late to refuse the request: with ``is_under_way`` it waits however long. A
        `BusyError` says that too many wait already, or that no turn came in time.
        """
        if not is_under_way:
            self.require_room()
        work = [partial(function, *arguments)]
        job = self._submit(work)
        done = asyncio.wrap_future(job)
        try:
            if self.waiting and not is_under_way and (refusal := await self._wait(done, receive)) and job.cancel():
                raise refusal
            return await done
        finally:
            # what has begun cannot be taken back; of what has not, the executor keeps the job, but not what it holds
            if job.cancel():
                work.clear()

    def call(self, function: Callable[[*Taken], Found], *arguments: *Taken) -> Found:
        """Call a function when its turn has come, from a thread that waits however long."""
        return self._submit([partial(function, *arguments)]).result()

    def stop(self) -> None:
        """Begin nothing of what waits; an application may start again, and then there are new threads."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._start()

    def _start(self) -> None:
        self._executor = ThreadPoolExecutor(self._count, thread_name_prefix=self._place)

    def _submit(self, work: Sequence[Callable[[], Found]]) -> Future[Found]:
        job = self._executor.submit(copy_context().run, _call, work)
        self._inside.add(job)
        job.add_done_callback(self._inside.discard)
        return job

    async def _wait(self, turn: asyncio.Future[Found], receive: Receive | None) -> BodyError | None:
        """Wait for a turn; return why there is none."""
        gone = asyncio.create_task(_wait_until_gone(receive)) if receive else asyncio.Future[None]()
        try:
            await asyncio.wait((turn, gone), timeout=self._queue_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
        if turn.done():
            return None
        if gone.done() and not gone.cancelled():
            return BodyError(400, "left", "the client left before its turn came")
        waited = f"the request waited {self._queue_seconds:g} s for {self._place}, the maximum"
        return BusyError("busy_too_long", waited)


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _call(work: Sequence[Callable[[], Found]]) -> Found:
    return work[0]()


class LoopShare:
    """What small requests may take of each round of the event loop: a context around the work for each.

    A request that finds nothing left of a round waits for the next ones; no wait is cut short, for it takes some
    rounds at most.
    """

    def __init__(self, *, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._seconds = 0.0
        self._start = 0.0
        self.waiting = 0

    @property
    def room(self) -> int:
        """How many more requests are not refused; where none waits, the first does not, either."""
        return self._max_waiting - self.waiting + (not self.waiting and self._seconds < ROUND_SECONDS)

    def busy(self) -> BusyError:
        """Return the refusal of one more request."""
        return too_many("the event loop", self._max_waiting)

    def require_room(self) -> None:
        """Raise a `BusyError` where too many wait already."""
        if self.room <= 0:
            raise self.busy()

    async def wait(self) -> None:
        """Wait for a round that has time left; raise a `BusyError` where too many wait already."""
        if self._seconds < ROUND_SECONDS:
            return
        self.require_room()
        self.waiting += 1
        try:
            while self._seconds >= ROUND_SECONDS:  # noqa: ASYNC110 - a round is just what is waited for
                await asyncio.sleep(0)
        finally:
            self.waiting -= 1

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


def too_many(place: str, max_waiting: int) -> BusyError:
    """Return the refusal of a request before which too many wait."""
    return BusyError("busy", f"{place} is busy: {counted(max_waiting, 'request')} already waiting, the maximum")
