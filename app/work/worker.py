"""One worker process, and the pipes through which it takes tasks and brings results.

When the process that started a worker ends, however it ends, its side of the pipes closes, and so the worker ends.
"""

import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Lock
from typing import Any, BinaryIO, Literal, TypeVar, TypeVarTuple, cast

from app.cores import VARIABLES, settle
from app.logs import SayableError, describe_exception

# not everywhere
fcntl: Any = import_module("fcntl") if find_spec("fcntl") else None

Taken = TypeVarTuple("Taken")
Found = TypeVar("Found")

PIPE_BYTES = 1024 * 1024
"""What a pipe holds; with the 64 KiB that it holds by itself, a large document takes two or three times as long.

Pickled straight into such a pipe, 20 MB there and back take 10 ms and a small task 8 µs. Through
`concurrent.futures.ProcessPoolExecutor` they take 79 ms and 87 µs, and the GIL is held four times as long.
"""

START_SECONDS = 60.0
CLOSE_SECONDS = 1.0
"""How long a worker may take to start, and to end by itself."""

NICENESS = 5
"""Where processors are short, the process that answers everybody comes before those that compute for one."""


class WorkerDiedError(Exception):
    """A worker ended, or was ended because it was stuck, before its task was done."""


class WorkerFailedError(SayableError):
    """A task raised an exception; the message is its traceback, without values."""


class Worker:
    """A process that runs one task at a time, or the place of one that has ended."""

    def __init__(self, warm_up: Callable[[], object], blas_threads: int | None) -> None:
        self._warm_up, self._blas_threads = warm_up, blas_threads
        self._process: BaseProcess | None = None
        self.is_warm = False
        self._lock = Lock()
        # its task, by `time.monotonic`; None while it has none
        self._began: float | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it can take a task."""
        return self.is_warm and self._process is not None and self._process.is_alive()

    def spawn(self) -> None:
        """Start the process; raise a `WorkerDiedError` where none can be started."""
        # forking a process that has threads may copy a lock that one of them holds
        context = multiprocessing.get_context("spawn")
        try:
            tasks, to_worker = context.Pipe(duplex=False)
            from_worker, results = context.Pipe(duplex=False)
            self._tasks, self._results = _open(to_worker, "wb"), _open(from_worker, "rb")
            process = context.Process(target=_work, args=(tasks, results, self._blas_threads), daemon=True)
            process.start()
        except OSError as error:
            raise WorkerDiedError from error
        self._process = process
        # an end that is open in two processes is never seen to close
        tasks.close()
        results.close()

    def wait_until_warm(self) -> None:
        """Return when the process has imported what its tasks need; raise a `WorkerDiedError` if it ends before."""
        try:
            _write(self._tasks, (_prepare, (self._warm_up,)))
            if not wait([self._results.fileno()], START_SECONDS) or not _read(self._results)[0]:
                raise WorkerDiedError
        except (EOFError, OSError):
            raise WorkerDiedError from None
        self.is_warm = True

    def run(self, function: Callable[[*Taken], Found], *arguments: *Taken) -> Found:
        """Run a function, and wait for its result."""
        try:
            is_done, found = self._exchange(function, arguments)
        except Exception as error:
            # whatever it is, what is in the pipes is not known any more
            self.close()
            raise WorkerDiedError from error
        if not is_done:
            raise WorkerFailedError(found)
        return cast("Found", found)

    def _exchange(self, *task: object) -> Any:
        with self._lock:
            self._began = time.monotonic()
        try:
            _write(self._tasks, task)
            return _read(self._results)
        finally:
            with self._lock:
                self._began = None

    def kill_if_stuck(self, seconds: float) -> bool:
        """End the process if it has been at a task for longer than that; return whether it has."""
        # not between its task's end and the next one's beginning
        with self._lock:
            is_stuck = self._began is not None and time.monotonic() - self._began > seconds
            if is_stuck:
                self.kill()
        return is_stuck

    def kill(self) -> None:
        """End the process; whoever waits for its result finds out, and closes."""
        self.is_warm = False
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End the process: one that waits for tasks sees the pipe close, one that is stuck is killed."""
        self.is_warm = False
        if self._process is not None:
            with suppress(OSError):
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
    with suppress(EOFError, BrokenPipeError), _open(tasks, "rb") as source, _open(results, "wb") as target:
        while True:
            _do_task(source, target)


def _do_task(tasks: BinaryIO, results: BinaryIO) -> None:
    function, arguments = _read(tasks)
    try:
        result = True, function(*arguments)
    except Exception as error:  # noqa: BLE001 - the process that asked raises it, and logs it
        result = False, describe_exception(error)
    _write(results, result)


def _prepare(warm_up: Callable[[], object]) -> None:
    warm_up()
    settle()


def _write(pipe: BinaryIO, message: object) -> None:
    pickle.dump(message, pipe, pickle.HIGHEST_PROTOCOL)
    pipe.flush()


def _read(pipe: BinaryIO) -> Any:
    return pickle.load(pipe)  # noqa: S301 - both ends of the pipe are this program


def _open(pipe: Connection, mode: Literal["rb", "wb"]) -> BinaryIO:
    """Make a file of a pipe's end, which pickles without copying what is large."""
    # only Linux can, and where nobody may, a pipe stays as it is
    with suppress(AttributeError, OSError):
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    with pipe:
        return os.fdopen(os.dup(pipe.fileno()), mode)
