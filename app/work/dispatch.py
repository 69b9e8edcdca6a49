"""Where work is done: small work on the event loop, other JSON in a process of its own, the rest in threads.

A process or a thread costs a small request more than its own work. Marking, and reading and writing JSON, keep
Python's lock: in a thread they would let the loop have it for every event anew, a millisecond late each time.
Products of matrices do not keep it. What is known to be long goes to a thread all the same, so that marking does
not wait for it. Each place has a `Queue` in front of it.
"""

import time
from collections.abc import Callable
from typing import TypedDict, TypeVar, TypeVarTuple

from starlette.types import Receive

from app.errors import describe_error
from app.operations import Operation
from app.schemas.compute_bodies import Work
from app.settings import Settings
from app.work.computation import JSON_TYPE, Answer, Call, answer_call, answer_problem, compute, read_body, warm_up
from app.work.memory import HeldBytes, Share
from app.work.pool import Pool, WorkerDiedError
from app.work.queue import BusyError, Queue, Rounds, Threads, Turns

Taken = TypeVarTuple("Taken")
Found = TypeVar("Found")

OPERATIONS_A_NUMBER = 200
"""What writing one number as JSON takes, in multiply-adds; 20 nanoseconds."""

BYTES_A_NUMBER = 20
"""What one number takes in a JSON reply, about."""

LONG_OPERATIONS = 500_000_000
"""A tenth of a second's multiply-adds: in a process, all that comes after would wait for it."""

WAYS_GIVEN = 3.0
LONGEST_WAY = 0.1
"""While others wait, marking in bulk does nothing for so many times the seconds that it works, and at most so many."""

DIED = "the process that worked on this request ended before it was done; another one takes its place"


class Patience(TypedDict):
    """How many may wait, and how long."""

    max_waiting: int
    queue_seconds: float


class Placement:
    """The places where requests are worked on.

    Attributes
    ----------
    bulk : Turns
        What stands in front of each place.
    held_bytes, held_reply_bytes, held_bulk_bytes : HeldBytes
        Bodies and replies in memory, and bulk requests in temporary files.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.pool = Pool(settings.processes, warm_up)
        patience = Patience(max_waiting=settings.max_waiting, queue_seconds=settings.queue_seconds)
        self.loop = Rounds("the event loop", max_waiting=settings.max_waiting)
        self.threads = Threads("a thread", settings.threads, **patience)
        # a thread for each process: it waits for the answer
        self.processes = Threads("a process", max(1, settings.processes), **patience)
        self.bulk = Turns("the marking in bulk", settings.bulk_requests, **patience)
        always = settings.inline_bytes
        self.held_bytes = HeldBytes(settings.max_held_bytes, "busy_memory", "of bodies in memory", always=always)
        self.held_reply_bytes = HeldBytes(
            settings.max_held_reply_bytes, "busy_replies", "of replies in memory", always=always
        )
        self.held_bulk_bytes = HeldBytes(settings.max_held_bulk_bytes, "busy_disk", "in temporary files")

    @property
    def queues(self) -> dict[str, Queue]:
        """What stands in front of each place, by its name."""
        return {"loop": self.loop, "threads": self.threads, "processes": self.processes, "bulk": self.bulk}

    def start(self) -> bool:
        """Start the processes, and return when they are warm; without this, threads do their work.

        Returns
        -------
        bool
            Whether they are there; it may be tried again.
        """
        return self.pool.start()

    @property
    def has_workers(self) -> bool:
        """Whether there are processes; threads do their work otherwise."""
        return self.pool.is_started

    def stop(self) -> None:
        """End the processes, whatever they work on: whoever waits for it has been answered."""
        self.threads.stop()
        self.processes.stop()
        self.pool.stop()

    def give_way(self, seconds: float) -> None:
        """Let whoever waits go first: for a thread that marks in bulk, after each line.

        Parameters
        ----------
        seconds : float
            What the line took.
        """
        if self.processes.waiting or self.threads.waiting:
            time.sleep(min(WAYS_GIVEN * seconds, LONGEST_WAY))

    async def answer(
        self, operation: Operation, call: Call, receive: Receive | None = None, reply: Share | None = None
    ) -> Answer:
        """Answer a call in the place that fits it.

        Parameters
        ----------
        receive : callable, optional
            As ASGI has it, after the request's body: a client that leaves gives up its turn.
        reply : Share, optional
            Of `held_reply_bytes`, until the reply has been sent.

        Raises
        ------
        BusyError
            If there is too much to do.
        """
        reply = reply or Share(self.held_reply_bytes)
        place = self._find_place(call.reads)
        if self._is_short(operation, call.reads, len(call.raw)):
            await self.loop.wait()
            with self.loop:
                answer_or_place = self._answer_on_loop(operation, call, reply)
            if isinstance(answer_or_place, Answer):
                return answer_or_place
            place = answer_or_place
        elif len(call.raw) >= self._settings.process_bytes:
            # nobody has read it, so it is taken for as large as the body
            reply.expect(len(call.raw))
        if place is self.threads:
            answer = await self.threads.run(receive, self._answer_in_thread, operation, call, reply)
            if answer is not None:
                return answer
        return await self.processes.run(receive, self._answer_in_process, call)

    async def run_chunk(self, function: Callable[[*Taken], Found], *arguments: *Taken) -> Found:
        """Run an importable function in a worker process for a bulk request, however long it waits for its turn.

        Raises
        ------
        BusyError
            If the process ends on the way.
        """
        return await self.processes.run(None, self._run, function, *arguments, is_under_way=True)

    def require_room(self, operation: Operation, reads: str) -> None:
        """Check, before a body is read, that there is room for what will be worked on somewhere else in any case.

        Parameters
        ----------
        reads : str
            The body's media type.

        Raises
        ------
        BusyError
            If there is none.
        """
        # a large body is looked at when it has arrived: looked at twice, it would hardly ever find room
        if operation.estimate is None:
            self._find_place(reads).require_room()

    def _is_short(self, operation: Operation, reads: str, size: int) -> bool:
        # what says nothing of its work is read where it is done
        most = min(self._settings.inline_bytes, self._settings.process_bytes - 1)
        return operation.estimate is not None and reads == JSON_TYPE and size <= most

    def _find_place(self, reads: str) -> Threads:
        return self.processes if reads == JSON_TYPE and self.has_workers else self.threads

    def _answer_on_loop(self, operation: Operation, call: Call, reply: Share) -> Answer | Threads:
        """Answer what is small, and say where other work is to be done."""
        body = read_body(operation, call)
        if isinstance(body, Answer):
            return body
        work = operation.estimate(body) if operation.estimate else None
        if self._is_small(work, call):
            return compute(operation, body, call)
        _expect_reply(work, reply)
        is_long = work is not None and work.operations >= LONG_OPERATIONS
        return self.threads if is_long and not self._is_for_process(work, call) else self._find_place(call.reads)

    def _answer_in_thread(self, operation: Operation, call: Call, reply: Share) -> Answer | None:
        """Answer what is not for a process."""
        body = read_body(operation, call)
        if isinstance(body, Answer):
            return body
        work = operation.estimate(body) if operation.estimate else None
        _expect_reply(work, reply)
        return None if self._is_for_process(work, call) else compute(operation, body, call)

    def _is_small(self, work: Work | None, call: Call) -> bool:
        return (
            work is not None
            and not self._is_for_process(work, call)
            and work.operations + OPERATIONS_A_NUMBER * work.numbers <= self._settings.inline_operations
        )

    def _is_for_process(self, work: Work | None, call: Call) -> bool:
        is_large = work is not None and work.numbers * BYTES_A_NUMBER >= self._settings.process_bytes
        return is_large and call.writes == JSON_TYPE and self.has_workers

    def _answer_in_process(self, call: Call) -> Answer:
        try:
            return self._run(answer_call, call)
        except BusyError as error:
            return answer_problem(describe_error(error), headers=error.headers)

    def _run(self, function: Callable[[*Taken], Found], *arguments: *Taken) -> Found:
        try:
            return self.pool.run(function, *arguments)
        except WorkerDiedError:
            raise BusyError("worker_died", DIED) from None


def _expect_reply(work: Work | None, reply: Share) -> None:
    if work is not None:
        reply.expect(work.numbers * BYTES_A_NUMBER)
