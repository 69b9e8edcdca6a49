"""A file marked in several processes: each takes the next chunk, and writes its reply when its turn has come.

The process that starts them only sums up, so no line passes through it.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from os import _exit
from pathlib import Path
from typing import BinaryIO, cast

from app.cores import VARIABLES
from app.marking.chunks import ChunkMarker, Terms
from app.marking.lines import Pace, count_lines, open_lines, read_chunk
from app.record import Summary

MOST_WAITING = 8 * 1024 * 1024
"""Bytes of replies that a worker holds while another one's turn lasts."""


END = b""
"""After the last piece of the reply to a chunk."""


class WorkerError(Exception):
    """A worker ended before its work was done."""


@dataclass(frozen=True, kw_only=True)
class FileWork:
    """A file to mark.

    Parameters
    ----------
    start : int
        Where its lines begin, after the defaults.
    target : Path
        Where replies are added; it exists.
    """

    terms: Terms
    source: Path
    start: int
    target: Path


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Lines that one process has taken.

    Parameters
    ----------
    number : int
        Which chunk it is, counted from 0.
    first : int
        The index of its first line.
    end : int
        Where it ends in the file.
    """

    content: bytes
    number: int
    first: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Done:
    """A chunk that has been marked.

    Parameters
    ----------
    number : int
        Which one, counted from 0.
    end : int
        Where it ends in the file.
    parts : list of Summary
        Of the pieces of the reply to it.
    """

    number: int
    end: int
    parts: list[Summary]


class Turns:
    """Where all workers together are in the file, and in the reply.

    Parameters
    ----------
    start : int
        Where the lines begin.
    """

    def __init__(self, context: SpawnContext, start: int) -> None:
        self._reading = context.Lock()
        self._place = context.Value("q", start, lock=False)
        self._lines = context.Value("q", 0, lock=False)
        self._taken = context.Value("q", 0, lock=False)
        self._writing = context.Condition()
        self._written = context.Value("q", 0, lock=False)

    def take(self, file: BinaryIO, size: int, longest: int) -> Chunk:
        """Take the next chunk.

        Parameters
        ----------
        size, longest : int
            As `read_chunk` takes them.

        Returns
        -------
        Chunk
            Without content at the end of the file.
        """
        with self._reading:
            file.seek(self._place.value)
            content = read_chunk(file, size, longest)
            chunk = Chunk(content=content, number=self._taken.value, first=self._lines.value, end=file.tell())
            self._place.value = chunk.end
            self._lines.value += count_lines(content, longest)
            self._taken.value += 1
        return chunk

    def put(self, file: BinaryIO, pieces: deque[tuple[int, bytes]], most: int) -> None:
        """Write the pieces whose turn has come, and wait for it while more bytes than that are left.

        Parameters
        ----------
        pieces : deque of tuple of int and bytes
            The numbers of chunks and pieces of the replies to them, the last of each without content; what is written
            is taken out.
        """
        with self._writing:
            while pieces:
                number, piece = pieces[0]
                if number == self._written.value:
                    file.write(piece)
                    file.flush()
                    pieces.popleft()
                    if not piece:
                        self._written.value += 1
                        self._writing.notify_all()
                elif sum(len(piece) for _, piece in pieces) > most:
                    self._writing.wait()
                else:
                    return


def mark_file(work: FileWork, processes: int) -> Iterator[Done]:
    """Mark a file in several processes.

    Yields
    ------
    Done
        Chunks in their order.

    Raises
    ------
    WorkerError
        If one of the processes ended before its work was done; the others are ended, too.
    OSError
        If the file could not be read, or the replies not be written.
    """
    context = multiprocessing.get_context("spawn")
    turns = Turns(context, work.start)
    workers: dict[Connection, SpawnProcess] = {}
    try:
        with _one_thread_each():
            for _ in range(processes):
                reports, sender = context.Pipe(duplex=False)
                worker = context.Process(target=_work, args=(work, turns, sender), daemon=True)
                worker.start()
                workers[reports] = worker
                # so that the pipe ends with the worker
                sender.close()
        yield from _in_order(_collect(dict(workers)))
    finally:
        for worker in workers.values():
            worker.kill()
            worker.join()


def _collect(workers: dict[Connection, SpawnProcess]) -> Iterator[Done]:
    while workers:
        for reports in set(workers).intersection(wait(list(workers))):
            try:
                found = reports.recv()
            except (EOFError, OSError):
                # its end of the pipe is closed, in the middle of a report perhaps
                _require_success(workers.pop(reports))
                continue
            if isinstance(found, OSError):
                # with that, it has come to its end
                workers[reports].join()
                raise found
            yield found


def _require_success(worker: SpawnProcess) -> None:
    worker.join()
    if worker.exitcode:
        raise WorkerError(f"a process that marked ended with status {worker.exitcode}; the reply is cut")


def _in_order(chunks: Iterator[Done]) -> Iterator[Done]:
    early: dict[int, Done] = {}
    number = 0
    for done in chunks:
        early[done.number] = done
        while number in early:
            yield early.pop(number)
            number += 1


def _work(work: FileWork, turns: Turns, reports: Connection) -> None:
    """Be a worker."""
    # an interrupt from the keyboard reaches all processes, and the first one ends the others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _mark_chunks(work, turns, reports)
    except OSError as error:
        reports.send(error)


def _mark_chunks(work: FileWork, turns: Turns, reports: Connection) -> None:
    marker, pace = ChunkMarker(work.terms), Pace()
    pieces: deque[tuple[int, bytes]] = deque()
    with open_lines(work.source) as source, work.target.open("ab") as target:
        while True:
            chunk = turns.take(source, pace.size, work.terms.longest)
            if not chunk.content:
                break
            parts = []
            for piece, part in pace.follow(marker.mark(chunk.content, chunk.first)):
                parts.append(part)
                pieces.append((chunk.number, piece))
                turns.put(target, pieces, MOST_WAITING)
            pieces.append((chunk.number, END))
            turns.put(target, pieces, MOST_WAITING)
            reports.send(Done(number=chunk.number, end=chunk.end, parts=parts))
        turns.put(target, pieces, 0)


def _end_with_parent() -> None:
    cast("BaseProcess", multiprocessing.parent_process()).join()
    _exit(1)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Have processes that start meanwhile compute in one thread each: there are as many as cores."""
    before = {name: os.environ.get(name) for name in VARIABLES}
    os.environ.update(dict.fromkeys(VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
