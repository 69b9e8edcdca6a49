"""The command ``python -m app grade IN OUT``: marks the submissions of a file, as /v1/grades/bulk does."""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import mmap
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import BinaryIO, NamedTuple, cast

from tqdm import tqdm

from app.access.admission import Access
from app.cores import count_cores
from app.marking.chunks import Terms, find_refusal, mark_chunk
from app.marking.lines import CHUNK_BYTES, open_lines, read_chunk, split_lines, take_defaults
from app.marking.replies import write_summary
from app.record import Summary
from app.settings import Settings
from app.work.pool import Pool, WorkerDiedError

BYTES_EACH = 256 * 1024
"""A process takes half a second to start: with fewer bytes to mark, it is not worth it."""

PART_BYTES = 1024 * 1024
SHARES = 16
FEWEST_BYTES = 16 * 1024
"""Parts are so small that each process gets some, and the last ones end at about one time."""

MOST_WAITING = 8 * 1024 * 1024
"""Bytes of a reply that a process keeps while it waits for those to the parts before."""

TURN_SECONDS = 0.0005
"""How often a process looks whether it may write; a part takes ten times as long or more."""

NUMBER_BYTES = 8


def grade_file(settings: Settings, submissions: Path, grades: Path, *, processes: int | None = None) -> int:
    """Mark the submissions of a file, in one process for each core unless told; either file may be a pipe.

    Returns
    -------
    int
        0, whatever is wrong with single lines; 2 if a file or the line of defaults cannot be used; 1 if a
        process was ended from outside, and the reply is cut.
    """
    try:
        if grades.is_file() and grades.samefile(submissions):
            sys.stderr.write(f"{grades}: the reply would overwrite the submissions\n")
            return 2
        with _as_file(submissions) as file, open_lines(file) as source:
            # whoever has the files and this program may do everything with them
            terms = Terms(
                caller=Access(settings).everybody,
                budget=settings.budget,
                limits=settings.limits,
                longest=settings.max_body_bytes,
                defaults=take_defaults(source, settings.max_body_bytes),
            )
            if refusal := find_refusal(terms):
                sys.stderr.write(f"{submissions}: {refusal.document.detail}\n")
                return 2
            _mark(terms, source, file, grades, processes or count_cores())
    except OSError as error:
        # what fails while it is written has no name
        sys.stderr.write(f"{error.filename or grades}: {error.strerror or error}\n")
        return 2
    except WorkerDiedError:
        sys.stderr.write("a process that marked has ended before its work was done; the reply is cut\n")
        return 1
    return 0


@contextmanager
def _as_file(submissions: Path) -> Iterator[Path]:
    """Yield a file whose size is known: the submissions, or a copy of what a pipe gives."""
    found = submissions.resolve()
    if found.is_file() and not found.is_relative_to("/dev"):
        yield found
        return
    with tempfile.NamedTemporaryFile() as copy:
        try:
            with open_lines(submissions) as source:
                shutil.copyfileobj(source, copy)
            copy.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, error.filename or copy.name) from None
        yield Path(copy.name)


def _mark(terms: Terms, source: BinaryIO, submissions: Path, grades: Path, processes: int) -> None:
    size = submissions.stat().st_size
    needed = min(processes, size // BYTES_EACH)
    summary = Summary()
    with (
        grades.open("wb"),
        tempfile.NamedTemporaryFile() as written,
        tqdm(total=size, unit="B", unit_scale=True) as bar,
        _start(Pool(needed if needed > 1 else 0, import_marking, blas_threads=1)) as pool,
    ):
        written.write(bytes(NUMBER_BYTES))
        written.flush()
        files = Files(submissions, grades, Path(written.name))
        parts = _find_parts(terms, source, min(PART_BYTES, max(FEWEST_BYTES, size // (SHARES * processes))))
        for found in pool.map(mark_part, ((terms, files, part) for part in parts)):
            if isinstance(found, OSError):
                raise found
            summary.add(found)
            bar.update(source.tell() - bar.n)
        with grades.open("ab") as target:
            target.write(write_summary(summary))


@contextmanager
def _start(pool: Pool) -> Iterator[Pool]:
    """Start the processes while the first parts are marked here: that they import takes as long as many lines."""
    thread = Thread(target=pool.start)
    thread.start()
    try:
        yield pool
    finally:
        pool.stop()
        thread.join()


class Files(NamedTuple):
    """The submissions, the reply, and the number of the part whose reply is to be written next."""

    source: Path
    target: Path
    written: Path


class Part(NamedTuple):
    """Whole lines of a file: the number of the part, the index of its first line, and where it stands."""

    number: int
    first: int
    start: int
    end: int


def _find_parts(terms: Terms, source: BinaryIO, size: int) -> Iterator[Part]:
    number, first, start = 0, 0, source.tell()
    while chunk := read_chunk(source, terms.longest, size):
        yield Part(number, first, start, source.tell())
        number, first, start = number + 1, first + len(split_lines(chunk, terms.longest)), source.tell()


def mark_part(terms: Terms, files: Files, part: Part) -> Summary | OSError:
    """Mark a part of a file, and add the reply when those to the parts before have been added.

    The process that starts this only sums up: what it read and wrote itself would cost it as much as marking.
    """
    summary = Summary()
    try:
        with (
            open_lines(files.source) as source,
            files.target.open("ab") as target,
            files.written.open("r+b") as file,
            mmap(file.fileno(), NUMBER_BYTES) as shared,
            memoryview(shared).cast("q") as written,
        ):
            source.seek(part.start)
            pieces: list[bytes] = []
            while source.tell() < part.end:
                chunk = read_chunk(source, terms.longest, min(CHUNK_BYTES, part.end - source.tell()))
                while chunk:
                    marked = mark_chunk(terms, chunk, part.first + summary.lines)
                    chunk = marked.rest
                    summary.add(marked.summary)
                    pieces.append(marked.reply)
                    if sum(map(len, pieces)) > MOST_WAITING:
                        _write(pieces, target, written, part.number)
            _write(pieces, target, written, part.number)
            written[0] = part.number + 1
    except OSError as error:
        return error
    return summary


def _write(pieces: list[bytes], target: BinaryIO, written: memoryview, number: int) -> None:
    while written[0] != number:
        if not cast("BaseProcess", parent_process()).is_alive():
            # then nobody marks the parts before
            sys.exit(1)
        time.sleep(TURN_SECONDS)
    target.writelines(pieces)
    target.flush()
    pieces.clear()


def import_marking() -> None:
    """Import all that marking needs, by importing this module."""
