"""The command ``python -m app grade IN OUT``: marks the submissions of a file, as /v1/grades/bulk does."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError
from tqdm import tqdm

from app.access import Access, AccessSettingError
from app.cores import count_cores
from app.errors import BodyError, describe_error
from app.marking import Bulk
from app.marking.lines import open_lines, write_summary
from app.marking.workers import FileWork, WorkerError, mark_file
from app.record import Summary
from app.settings import Settings
from core.errors import CoreError

BYTES_EACH = 256 * 1024
"""A process takes half a second to start: with fewer bytes to mark, it is not worth it."""


def grade_file(settings: Settings, submissions: Path, grades: Path, *, processes: int | None = None) -> int:
    """Mark the submissions of a file.

    Parameters
    ----------
    settings : Settings
        For the limits of a line.
    submissions, grades : Path
        Where lines come from, and where the reply goes; each may be a pipe.
    processes : int, optional
        How many mark at once; by default one for each core that this process may use.

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
        with _as_file(submissions) as file:
            _mark(settings, file, grades, processes or count_cores())
    except OSError as error:
        # what fails while it is written has no name
        sys.stderr.write(f"{error.filename or grades}: {error.strerror or error}\n")
        return 2
    except (BodyError, CoreError, ValidationError) as error:
        sys.stderr.write(f"{submissions}: {describe_error(error).detail}\n")
        return 2
    except AccessSettingError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except WorkerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


@contextmanager
def _as_file(submissions: Path) -> Iterator[Path]:
    """Yield a file that each process can open and search: the submissions, or a copy of what a pipe gives."""
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


def _mark(settings: Settings, submissions: Path, grades: Path, processes: int) -> None:
    with open_lines(submissions) as source:
        # whoever has the files and this program may do everything with them
        caller = Access(settings).everybody
        bulk = Bulk(
            source, caller=caller, budget=settings.budget, limits=settings.limits, longest=settings.max_body_bytes
        )
        size = submissions.stat().st_size
        needed = min(processes, size // BYTES_EACH)
        with grades.open("wb") as target, tqdm(total=size, unit="B", unit_scale=True) as bar:
            if needed > 1:
                work = FileWork(terms=bulk.terms, source=submissions, start=source.tell(), target=grades)
                places = _mark_in_processes(work, needed)
            else:
                places = _mark_here(bulk, source, target)
            for place in places:
                bar.update(place - bar.n)


def _mark_here(bulk: Bulk, source: BinaryIO, target: BinaryIO) -> Iterator[int]:
    for chunk in bulk.replies():
        target.write(chunk)
        yield source.tell()


def _mark_in_processes(work: FileWork, processes: int) -> Iterator[int]:
    summary = Summary()
    for done in mark_file(work, processes):
        for part in done.parts:
            summary.add(part)
        yield done.end
    with work.target.open("ab") as target:
        target.write(write_summary(summary))
