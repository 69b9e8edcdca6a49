"""Worker processes: they run functions that would hold the GIL of the process that started them.

Each worker has two pipes, and runs one task at a time. When the process that started it ends, however it ends, its
side of the pipes closes, and so the worker ends, too.
"""

import io
import logging
import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import starmap
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import Empty, SimpleQueue
from typing import Any, Self, TypeVar, TypeVarTuple

from app.cores import VARIABLES, settle
from app.logs import SayableError, describe_exception

# not everywhere
fcntl: Any = import_module("fcntl") if find_spec("fcntl") else None

logger = logging.getLogger("gradmark")

Taken = TypeVarTuple("Taken")
Found = TypeVar("Found")

PIPE_BYTES = 1024 * 1024
"""What a pipe holds; with the 64 KiB that it holds by itself, a large document takes two or three times as long."""

LARGE_BYTES = 64 * 1024
"""Bytes of at least this size are not pickled. 20 MB there and back take 11 ms; through the pickles and pipes of
`concurrent.futures.ProcessPoolExecutor` 79 ms, and each copy holds the GIL four times as long."""

TASK_SECONDS = 60.0
"""How long a task may take before its worker counts as stuck. Budgets bound tasks to a few seconds."""

START_SECONDS = 60.0
CLOSE_SECONDS = 1.0
"""How long a worker may take to start, and to end by itself."""

WATCH_SECONDS = 0.25
"""How often workers are looked at."""

TASKS_AHEAD = 2
"""For each worker, how many tasks `Pool.map` takes before the first result is read."""

NICENESS = 5
"""Where processors are short, the process that answers everybody comes before those that compute for one."""


class WorkerDiedError(Exception):
    """A worker ended, or was ended because it was stuck, before its task was done."""


class WorkerFailedError(SayableError):
    """A task raised an exception; the message is its traceback, without values."""


class Pool:
    """Worker processes that run importable functions with arguments and results that can be pickled.

    ``bytes`` of `LARGE_BYTES` and more arrive as ``bytearray``. A pool that has no worker, or is not started, runs
    each function where it is called.

    Parameters
    ----------
    warm_up : callable
        Importable; each worker calls it first, and so imports what its tasks need.
    blas_threads : int, optional
        Of each worker; by default as in this process.

    Attributes
    ----------
    is_started : bool
        Whether there are workers.
    """

    def __init__(
        self,
        processes: int,
        warm_up: Callable[[], object],
        *,
        blas_threads: int | None = None,
        task_seconds: float = TASK_SECONDS,
    ) -> None:
        self._workers = [_Worker(warm_up, blas_threads) for _ in range(processes)]
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self.is_started = False
        self._starting, self._stopping = threading.Lock(), threading.Event()
        self._watcher: threading.Thread | None = None
        self._most_ticks = task_seconds / WATCH_SECONDS

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
        """Start the workers, and return when they are warm.

        Returns
        -------
        bool
            Whether they are; it may be tried again.
        """
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

        Raises
        ------
        WorkerDiedError
            If the worker ends on the way, or is stuck.
        WorkerFailedError
            If the function raises an exception.
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
        """Run a function for each tuple of arguments, as many at once as there are workers.

        Yields
        ------
        object
            Results in the order of the arguments, of which few are taken ahead.

        Raises
        ------
        WorkerDiedError, WorkerFailedError
            As `run` does.
        """
        if not self.is_started:
            yield from starmap(function, arguments)
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

    def _warm_up(self, worker: "_Worker") -> None:
        # whoever stops all may have passed this worker before it was there
        if self._stopping.is_set():
            worker.kill()
        worker.wait_until_warm()

    def _replace(self, worker: "_Worker") -> None:
        worker.close()
        worker.spawn()
        self._warm_up(worker)

    def _watch(self) -> None:
        """End workers that are stuck, and replace those that have died, one in each round."""
        while not self._stopping.wait(WATCH_SECONDS):
            for worker in self._workers:
                # counted, not timed: where this process itself stood still, no worker is to blame
                worker.ticks += 1
                if worker.is_busy and worker.ticks > self._most_ticks:
                    logger.error("a process that worked on one task for too long is replaced")
                    worker.kill()
            try:
                worker = self._idle.get_nowait()
            except Empty:
                continue
            try:
                if not worker.is_alive:
                    self._replace(worker)
            except WorkerDiedError:
                logger.exception("no process can be started in place of one that has ended")
            finally:
                self._give_back(worker)

    def _give_back(self, worker: "_Worker") -> None:
        self._idle.put(worker)
        # whoever stops all may have looked before
        if self._stopping.is_set():
            self._close_idle()

    def _close_idle(self) -> list["_Worker"]:
        closed = []
        with suppress(Empty):
            while True:
                closed.append(self._idle.get_nowait())
                closed[-1].close()
        return closed


class _Worker:
    """A process, or the place of one that has ended."""

    def __init__(self, warm_up: Callable[[], object], blas_threads: int | None) -> None:
        self._warm_up, self._blas_threads = warm_up, blas_threads
        self._process: BaseProcess | None = None
        self.is_warm = self.is_busy = False
        self.ticks = 0

    @property
    def is_alive(self) -> bool:
        return self.is_warm and self._process is not None and self._process.is_alive()

    def spawn(self) -> None:
        # forking a process that has threads may copy a lock that one of them holds
        context = multiprocessing.get_context("spawn")
        try:
            tasks, self._tasks = context.Pipe(duplex=False)
            self._results, results = context.Pipe(duplex=False)
            for end in (tasks, results):
                _widen(end)
            process = context.Process(target=_work, args=(tasks, results, self._blas_threads), daemon=True)
            process.start()
        except OSError as error:
            raise WorkerDiedError from error
        self._process = process
        # an end that is open in two processes is never seen to close
        tasks.close()
        results.close()

    def wait_until_warm(self) -> None:
        try:
            _send(self._tasks, *_dump((_prepare, (self._warm_up,))))
            if not self._results.poll(START_SECONDS):
                raise WorkerDiedError
            self._receive()
        except (EOFError, OSError):
            raise WorkerDiedError from None
        self.is_warm = True

    def run(self, function: Callable[[*Taken], Found], *arguments: *Taken) -> Found:
        # what cannot be pickled is found out before anything is sent
        head, buffers = _dump((function, arguments))
        self.ticks, self.is_busy = 0, True
        try:
            _send(self._tasks, head, buffers)
            found: Found = self._receive()
        except (EOFError, OSError, MemoryError):
            self.close()
            raise WorkerDiedError from None
        finally:
            self.is_busy = False
        return found

    def _receive(self) -> Any:
        is_done, found = _load(*_receive(self._results))
        if not is_done:
            raise WorkerFailedError(found)
        return found

    def kill(self) -> None:
        """End the process; whoever waits for its result finds out, and closes."""
        self.is_warm = False
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End the process: one that waits for tasks sees the pipe close, one that is stuck is killed."""
        self.is_warm = False
        if self._process is not None:
            self._tasks.close()
            self._results.close()
            self._process.join(CLOSE_SECONDS)
            self._process.kill()
            self._process.join()
            self._process = None


def _work(tasks: Connection, results: Connection, blas_threads: int | None) -> None:
    """Run tasks, one after the other, until the pipe closes."""
    if blas_threads is not None:
        # NumPy reads them when the first task imports it
        os.environ.update(dict.fromkeys(VARIABLES, str(blas_threads)))
    # signals may reach all processes of a group; this one ends when the one that started it has ended
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # not everywhere
    with suppress(AttributeError):
        os.nice(NICENESS)
    with suppress(EOFError, OSError):
        while True:
            _send(results, *_run(*_receive(tasks)))


def _prepare(warm_up: Callable[[], object]) -> None:
    warm_up()
    settle()


def _run(head: bytes, buffers: "Buffers") -> tuple[bytes, "Buffers"]:
    try:
        function, arguments = _load(head, buffers)
        return _dump((True, function(*arguments)))
    except Exception as error:  # noqa: BLE001 - the process that asked raises it, and logs it
        return _dump((False, describe_exception(error)))


Buffers = list[bytes | bytearray]


class _Pickler(pickle.Pickler):
    """Leaves large bytes out, to be sent as they are."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.buffers: Buffers = []

    def persistent_id(self, obj: object) -> int | None:
        if not isinstance(obj, bytes | bytearray) or len(obj) < LARGE_BYTES:
            return None
        self.buffers.append(obj)
        return len(self.buffers) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, head: bytes, buffers: Buffers) -> None:
        super().__init__(io.BytesIO(head))
        self._buffers = buffers

    def persistent_load(self, pid: int) -> bytes | bytearray:
        return self._buffers[pid]


def _dump(message: object) -> tuple[bytes, Buffers]:
    file = io.BytesIO()
    pickler = _Pickler(file)
    pickler.dump(message)
    return file.getvalue(), pickler.buffers


def _load(head: bytes, buffers: Buffers) -> Any:
    return _Unpickler(head, buffers).load()


def _send(pipe: Connection, head: bytes, buffers: Buffers) -> None:
    pipe.send((head, [len(buffer) for buffer in buffers]))
    for buffer in buffers:
        rest = memoryview(buffer)
        while rest:
            rest = rest[os.write(pipe.fileno(), rest) :]


def _receive(pipe: Connection) -> tuple[bytes, Buffers]:
    head, sizes = pipe.recv()
    return head, [_read(pipe, size) for size in sizes]


def _read(pipe: Connection, size: int) -> bytearray:
    buffer = bytearray(size)
    rest = memoryview(buffer)
    while rest:
        count = os.readv(pipe.fileno(), [rest])
        if count == 0:
            raise EOFError
        rest = rest[count:]
    return buffer


def _widen(pipe: Connection) -> None:
    # only Linux can, and where nobody may, a pipe stays as it is
    with suppress(AttributeError, OSError):
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
