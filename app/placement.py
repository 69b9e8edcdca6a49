"""Where work is done: small work on the event loop, other JSON in a process of its own, binary bodies in threads.

A process or a thread costs a small request more than its own work. Marking, and reading and writing JSON, keep
Python's lock: in a thread they would let the loop have it for every event anew, a millisecond late each time.
Products of matrices do not keep it. Each place but the loop has a `Limiter` in front of it, and the loop gives
away what is too much for it.
"""

import asyncio
import logging
import time
from queue import SimpleQueue
from typing import TypedDict

from starlette.types import Receive

from app.computation import JSON_TYPE, Answer, Call, Computation, Work, answer_problem
from app.errors import ErrorItem, write_problem
from app.limiter import RETRY_AFTER, HeldBytes, Limiter, Threads, Turns
from app.settings import Settings
from app.worker import Worker, WorkerDiedError, WorkerFailedError

logger = logging.getLogger("gradmark")

OPERATIONS_A_NUMBER = 200
"""What writing one number as JSON takes, in multiply-adds; 20 nanoseconds."""

BYTES_A_NUMBER = 20
"""What one number takes in a JSON reply, about."""

LOOP_SECONDS = 0.02
"""What small requests may take of one round of the event loop; health waits for all of them."""

DIED = "the process that worked on this request ended before it was done; another one takes its place"


class Queue(TypedDict):
    """How many may wait, and how long."""

    max_waiting: int
    queue_seconds: float


class Placement:
    """The places where requests are worked on.

    Parameters
    ----------
    settings : Settings

    Attributes
    ----------
    threads, processes : Threads
    bulk : Turns
        What stands in front of each place but the event loop.
    held_bytes, held_bulk_bytes : HeldBytes
        Bodies in memory, and bulk requests in temporary files.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._has_workers = False
        # None stands for one that ended, and another is started when it is needed
        self._idle: SimpleQueue[Worker | None] = SimpleQueue()
        self._busy: set[Worker] = set()
        queue = Queue(max_waiting=settings.max_waiting, queue_seconds=settings.queue_seconds)
        self.threads = Threads("a thread", settings.threads, **queue)
        # a thread for each process: it waits for the answer
        self.processes = Threads("a process", max(1, settings.processes), **queue)
        self.bulk = Turns("the marking in bulk", settings.bulk_requests, **queue)
        self.held_bytes = HeldBytes(settings.max_held_bytes, "busy_memory", "in memory")
        self.held_bulk_bytes = HeldBytes(settings.max_held_bulk_bytes, "busy_disk", "in temporary files")
        self._loop = LoopShare()

    @property
    def limiters(self) -> dict[str, Limiter]:
        """The places by name."""
        return {"threads": self.threads, "processes": self.processes, "bulk": self.bulk}

    def start(self) -> None:
        """Start the processes, and return when they are warm; without this, threads do their work."""
        workers: list[Worker] = []
        try:
            workers += (Worker() for _ in range(self._settings.processes))
            for worker in workers:
                worker.wait_until_warm()
        except (WorkerDiedError, OSError):
            logger.exception("no process can be started for large JSON; threads do its work")
            for worker in workers:
                worker.close()
            return
        for worker in workers:
            self._idle.put(worker)
        self._has_workers = bool(workers)

    def stop(self) -> None:
        """End the processes, whatever they work on: whoever waits for it has been answered."""
        self._has_workers = False
        self.threads.stop()
        self.processes.stop()
        for worker in tuple(self._busy):
            worker.kill()
        while not self._idle.empty():
            worker_or_none = self._idle.get()
            if worker_or_none is not None:
                worker_or_none.close()

    async def answer(self, computation: Computation, call: Call, receive: Receive | None = None) -> Answer:
        """Answer a call in the place that fits it.

        Parameters
        ----------
        computation : Computation
        call : Call
        receive : callable, optional
            As ASGI has it, after the request's body: a client that leaves gives up its turn.

        Returns
        -------
        Answer

        Raises
        ------
        BusyError
            If there is too much to do.
        """
        settings, size = self._settings, len(call.raw)
        is_json = call.reads == JSON_TYPE
        is_short = is_json and size <= settings.inline_bytes and size < settings.process_bytes
        # what says nothing of its work is read where it is done
        if is_short and computation.is_estimated and self._loop.has_time:
            with self._loop:
                body = computation.read(call)
                if isinstance(body, Answer):
                    return body
                if self._is_small(computation.estimate(body), call):
                    return computation.compute(body, call)
        if not (is_json and self._has_workers):
            found = await self.threads.run(receive, self._answer_in_thread, computation, call)
            if found is not None:
                return found
        return await self.processes.run(receive, self._answer_in_process, call)

    def _answer_in_thread(self, computation: Computation, call: Call) -> Answer | None:
        body = computation.read(call)
        if isinstance(body, Answer):
            return body
        return None if self._is_for_process(computation.estimate(body), call) else computation.compute(body, call)

    def _is_small(self, work: Work | None, call: Call) -> bool:
        return (
            work is not None
            and not self._is_for_process(work, call)
            and work.operations + OPERATIONS_A_NUMBER * work.numbers <= self._settings.inline_operations
        )

    def _is_for_process(self, work: Work | None, call: Call) -> bool:
        is_large = work is not None and work.numbers * BYTES_A_NUMBER >= self._settings.process_bytes
        return is_large and call.writes == JSON_TYPE and self._has_workers

    def _answer_in_process(self, call: Call) -> Answer:
        worker = self._idle.get()
        try:
            if worker is not None and not worker.is_alive:
                worker.close()
                worker = None
            if worker is None:
                worker = Worker()
                worker.wait_until_warm()
            self._busy.add(worker)
            return worker.answer(call)
        except WorkerFailedError:
            raise
        except Exception as error:
            if not isinstance(error, WorkerDiedError):
                logger.exception("an exchange with a process broke off")
            if worker is not None:
                self._busy.discard(worker)
                worker.close()
            worker = None
            return answer_problem(write_problem(503, [ErrorItem("", "worker_died", DIED)]), headers=RETRY_AFTER)
        finally:
            if worker is not None:
                self._busy.discard(worker)
            self._idle.put(worker)


class LoopShare:
    """What small requests take of a round of the event loop: a context around the work for each."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._start = 0.0

    @property
    def has_time(self) -> bool:
        """Whether there is some left in this round."""
        return self._seconds < LOOP_SECONDS

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
