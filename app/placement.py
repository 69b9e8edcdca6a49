"""Where work is done: small work on the event loop, most in threads, large JSON in a process of its own.

A thread costs a small request more than its own work; reading and writing JSON keeps Python's lock, so that
large documents in a thread would hold everybody up; products of matrices do not keep it.
"""

import logging
from queue import SimpleQueue

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool

from app.computation import JSON_TYPE, Answer, Call, Computation, answer_problem
from app.errors import write_problem
from app.settings import Settings
from app.worker import Worker, WorkerDiedError, WorkerFailedError

logger = logging.getLogger("gradmark")

OPERATIONS_A_NUMBER = 200
"""What writing one number as JSON takes, in multiply-adds; 20 nanoseconds."""

BYTES_A_NUMBER = 20
"""What one number takes in a JSON reply, about."""

DIED = "the process that worked on this request ended before it was done; another one takes its place"


class Placement:
    """The places where requests are worked on.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._has_workers = False
        # None stands for one that ended, and another is started when it is needed
        self._idle: SimpleQueue[Worker | None] = SimpleQueue()
        self._busy: set[Worker] = set()
        # those that wait for a worker keep no thread meanwhile
        self._limiter = CapacityLimiter(max(1, settings.processes))

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
        for worker in tuple(self._busy):
            worker.kill()
        while not self._idle.empty():
            worker_or_none = self._idle.get()
            if worker_or_none is not None:
                worker_or_none.close()

    async def answer(self, computation: Computation, call: Call) -> Answer:
        """Answer a call in the place that fits it.

        Parameters
        ----------
        computation : Computation
        call : Call

        Returns
        -------
        Answer
        """
        settings, size = self._settings, len(call.raw)
        if call.reads == JSON_TYPE and size >= settings.process_bytes and self._has_workers:
            return await to_thread.run_sync(self._answer_in_process, call, limiter=self._limiter)
        is_small = call.reads == JSON_TYPE and size <= settings.inline_bytes
        body = computation.read(call) if is_small else await run_in_threadpool(computation.read, call)
        if isinstance(body, Answer):
            return body
        work = computation.estimate(body)
        if work is not None:
            is_large = work.numbers * BYTES_A_NUMBER >= settings.process_bytes
            if call.writes == JSON_TYPE and is_large and self._has_workers:
                return await to_thread.run_sync(self._answer_in_process, call, limiter=self._limiter)
            if is_small and work.operations + OPERATIONS_A_NUMBER * work.numbers <= settings.inline_operations:
                return computation.compute(body, call)
        return await run_in_threadpool(computation.compute, body, call)

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
            return answer_problem(write_problem(503, [], detail=DIED), headers={"Retry-After": "1"})
        finally:
            if worker is not None:
                self._busy.discard(worker)
            self._idle.put(worker)
