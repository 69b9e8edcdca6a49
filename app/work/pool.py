"""Worker processes: they run functions that would hold the GIL of the process that started them."""

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Self, TypeVar, TypeVarTuple

from app.work.worker import CLOSE_SECONDS, Worker, WorkerDiedError, WorkerFailedError

__all__ = ["Pool", "WorkerDiedError", "WorkerFailedError"]

logger = logging.getLogger("gradmark")

Taken = TypeVarTuple("Taken")
Found = TypeVar("Found")

WATCH_SECONDS = 0.25
"""How often workers are looked at."""

TASKS_AHEAD = 2
"""For each worker, how many tasks `Pool.map` takes before the first result is read."""


class Pool:
    """Worker processes that run importable functions with arguments and results that can be pickled.

    Each worker calls ``warm_up`` first, which is importable, too, and so imports what its tasks need. A pool that has
    no worker, or is not started, runs each function where it is called. A worker that takes longer than
    ``task_seconds`` for a task counts as stuck, and is replaced.
    """

    def __init__(
        self,
        processes: int,
        warm_up: Callable[[], object],
        *,
        blas_threads: int | None = None,
        task_seconds: float = math.inf,
    ) -> None:
        self._workers = [Worker(warm_up, blas_threads) for _ in range(processes)]
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        self._task_seconds = task_seconds
        self._starting, self._stopping = threading.Lock(), threading.Event()
        self._watcher: threading.Thread | None = None
        self.is_started = False

    def __enter__(self) -> Self:
        """Start the workers."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers."""
        self.stop()

    @property
    def is_working(self) -> bool:
        """Whether tasks get done: False where every worker has died or is being replaced."""
        return not self.is_started or any(worker.is_warm for worker in self._workers)

    def start(self) -> bool:
        """Start the workers, and return whether they are warm; if not, it may be tried again."""
        with self._starting:
            self._stopping.clear()
            try:
                for worker in self._workers:
                    worker.spawn()
                for worker in self._workers:
                    self._warm_up(worker)
            except WorkerDiedError:
                if not self._stopping.is_set():
                    logger.exception("no process can be started; until one can, the service is not ready")
                for worker in self._workers:
                    worker.kill()
                    worker.close()
                return False
            for worker in self._workers:
                self._idle.put(worker)
            if self._workers:
                self.is_started = True
                self._watcher = threading.Thread(target=self._watch, name="pool", daemon=True)
                self._watcher.start()
            return True

    def stop(self) -> None:
        """End the workers, whatever they work on."""
        self._stopping.set()
        self.is_started = False
        idle = self._close_idle()
        for worker in self._workers:
            if worker not in idle:
                worker.kill()
        # whoever starts workers meanwhile finds them killed
        with self._starting:
            if self._watcher is not None:
                self._watcher.join(CLOSE_SECONDS)

    def run(self, function: Callable[[*Taken], Found], *arguments: *Taken) -> Found:
        """Run a function in a worker, and wait for its result.

        Raises a `WorkerDiedError` if the worker ends on the way or is stuck, or where something cannot be pickled, and
        a `WorkerFailedError` if the function raises an exception.
        """
        if not self.is_started:
            return function(*arguments)
        worker = self._idle.get()
        try:
            if not worker.is_alive:
                self._replace(worker)
            return worker.run(function, *arguments)
        finally:
            self._give_back(worker)

    def map(self, function: Callable[[*Taken], Found], arguments: Iterable[tuple[*Taken]]) -> Iterator[Found]:
        """Run a function for each tuple of arguments, and yield results in their order; raise errors as `run` does.

        Until the workers have started, the function runs here.
        """
        arguments = iter(arguments)
        while not self.is_started:
            for each in islice(arguments, 1):
                yield function(*each)
                break
            else:
                return
        count = len(self._workers)
        ahead: deque[Future[Found]] = deque()
        threads = ThreadPoolExecutor(count)
        try:
            for each in arguments:
                ahead.append(threads.submit(partial(self.run, function, *each)))
                if len(ahead) > TASKS_AHEAD * count:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def _warm_up(self, worker: Worker) -> None:
        # whoever stops all may have passed this worker before it was there
        if self._stopping.is_set():
            worker.kill()
        worker.wait_until_warm()

    def _replace(self, worker: Worker) -> None:
        worker.close()
        worker.spawn()
        self._warm_up(worker)

    def _watch(self) -> None:
        """End workers that are stuck, and replace those that have died, one in each round."""
        while not self._stopping.wait(WATCH_SECONDS):
            for worker in self._workers:
                if worker.kill_if_stuck(self._task_seconds):
                    logger.error("a process that worked on one task for too long is replaced")
            try:
                worker = self._idle.get_nowait()
            except Empty:
                continue
            try:
                if not worker.is_alive:
                    self._replace(worker)
            except WorkerDiedError:
                logger.exception("no process can be started in place of one that has ended")
                self._stopping.wait(4 * WATCH_SECONDS)
            finally:
                self._give_back(worker)

    def _give_back(self, worker: Worker) -> None:
        self._idle.put(worker)
        # whoever stops all may have looked before
        if self._stopping.is_set():
            self._close_idle()

    def _close_idle(self) -> list[Worker]:
        closed = []
        with suppress(Empty):
            while True:
                closed.append(self._idle.get_nowait())
                closed[-1].close()
        return closed
