"""A process beside the one that serves: it answers calls that would hold everybody else up."""

import multiprocessing
import signal
import threading
from multiprocessing.process import BaseProcess
from os import _exit
from typing import cast

from app.computation import Answer, Call
from app.json_route import JsonRoute
from app.routers import ROUTERS

COMPUTATIONS = {
    route.name: route.computation
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, JsonRoute) and route.computation
}


def begin_work() -> None:
    """Prepare a process for calls; importing this module has taken its time already."""
    # an interrupt from the keyboard reaches all processes, and the one that serves ends the others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = cast("BaseProcess", multiprocessing.parent_process())
    parent.join()
    _exit(1)


def is_warm() -> bool:
    """Say that a process has begun."""
    return True


def answer_call(call: Call) -> Answer:
    """Answer a call in this process.

    Parameters
    ----------
    call : Call

    Returns
    -------
    Answer
    """
    return COMPUTATIONS[call.computation].answer(call)
