"""Where work is done: small work on the event loop, most in threads, large JSON in a process of its own.

A thread costs a small request more than its own work; reading and writing JSON keeps Python's lock, so that
large documents in a thread would hold everybody up; products of matrices do not keep it.
"""

import asyncio
import multiprocessing
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor

from starlette.concurrency import run_in_threadpool

from app.computation import JSON_TYPE, Answer, Call, Computation, answer_problem
from app.errors import write_problem
from app.settings import Settings
from app.worker import answer_call, begin_work, is_warm

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
        self._pool: ProcessPoolExecutor | None = None

    def start(self) -> None:
        """Start the processes, and return when they are warm; without this, threads do their work."""
        if self._settings.processes:
            pool = self._new_pool()
            # each takes one of them, since none is free before it has begun
            for started in [pool.submit(is_warm) for _ in range(self._settings.processes)]:
                started.result()
            self._pool = pool

    def stop(self) -> None:
        """End the processes, when what they work on is done."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

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
        if call.reads == JSON_TYPE and size >= settings.process_bytes and self._pool:
            return await self._answer_in_process(call, self._pool)
        is_small = call.reads == JSON_TYPE and size <= settings.inline_bytes
        body = computation.read(call) if is_small else await run_in_threadpool(computation.read, call)
        if isinstance(body, Answer):
            return body
        work = computation.estimate(body)
        if work is not None:
            is_large = work.numbers * BYTES_A_NUMBER >= settings.process_bytes
            if call.writes == JSON_TYPE and is_large and self._pool:
                return await self._answer_in_process(call, self._pool)
            if is_small and work.operations + OPERATIONS_A_NUMBER * work.numbers <= settings.inline_operations:
                return computation.compute(body, call)
        return await run_in_threadpool(computation.compute, body, call)

    async def _answer_in_process(self, call: Call, pool: ProcessPoolExecutor) -> Answer:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, answer_call, call)
        except BrokenExecutor:
            # the first of those that waited for it makes another one
            if self._pool is pool:
                self._pool = self._new_pool()
            return answer_problem(write_problem(503, [], detail=DIED), headers={"Retry-After": "1"})

    def _new_pool(self) -> ProcessPoolExecutor:
        # forking a process that has threads may copy a lock that one of them holds
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._settings.processes, mp_context=context, initializer=begin_work)
