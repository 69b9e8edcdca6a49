"""Where the work of a request is done: on the event loop, in a thread or in a worker process.

Small work is done on the loop, where it costs least. Marking and JSON hold the GIL; in a thread they would delay every
event of the loop by the switch interval, so they run in a process. Products of matrices release the GIL, so binary
bodies and long computations run in a thread, and marking does not wait for them.
"""

import logging
import math
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar, TypeVarTuple

from starlette.types import Receive

from app.operations.operation import Operation, Work
from app.settings import Settings
from app.work.computation import JSON_TYPE, Call, Reply, answer_call, compute, read_body, warm_up
from app.work.memory import MemoryBudget, Reservation
from app.work.pool import Pool, WorkerDiedError
from app.work.queue import BusyError, LoopShare, Slots

logger = logging.getLogger("gradmark")

Taken = TypeVarTuple("Taken")
Found = TypeVar("Found")

LOOP_BYTES = 16 * 1024
"""The largest JSON body that is read on the loop: reading takes 1 ns a byte, 8 where there is something to explain."""

LOOP_OPERATIONS = 10_000_000
"""What is computed and written on the loop at most, in multiply-adds: a millisecond's."""

OPERATIONS_A_NUMBER = 200
"""What writing one number as JSON takes, in multiply-adds: 20 ns."""

BYTES_A_NUMBER = 20
"""What one number takes in a JSON reply, about."""

PROCESS_BYTES = 512 * 1024
"""JSON replies of at least this size are written in a process: in a thread, writing would hold the GIL for 0.5 ms."""

LONG_OPERATIONS = 500_000_000
"""A tenth of a second's multiply-adds: in a process, marking would wait for them."""

THREADS = 1
"""Products of several requests side by side would wait for each other's cores."""

TASK_SECONDS = 40.0
"""How long a worker may take for a task before it is replaced, with the default limits.

Measured on one core: three text answers of 0.9 million numbers each, nearly what limits allow, take 17 s; numbers as
JSON, marked in full or with all gradients checked, take 4 s at most. Proxies wait for 60 s.
"""

REST_RATIO = 3.0
LONGEST_REST = 1.0
REST_STEP = 0.01
"""After each chunk, bulk marking rests for so many times what it took, and at most so many seconds, while others wait.
Whether they do is looked at in steps."""


def find_task_seconds(settings: Settings) -> float:
    """Return how long a worker may take for a task: longer by as much as a limit is raised."""
    usual = Settings.model_construct()
    raised = (
        settings.max_operations / usual.max_operations,
        settings.max_numbers / usual.max_numbers,
        settings.max_body_bytes / usual.max_body_bytes,
    )
    return TASK_SECONDS * max(1.0, *raised)


class Dispatcher:
    """The places where requests are worked on, and the bytes that they hold.

    Where there are no processes, a thread does what they would do.
    """

    def __init__(self, settings: Settings) -> None:
        count = max(1, settings.processes)
        slots = partial(Slots, max_waiting=settings.max_waiting, queue_seconds=settings.queue_seconds)
        warm = partial(warm_up, settings.log_format)
        self.pool = Pool(settings.processes, warm, task_seconds=find_task_seconds(settings))
        self.loop = LoopShare(max_waiting=settings.max_waiting)
        self.threads = slots("the compute thread", THREADS)
        # a thread for each process: it waits for the result
        self.processes = slots("the worker process", count)
        self.bulk = slots("bulk marking", count)
        self._slots = {"threads": self.threads, "processes": self.processes, "bulk": self.bulk}
        self.memory = MemoryBudget(settings.max_memory_bytes, "busy_memory", "in memory")
        self.spool = MemoryBudget(settings.max_spool_bytes, "busy_disk", "in temporary files")

    @property
    def running(self) -> dict[str, int]:
        """How many requests are worked on, by the name of the place; on the loop nothing is while this looks."""
        return {name: slots.running for name, slots in self._slots.items()}

    @property
    def waiting(self) -> dict[str, int]:
        """How many requests wait, by the name of the place."""
        return {"loop": self.loop.waiting} | {name: slots.waiting for name, slots in self._slots.items()}

    def stop(self) -> None:
        """End the processes, whatever they work on: whoever waits for it has been answered."""
        for slots in self._slots.values():
            slots.stop()
        self.pool.stop()

    def find_place(self, operation: Operation, reads: str, size: float = math.inf) -> "Place | None":
        """Return where a request will wait, going by its head; None where that shows when its body has been read."""
        if operation.estimate is None:
            return self._place_to_read(reads)
        # a large body is looked at when it has arrived: looked at twice, it would hardly ever find room
        return self.loop if reads == JSON_TYPE and size <= LOOP_BYTES else None

    async def answer(
        self, operation: Operation, call: Call, receive: Receive | None, reservation: Reservation
    ) -> Reply:
        """Answer a call in the place that fits it; raise a `BusyError` where there is too much to do.

        A client that leaves gives up its turn: ``receive`` is ASGI's, after the body. The reservation holds the body.
        """
        place = self.find_place(operation, call.reads, len(call.raw)) or self._place_to_read(call.reads)
        if place is self.loop:
            await self.loop.wait()
            with self.loop:
                found = self._answer_at(place, operation, call, reservation)
            if isinstance(found, Reply):
                return found
            place = found
        elif len(call.raw) >= PROCESS_BYTES:
            # nobody has read it, so the reply is taken for as large as the body
            reservation.reserve(2 * len(call.raw))
        if place is self.threads:
            found = await self.threads.run(receive, self._answer_at, place, operation, call, reservation)
            if isinstance(found, Reply):
                return found
        return await self.processes.run(receive, self._run, answer_call, call)

    def _answer_at(self, place: "Place", operation: Operation, call: Call, reservation: Reservation) -> "Reply | Place":
        """Answer what is to be done in this place, and return where anything else is."""
        body = read_body(operation, call)
        if isinstance(body, Reply):
            return body
        work = operation.estimate(body) if operation.estimate else None
        # what is more than a result may have is refused before it is made
        if work is not None and work.numbers <= call.budget.numbers:
            reservation.reserve(len(call.raw) + work.numbers * BYTES_A_NUMBER)
        right_place = self._place_read(work, call)
        return compute(operation, body, call) if right_place is place else right_place

    def _place_to_read(self, reads: str) -> Slots:
        return self.processes if reads == JSON_TYPE else self.threads

    def _place_read(self, work: Work | None, call: Call) -> "Place":
        if work and call.writes == JSON_TYPE and work.numbers * BYTES_A_NUMBER >= PROCESS_BYTES:
            return self.processes
        if call.reads != JSON_TYPE or (work and work.operations >= LONG_OPERATIONS):
            return self.threads
        is_small = work and work.operations + OPERATIONS_A_NUMBER * work.numbers <= LOOP_OPERATIONS
        return self.loop if is_small else self.processes

    async def take_turn(self, receive: Receive | None, function: Callable[[], Found]) -> Found:
        """Call a function in a thread for bulk marking; bulk requests take turns chunk by chunk, in order.

        Until its reply begins, a request waits for a turn as for any other place. Then ``receive`` is None, and it
        waits however long: a client that leaves cancels it.
        """
        return await self.bulk.run(receive, self._call_and_rest, function, is_under_way=receive is None)

    def run_chunk(self, function: Callable[[*Taken], Found], *arguments: *Taken) -> Found:
        """Run an importable function in a worker process, in a turn of bulk marking.

        A `BusyError` says that the process ended on the way.
        """
        return self.processes.call(self._run, function, *arguments)

    def _call_and_rest(self, function: Callable[[], Found]) -> Found:
        """Call a function, and rest for a time that goes by how long it took, while single requests wait."""
        started = time.monotonic()
        found = function()
        ended = time.monotonic()
        end = ended + min(REST_RATIO * (ended - started), LONGEST_REST)
        while (self.processes.waiting or self.threads.waiting) and time.monotonic() < end:
            time.sleep(REST_STEP)
        return found

    def _run(self, function: Callable[[*Taken], Found], *arguments: *Taken) -> Found:
        try:
            return self.pool.run(function, *arguments)
        except WorkerDiedError:
            logger.exception("a worker process ended or was stuck before its task was done")
            raise BusyError(
                "worker_died", "the process that worked on this request ended or was stuck; another one takes its place"
            ) from None


Place = LoopShare | Slots
