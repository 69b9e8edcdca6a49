"""The command ``python -m app grade IN OUT``: marks the submissions of a file, as /v1/grades/bulk does."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from app.access import Access, AccessSettingError
from app.cores import count_cores
from app.marking.chunks import MarkedChunk, Terms, find_refusal, mark_chunk
from app.marking.lines import CHUNK_BYTES, open_lines, read_chunk, split_lines, take_defaults
from app.marking.replies import write_summary
from app.record import Summary
from app.settings import Settings
from app.work.pool import Pool, WorkerDiedError

BYTES_EACH = 256 * 1024
"""A process takes half a second to start: with fewer bytes to mark, it is not worth it."""

SHARES = 16
FEWEST_BYTES = 16 * 1024
"""Each process gets at least as many chunks, unless they would be so small: the last ones end at about one time."""


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
            caller, longest = Access(settings).everybody, settings.max_body_bytes
            defaults = take_defaults(source, longest)
            terms = Terms(
                caller=caller, budget=settings.budget, longest=longest, limits=settings.limits, defaults=defaults
            )
            if refusal := find_refusal(terms):
                sys.stderr.write(f"{submissions}: {refusal.document.detail}\n")
                return 2
            _mark(terms, source, file.stat().st_size, grades, processes or count_cores())
    except OSError as error:
        # what fails while it is written has no name
        sys.stderr.write(f"{error.filename or grades}: {error.strerror or error}\n")
        return 2
    except AccessSettingError as error:
        sys.stderr.write(f"{error}\n")
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


def _mark(terms: Terms, source: BinaryIO, size: int, grades: Path, processes: int) -> None:
    needed = min(processes, size // BYTES_EACH)
    chunk_bytes = min(CHUNK_BYTES, max(FEWEST_BYTES, size // (SHARES * processes)))
    with (
        grades.open("wb") as target,
        tqdm(total=size, unit="B", unit_scale=True) as bar,
        Pool(needed if needed > 1 else 0, import_marking, blas_threads=1) as pool,
    ):
        for piece in mark_lines(terms, source, pool, chunk_bytes):
            target.write(piece)
            bar.update(source.tell() - bar.n)


def mark_lines(terms: Terms, source: BinaryIO, pool: Pool, size: int = CHUNK_BYTES) -> Iterator[bytes | bytearray]:
    """Mark the lines of a file behind its defaults, and yield pieces of the reply in their order."""
    summary = Summary()
    for found in pool.map(mark_chunk, _read_chunks(terms, source, size)):
        marked: MarkedChunk = found
        while True:
            summary.add(marked.summary)
            yield marked.reply
            if not marked.rest:
                break
            marked = pool.run(mark_chunk, terms, marked.rest, summary.lines)
    yield write_summary(summary)


def _read_chunks(terms: Terms, source: BinaryIO, size: int) -> Iterator[tuple[Terms, bytes, int]]:
    """Read chunks, each with the index of its first line."""
    lines = 0
    while chunk := read_chunk(source, terms.longest, size):
        yield terms, chunk, lines
        lines += len(split_lines(chunk, terms.longest))


def import_marking() -> None:
    """Import all that marking needs, by importing this module."""
