"""A process beside the one that serves: it answers calls that would hold everybody else up.

Calls and answers go through two pipes, one at a time. When the process that serves ends, however it ends, its
side of the pipes closes, and so the worker ends, too.
"""

import multiprocessing
import os
import signal
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Any

from app.cores import settle
from app.logs import SayableError, configure_logs, describe_exception
from app.marking import LongLine, answer_line
from app.operations import OPERATIONS
from app.work.computation import Answer, Call, answer

# not everywhere
fcntl: Any = import_module("fcntl") if find_spec("fcntl") else None

PIPE_BYTES = 1024 * 1024
"""What a pipe holds; with the 64 KiB that it holds by itself, a large document takes two or three times as long."""


CLOSE_SECONDS = 1.0
"""How long a worker may take to end by itself."""

NICENESS = 5
"""Where processors are short, the process that answers everybody comes before those that compute for one."""


class WorkerDiedError(Exception):
    """A worker ended before it had answered."""


class WorkerFailedError(SayableError):
    """A worker met an error that it did not foresee; the message is its traceback."""


class Worker:
    """The serving side of a worker: it takes one call at a time."""

    def __init__(self) -> None:
        # forking a process that has threads may copy a lock that one of them holds
        context = multiprocessing.get_context("spawn")
        calls, self._calls = context.Pipe(duplex=False)
        self._answers, answers = context.Pipe(duplex=False)
        for end in (calls, answers):
            _widen(end)
        self._process = context.Process(target=answer_calls, args=(calls, answers), daemon=True)
        self._process.start()
        # an end that is open in two processes is never seen to close
        calls.close()
        answers.close()

    @property
    def is_alive(self) -> bool:
        """Whether the worker can take a call."""
        return self._process.is_alive()

    def wait_until_warm(self) -> None:
        """Return when the worker has imported what it needs.

        Raises
        ------
        WorkerDiedError
            If it ends before.
        """
        try:
            self._answers.recv()
        except (EOFError, OSError):
            raise WorkerDiedError from None

    def answer(self, call: Call | LongLine) -> Answer:
        """Answer a call.

        Raises
        ------
        WorkerDiedError
            If the worker ends on the way.
        WorkerFailedError
            If it meets an error that it did not foresee.
        """
        try:
            self._calls.send(replace(call, raw=b""))
            _send_content(self._calls, call.raw)
            found: Answer | str = self._answers.recv()
            if isinstance(found, str):
                raise WorkerFailedError(found)
            return replace(found, content=receive_content(self._answers))
        except (EOFError, OSError):
            raise WorkerDiedError from None

    def kill(self) -> None:
        """End the worker's process, whatever it does; who waits for its answer finds out and closes it."""
        self._process.kill()

    def close(self) -> None:
        """End the worker: one that waits for calls sees the pipe close, one that is stuck is ended."""
        self._calls.close()
        self._answers.close()
        self._process.join(CLOSE_SECONDS)
        self._process.kill()
        self._process.join()


def answer_calls(calls: Connection, answers: Connection) -> None:
    """Answer calls, one after the other, until the pipe closes."""
    # signals may reach all processes of a group; this one ends when the one that serves has ended
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # not everywhere
    with suppress(AttributeError):
        os.nice(NICENESS)
    # what it says beside its answers, NumPy's warnings for one, has the form of all that is logged
    configure_logs("warning")
    settle()
    with suppress(EOFError, OSError):
        answers.send(None)
        while True:
            call: Call | LongLine = calls.recv()
            _answer(replace(call, raw=receive_content(calls)), answers)


def _answer(call: Call | LongLine, answers: Connection) -> None:
    try:
        found = answer(OPERATIONS[call.operation], call) if isinstance(call, Call) else answer_line(call)
    except Exception as error:  # noqa: BLE001 - the one that serves logs it and answers for it
        answers.send(describe_exception(error))
    else:
        answers.send(replace(found, content=b""))
        _send_content(answers, found.content)


def _send_content(pipe: Connection, content: bytes | bytearray) -> None:
    # pickled, or sent as the connection sends bytes, a large content takes twice as long: it is copied on the way
    pipe.send(len(content))
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(pipe.fileno(), rest) :]


def receive_content(pipe: Connection) -> bytearray:
    """Receive what was sent as it is, its length first.

    Raises
    ------
    EOFError
        If the pipe ends before.
    """
    content = bytearray(pipe.recv())
    rest = memoryview(content)
    while rest:
        count = os.readv(pipe.fileno(), [rest])
        if count == 0:
            raise EOFError
        rest = rest[count:]
    return content


def _widen(pipe: Connection) -> None:
    # only Linux can, and where nobody may, a pipe stays as it is
    with suppress(AttributeError, OSError):
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
