"""Where work is done: small work at once, other work in threads, large JSON in a process; with one result."""

import json
import multiprocessing
import multiprocessing.spawn
import os
import resource
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import anyio
import numpy as np
import pytest

from app.blas import VARIABLES, count_cores, limit_threads
from app.computation import Answer, Call, Computation
from app.errors import MEDIA_TYPE as PROBLEM_TYPE
from app.examples import ARTICLE, ARTICLE_PROBLEM
from app.json_route import JsonRoute
from app.placement import Placement
from app.routers import ROUTERS
from app.settings import Settings
from app.wire import TENSORS_TYPE
from app.worker import COMPUTATIONS, WorkerFailedError, receive_content
from core.budget import Budget
from tests.app.server import run_server
from tests.app.tensor_client import from_tensors, to_tensors, with_arrays

pytestmark = pytest.mark.anyio

WEIGHTS = np.random.default_rng(0).normal(size=(200, 150)).tolist()
WIDE: dict[str, Any] = {
    "network": {"layers": [{"weights": WEIGHTS, "activation": "relu"}]},
    "inputs": [[0.5] * 200],
}
WIDE_LOSS = {"targets": [[0.0] * 150], "loss": "squared_error"}


def call(name: str, body: object, **changes: Any) -> Call:
    return replace(Call(computation=name, raw=json.dumps(body).encode(), budget=Budget(), request_id="abc"), **changes)


def watched(name: str) -> tuple[Computation, list[int]]:
    """Return a computation that notes in which threads it computes."""
    threads: list[int] = []
    computation = COMPUTATIONS[name]

    def handler(*arguments: object) -> object:
        threads.append(threading.get_ident())
        return computation.handler(*arguments)

    return replace(computation, handler=handler), threads


@contextmanager
def started(**settings: Any) -> Iterator[Placement]:
    placement = Placement(Settings.model_construct(**settings))
    placement.start()
    try:
        yield placement
    finally:
        placement.stop()


@pytest.fixture(scope="module")
def placement() -> Iterator[Placement]:
    """A place with a process for all that has more than a hundred thousand bytes."""
    with started(process_bytes=100_000) as running:
        yield running


def children() -> set[int]:
    """Return the processes that this one has started."""
    return {child.pid for child in multiprocessing.active_children() if child.pid}


DEEP_ONE = {"network": {"layers": [{"weights": [[1]], "activation": "identity"}] * 8}, "inputs": [[1]]}
MANY_IDS = [f"dZ{of}_dZ{by}" for of in range(2, 9) for by in range(1, of)]
WIDE_LAYER = {"weights": [[0.5] * 300] * 2, "inputs": [1.0, -1.0], "target": 0}

INLINE = call("create_softmax_layer", ARTICLE)
GRADIENTS = call("create_gradients", ARTICLE_PROBLEM)


@pytest.mark.parametrize(
    ("name", "asked", "settings", "is_inline"),
    [
        ("create_jacobians", call("create_jacobians", DEEP_ONE | {"jacobians": MANY_IDS[:1]}), {}, True),
        ("create_jacobians", call("create_jacobians", DEEP_ONE | {"jacobians": MANY_IDS}), {}, False),
        ("create_softmax_layer", call("create_softmax_layer", WIDE_LAYER | {"quantities": ["dS_dW"]}), {}, False),
        ("create_softmax_layer", call("create_softmax_layer", WIDE_LAYER | {"quantities": ["dA_dW1"]}), {}, False),
        ("create_softmax_layer", call("create_softmax_layer", WIDE_LAYER | {"quantities": ["dL_dW"]}), {}, True),
        ("create_softmax_layer", INLINE, {}, True),
        ("create_gradients", GRADIENTS, {}, True),
        ("create_softmax_layer", INLINE, {"inline_operations": 1000}, False),
        ("create_softmax_layer", INLINE, {"inline_bytes": 100}, False),
        # what it takes shows only on the way
        ("create_grade", call("create_grade", {"problem": ARTICLE_PROBLEM, "answers": {"L": 1.5}}), {}, False),
        # the check takes a pass for each entry
        ("create_gradients", call("create_gradients", ARTICLE_PROBLEM | {"check": True}), {}, True),
        (
            "create_gradients",
            call("create_gradients", WIDE | WIDE_LOSS),
            {},
            False,
        ),
        (
            "create_softmax_layer",
            replace(INLINE, raw=to_tensors(with_arrays(ARTICLE)), reads=TENSORS_TYPE),
            {},
            False,
        ),
    ],
)
async def test_small_work_is_done_at_once_and_other_work_in_a_thread(
    name: str, asked: Call, settings: dict[str, Any], is_inline: bool
) -> None:
    computation, threads = watched(name)
    found = await Placement(Settings.model_construct(**settings)).answer(computation, asked)
    assert found.status == 200, found.content
    assert (threads == [threading.get_ident()]) == is_inline
    assert len(threads) == 1


async def test_large_json_is_done_in_a_process_with_the_same_reply(placement: Placement) -> None:
    computation, threads = watched("create_forward")
    asked = call("create_forward", WIDE)
    assert len(asked.raw) > 100_000
    found = await placement.answer(computation, asked)
    assert threads == []
    assert found == COMPUTATIONS["create_forward"].answer(asked)


async def test_a_small_body_with_a_large_reply_is_done_in_a_process(placement: Placement) -> None:
    layer = {"weights": [[0.1] * 100], "activation": "softmax"}
    asked = call("create_jacobians", {"network": {"layers": [layer]}, "inputs": [[1]], "jacobians": ["dS_dZ"]})
    computation, threads = watched("create_jacobians")
    found = await placement.answer(computation, asked)
    assert threads == []
    assert json.loads(found.content)["jacobians"]["dS_dZ"]["shape"] == [1, 100, 100]
    # written as it lies in memory, it is no work for Python
    tensors = await placement.answer(computation, replace(asked, writes=TENSORS_TYPE))
    assert len(threads) == 1
    expected = json.loads(found.content)["jacobians"]["dS_dZ"]["value"]
    np.testing.assert_array_equal(from_tensors(bytes(tensors.content))["jacobians"]["dS_dZ"]["value"], expected)


@pytest.mark.parametrize("padding", ["", " " * 100_000])
async def test_a_refusal_is_the_same_wherever_it_is_made(placement: Placement, padding: str) -> None:
    for body, status in (('{"inputs": [[1]]}', 422), ('{"inputs": [[1]', 400)):
        asked = replace(GRADIENTS, raw=(body + padding).encode(), request_id="")
        found = await placement.answer(COMPUTATIONS["create_gradients"], asked)
        assert (found.status, found.media_type) == (status, PROBLEM_TYPE)
        assert found == COMPUTATIONS["create_gradients"].answer(asked)


async def test_a_refusal_by_another_process_carries_the_id_of_the_request(placement: Placement) -> None:
    found = await placement.answer(COMPUTATIONS["create_gradients"], replace(GRADIENTS, raw=b"{" + b" " * 100_000))
    assert json.loads(found.content)["request_id"] == "abc"


async def test_ids_that_name_nothing_are_refused_wherever_they_are(placement: Placement) -> None:
    found = await placement.answer(
        COMPUTATIONS["create_jacobians"], call("create_jacobians", WIDE | {"jacobians": ["dQ_dX"]})
    )
    assert found.status == 422


async def test_a_process_that_dies_while_nobody_needs_it_is_missed_by_nobody() -> None:
    before = children()
    with started(process_bytes=100) as placement:
        [pid] = children() - before
        os.kill(pid, signal.SIGKILL)
        wait_until_reaped(pid)
        answers = [await placement.answer(COMPUTATIONS["create_softmax_layer"], INLINE) for _ in range(2)]
        assert [found.status for found in answers] == [200, 200]
        [other] = children() - before
        assert other != pid


async def test_a_process_leaves_signals_to_the_one_that_serves() -> None:
    before = children()
    with started(process_bytes=100) as placement:
        [pid] = children() - before
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
        assert (await placement.answer(COMPUTATIONS["create_softmax_layer"], INLINE)).status == 200
        assert children() - before == {pid}


async def test_a_process_whose_exchange_broke_off_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    before = children()
    with started(process_bytes=100) as placement:
        [pid] = children() - before
        # it cannot be sent to another process
        broken = replace(INLINE, request_id=cast("str", threading.Lock()))
        found = await placement.answer(COMPUTATIONS["create_softmax_layer"], broken)
        assert (found.status, found.headers) == (503, {"Retry-After": "1"})
        assert b"another one takes its place" in found.content
        assert "broke off" in caplog.text
        assert (await placement.answer(COMPUTATIONS["create_softmax_layer"], INLINE)).status == 200
        assert pid not in children()


@contextmanager
def no_python() -> Iterator[None]:
    """Make processes that are started end at once."""
    executable = multiprocessing.spawn.get_executable()
    multiprocessing.set_executable(shutil.which("false") or "")
    try:
        yield
    finally:
        multiprocessing.set_executable(executable)


@contextmanager
def no_files() -> Iterator[None]:
    """Let nothing be opened any more, no pipe either."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("without", [no_python, no_files])
async def test_where_no_process_can_be_started_threads_do_everything(
    without: Callable[[], AbstractContextManager[None]], caplog: pytest.LogCaptureFixture
) -> None:
    before = children()
    placement = Placement(Settings.model_construct(process_bytes=100, processes=2))
    with without():
        placement.start()
    assert "threads do its work" in caplog.text
    assert children() == before
    computation, threads = watched("create_softmax_layer")
    assert (await placement.answer(computation, INLINE)).status == 200
    assert len(threads) == 1


@pytest.mark.parametrize("without", [no_python, no_files])
async def test_where_no_other_process_can_be_started_requests_are_told_to_come_again(
    without: Callable[[], AbstractContextManager[None]],
) -> None:
    before = children()
    with started(process_bytes=100) as placement:
        [pid] = children() - before
        os.kill(pid, signal.SIGKILL)
        wait_until_reaped(pid)
        with without():
            answers = [await placement.answer(COMPUTATIONS["create_softmax_layer"], INLINE) for _ in range(2)]
        assert [found.status for found in answers] == [503, 503]
        assert (await placement.answer(COMPUTATIONS["create_softmax_layer"], INLINE)).status == 200


async def test_a_stop_does_not_wait_for_a_process_that_is_stuck() -> None:
    before = children()
    with started(process_bytes=100) as placement:
        [pid] = children() - before
        os.kill(pid, signal.SIGSTOP)
        answers: list[Answer] = []

        async def ask() -> None:
            answers.append(await placement.answer(COMPUTATIONS["create_softmax_layer"], INLINE))

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await anyio.sleep(0.1)
            await anyio.to_thread.run_sync(placement.stop)
        assert [found.status for found in answers] == [503]
        wait_until_gone(pid)


def test_a_content_that_is_cut_ends_the_exchange() -> None:
    receiver, sender = multiprocessing.get_context("spawn").Pipe(duplex=False)
    sender.send(100)
    os.write(sender.fileno(), b"x" * 99)
    sender.close()
    with pytest.raises(EOFError):
        receive_content(receiver)
    receiver.close()


async def test_requests_wait_for_a_process_and_for_one_that_takes_its_place() -> None:
    before = children()
    with started(process_bytes=100) as placement:
        [pid] = children() - before
        os.kill(pid, signal.SIGSTOP)
        answers: list[Answer] = []

        async def ask() -> None:
            answers.append(await placement.answer(COMPUTATIONS["create_softmax_layer"], INLINE))

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(ask)
            await anyio.sleep(0.1)
            os.kill(pid, signal.SIGKILL)
        # only the one that it worked on is lost
        assert sorted(found.status for found in answers) == [200, 200, 503]
        assert len(children() - before) == 1


async def test_an_error_that_nobody_foresaw_is_told_with_its_place() -> None:
    with started(process_bytes=100) as placement:
        # a budget that is none, which no request can send
        with pytest.raises(WorkerFailedError, match="AttributeError"):
            await placement.answer(COMPUTATIONS["create_softmax_layer"], replace(INLINE, budget=cast("Budget", 1)))
        assert (await placement.answer(COMPUTATIONS["create_softmax_layer"], INLINE)).status == 200


async def test_without_processes_threads_do_everything() -> None:
    before = children()
    with started(processes=0, process_bytes=100, inline_bytes=0) as placement:
        computation, threads = watched("create_softmax_layer")
        assert (await placement.answer(computation, INLINE)).status == 200
        assert len(threads) == 1
        assert children() == before


def test_every_computation_can_be_left_to_a_worker() -> None:
    names = {route.name for router in ROUTERS for route in router.routes if isinstance(route, JsonRoute)}
    assert {name for name in names if name.startswith("create_")} == set(COMPUTATIONS)


def test_the_server_answers_large_json_and_its_process_ends_with_it() -> None:
    with run_server(process_bytes=100_000) as server:
        reply = server.client.post("/v1/forward", json=WIDE)
        assert reply.status_code == 200
        helpers = children_of(server.process.pid)
        assert helpers
        # nothing is left for it to do when the one that it works for is gone, however that went
        server.process.kill()
        server.process.wait()
        for pid in helpers:
            wait_until_gone(pid)


def children_of(pid: int) -> list[int]:
    # each stands with the thread that started it
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(text) for children in lists for text in children.read_text(encoding="ascii").split()]


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


@pytest.mark.parametrize(
    ("environment", "cores", "share"),
    [({}, 8, "4"), ({}, 1, "1"), ({"GRADMARK_PROCESSES": "0"}, 8, "8"), ({"GRADMARK_PROCESSES": "3"}, 8, "2")],
)
def test_each_process_has_its_share_of_the_cores(environment: dict[str, str], cores: int, share: str) -> None:
    limit_threads(environment, cores=cores)
    assert {environment[name] for name in VARIABLES} == {share}


def test_what_is_said_of_threads_is_left_as_it_is() -> None:
    environment = {"OPENBLAS_NUM_THREADS": "7", "GRADMARK_PROCESSES": "many"}
    limit_threads(environment)
    assert environment["OPENBLAS_NUM_THREADS"] == "7"
    assert 1 <= int(environment["OMP_NUM_THREADS"]) <= count_cores()
