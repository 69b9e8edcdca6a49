"""What a process owes the one that has started it: to leave interrupts to it, and to end when it ends."""

import multiprocessing
import signal
import threading
from multiprocessing.process import BaseProcess
from os import _exit
from typing import cast


def begin_work() -> None:
    """Prepare a process for work, whatever it is."""
    # an interrupt from the keyboard reaches all processes, and the first one ends the others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = cast("BaseProcess", multiprocessing.parent_process())
    parent.join()
    _exit(1)
