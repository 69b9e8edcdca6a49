"""What a process does with its cores: the threads of a matrix product, the garbage collector's work, memory anew.

The threads are decided before NumPy is imported. Products of several requests run side by side, in the serving
process and in the workers. With more threads than cores they wait for each other, and less gets done.
"""

import ctypes
import gc
import os
from collections.abc import MutableMapping
from contextlib import suppress

DEFAULT_PROCESSES = 1  # processes beside the one that serves, unless ``GRADMARK_PROCESSES`` says otherwise

VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""What the libraries read that NumPy is built with; what is set already is left as it is."""

KEPT_BYTES = 64 * 1024**2
"""What an arena of the C library keeps of freed memory. The system hands out memory page by page, each one cleared:
without this, bodies and replies of 20 MB took half as long again."""

LARGEST_KEPT = 32 * 1024**2  # a larger block is the system's own, and goes back to it at once
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # names of mallopt


def limit_threads(environment: MutableMapping[str, str], *, cores: int | None = None) -> None:
    """Give each process its share of the cores, for NumPy that is imported afterwards, here and in its children."""
    processes = environment.get("GRADMARK_PROCESSES", "")
    workers = 1 + (int(processes) if processes.isdecimal() else DEFAULT_PROCESSES)
    share = max(1, (cores or count_cores()) // workers)
    for name in VARIABLES:
        environment.setdefault(name, str(share))


def count_cores() -> int:
    """Count the cores that this process may use."""
    # there are systems where a process cannot be kept to some of the cores
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def settle() -> None:
    """Take what there is now for what stays, once all is imported and warm.

    The collector goes over everything again and again otherwise, twenty milliseconds each time, in the middle of a
    request. Memory that large requests needed is kept for the next ones.
    """
    gc.collect()
    gc.freeze()
    # GNU's alone has it
    with suppress(AttributeError, OSError, TypeError):
        set_option = ctypes.CDLL(None).mallopt
        set_option(TRIM_THRESHOLD, KEPT_BYTES)
        set_option(MMAP_THRESHOLD, LARGEST_KEPT)
