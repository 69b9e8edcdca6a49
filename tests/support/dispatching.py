"""A dispatcher to ask, calls to ask it with, and the processes that it has."""

import json
import multiprocessing
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

from app.access.admission import Access
from app.errors import BodyError, describe_error
from app.examples import ARTICLE, ARTICLE_PROBLEM
from app.operations import OPERATIONS
from app.operations.operation import Operation
from app.settings import Settings
from app.work.computation import Call, Reply, answer_problem
from app.work.dispatch import LOOP_BYTES, Dispatcher
from core.budget import Budget
from tests.support.server import Server

EVERYBODY = Access(Settings.model_construct()).everybody

WEIGHTS = np.random.default_rng(0).normal(size=(200, 150)).tolist()
WIDE: dict[str, Any] = {
    "network": {"layers": [{"weights": WEIGHTS, "activation": "relu"}]},
    "inputs": [[0.5] * 200],
}
WIDE_LOSS = {"targets": [[0.0] * 150], "loss": "squared_error"}


def call(name: str, body: object, **changes: Any) -> Call:
    made = Call(operation=name, raw=json.dumps(body).encode(), budget=Budget(), request_id="abc", caller=EVERYBODY)
    return replace(made, **changes)


def watched(name: str) -> tuple[Operation, list[int]]:
    """Return an operation that notes in which threads it computes."""
    threads: list[int] = []
    operation = OPERATIONS[name]
    handler = operation.handler
    assert handler is not None

    @wraps(handler)
    def watching(**known: object) -> object:
        threads.append(threading.get_ident())
        return handler(**known)

    return replace(operation, handler=watching), threads


@contextmanager
def started(**settings: Any) -> Iterator[Dispatcher]:
    dispatcher = Dispatcher(Settings.model_construct(**settings))
    dispatcher.pool.start()
    try:
        yield dispatcher
    finally:
        dispatcher.stop()


async def answer(dispatcher: Dispatcher, operation: Operation, asked: Call) -> Reply:
    """Have a dispatcher answer a call as a route does."""
    with dispatcher.memory.open("somebody") as reservation:
        try:
            return await dispatcher.answer(operation, asked, None, reservation)
        except BodyError as error:
            return answer_problem(describe_error(error), headers=error.headers)


def children() -> set[int]:
    """Return the processes that this one has started."""
    return {child.pid for child in multiprocessing.active_children() if child.pid}


DEEP_ONE = {"network": {"layers": [{"weights": [[1]], "activation": "identity"}] * 8}, "inputs": [[1]]}
MANY_IDS = [f"dZ{of}_dZ{by}" for of in range(2, 9) for by in range(1, of)]
WIDE_LAYER = {"weights": [[0.5] * 300] * 2, "inputs": [1.0, -1.0], "target": 0}

INLINE = call("compute_softmax_layer", ARTICLE)
PADDED = replace(INLINE, raw=INLINE.raw + b" " * LOOP_BYTES)
"""Too large to be read on the loop."""
GRADIENTS = call("compute_gradients", ARTICLE_PROBLEM)


def children_of(pid: int) -> list[int]:
    # each stands with the thread that started it
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(text) for children in lists for text in children.read_text(encoding="ascii").split()]


def worker_of(server: Server) -> int:
    """Return the process that a server has beside the one that serves."""
    [pid] = [pid for pid in children_of(server.process.pid) if is_worker(pid)]
    return pid


def is_worker(pid: int) -> bool:
    with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123 - a device, not a path of ours
        return b"spawn_main" in file.read()


def wait_until_reaped(pid: int) -> None:
    deadline = time.monotonic() + 10
    while pid in children():
        assert time.monotonic() < deadline, "the process goes on"
        time.sleep(0.01)


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < deadline, "the process goes on"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[2] != "Z"
    except FileNotFoundError:
        return False
