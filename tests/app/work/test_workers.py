"""Processes beside the one that serves: what happens when they die, break off, get stuck or cannot be started."""

import multiprocessing
import multiprocessing.spawn
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import cast

import anyio
import httpx
import pytest

from app.examples import GRADES
from app.main import create_app
from app.operations import OPERATIONS
from app.settings import Settings
from app.work.computation import Reply, warm_up
from app.work.dispatch import Dispatcher, find_task_seconds
from app.work.pool import Pool, WorkerFailedError
from core.budget import Budget
from tests.support.bulk_lines import HEADERS, read_lines
from tests.support.dispatching import (
    PADDED,
    WIDE,
    answer,
    children,
    children_of,
    started,
    wait_until_gone,
    wait_until_reaped,
    worker_of,
)
from tests.support.server import assert_is_busy, dump, run_server, wait_until_ready
from tests.support.sockets import wait_for_metric

pytestmark = pytest.mark.anyio

GRADE = GRADES["article"]["value"]


async def ask_worker(dispatcher: Dispatcher) -> Reply:
    """Ask for what is too large for the loop."""
    return await answer(dispatcher, OPERATIONS[PADDED.operation], PADDED)


async def test_a_process_that_dies_while_nobody_needs_it_is_missed_by_nobody() -> None:
    before = children()
    with started() as dispatcher:
        [pid] = children() - before
        os.kill(pid, signal.SIGKILL)
        wait_until_reaped(pid)
        answers = [await ask_worker(dispatcher) for _ in range(2)]
        assert [found.status for found in answers] == [200, 200]
        [other] = children() - before
        assert other != pid


async def test_a_process_leaves_signals_to_the_one_that_serves() -> None:
    before = children()
    with started() as dispatcher:
        [pid] = children() - before
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
        assert (await ask_worker(dispatcher)).status == 200
        assert children() - before == {pid}


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
    dispatcher = Dispatcher(Settings.model_construct(processes=2))
    with without():
        assert not dispatcher.pool.start()
    assert "no process can be started" in caplog.text
    assert children() == before
    assert (await ask_worker(dispatcher)).status == 200


async def test_a_service_whose_process_cannot_be_started_is_ready_when_it_can_and_stops_meanwhile(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = children()
    app = create_app(Settings.model_construct())

    async def wait_until_tried() -> None:
        caplog.clear()
        while "no process can be started" not in caplog.text:  # noqa: ASYNC110 - said by a task of the application
            await anyio.sleep(0.01)
        assert app.state.readiness == "warming up"

    with anyio.fail_after(30):
        async with app.router.lifespan_context(app):
            with no_python():
                await wait_until_tried()
            while app.state.readiness == "warming up":  # noqa: ASYNC110 - set by a task of the application
                await anyio.sleep(0.01)
            assert len(children() - before) == 1
        with no_python():
            async with app.router.lifespan_context(app):
                await wait_until_tried()
    assert (app.state.readiness, children()) == ("draining", before)


@pytest.mark.parametrize("without", [no_python, no_files])
async def test_where_no_other_process_can_be_started_requests_are_told_to_come_again(
    without: Callable[[], AbstractContextManager[None]],
) -> None:
    before = children()
    with started() as dispatcher:
        [pid] = children() - before
        os.kill(pid, signal.SIGKILL)
        wait_until_reaped(pid)
        with without():
            answers = [await ask_worker(dispatcher) for _ in range(2)]
        assert [found.status for found in answers] == [503, 503]
        assert (await ask_worker(dispatcher)).status == 200


async def test_a_stop_does_not_wait_for_a_process_that_is_stuck() -> None:
    before = children()
    with started() as dispatcher:
        [pid] = children() - before
        os.kill(pid, signal.SIGSTOP)
        answers: list[Reply] = []

        async def ask() -> None:
            answers.append(await ask_worker(dispatcher))

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await anyio.sleep(0.1)
            await anyio.to_thread.run_sync(dispatcher.stop)
        assert [found.status for found in answers] == [503]
        wait_until_gone(pid)


async def test_a_process_that_is_stuck_is_replaced_its_request_is_503_in_time_and_ready_tells() -> None:
    before = children()
    app = create_app(Settings.model_construct())
    app.state.dispatcher.pool = Pool(1, warm_up, task_seconds=0.5)

    async def wait_until_ready() -> None:
        with anyio.fail_after(20):
            while (await client.get("/health/ready")).status_code != 200:  # noqa: ASYNC110 - as a prober asks
                await anyio.sleep(0.01)

    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        await wait_until_ready()
        [pid] = children() - before
        os.kill(pid, signal.SIGSTOP)
        with anyio.fail_after(5):
            reply = await client.post("/v1/grades", json=GRADE)
        assert_is_busy(reply, "worker_died", "another one")
        assert (await client.get("/health/ready")).status_code == 503
        assert (await client.get("/health/live")).status_code == 200
        await wait_until_ready()
        assert (await client.post("/v1/grades", json=GRADE)).status_code == 200
    assert pid not in children()


PROXY_SECONDS = 60
"""How long nginx waits by itself, and HAProxy as its file in deploy/ says."""


def test_a_worker_counts_as_stuck_before_a_proxy_gives_up_and_later_where_a_request_may_ask_for_more() -> None:
    settings = Settings.model_construct()
    assert find_task_seconds(settings) + settings.queue_seconds < PROXY_SECONDS
    for name in ("max_operations", "max_numbers", "max_body_bytes"):
        raised, lowered = (settings.model_copy(update={name: int(getattr(settings, name) * by)}) for by in (10, 0.1))
        assert find_task_seconds(raised) == pytest.approx(10 * find_task_seconds(settings))
        assert find_task_seconds(lowered) == find_task_seconds(settings)


@pytest.mark.slow
def test_a_stuck_process_of_the_server_costs_its_requests_less_time_than_a_proxy_waits() -> None:
    with run_server(processes=1) as server:
        pid = worker_of(server)
        os.kill(pid, signal.SIGSTOP)
        started = time.monotonic()
        with ThreadPoolExecutor(1) as threads:
            bulk = threads.submit(server.client.post, "/v1/grades/bulk", content=dump(GRADE), headers=HEADERS)
            wait_for_metric(server, 'gradmark_running{place="bulk"}', 1)
            # it is behind the other one
            assert_is_busy(server.client.post("/v1/grades", json=GRADE), "busy_too_long", "2 s")
            [line], _ = read_lines(bulk.result().content)
        assert line["problem"]["errors"][0]["code"] == "worker_died"
        assert time.monotonic() - started < PROXY_SECONDS
        wait_until_ready(server.process, server.client)
        assert server.client.post("/v1/grades", json=GRADE).status_code == 200


async def test_requests_wait_for_a_process_and_for_one_that_takes_its_place() -> None:
    before = children()
    with started(queue_seconds=30) as dispatcher:
        [pid] = children() - before
        os.kill(pid, signal.SIGSTOP)
        answers: list[Reply] = []

        async def ask() -> None:
            answers.append(await ask_worker(dispatcher))

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(ask)
            await anyio.sleep(0.1)
            os.kill(pid, signal.SIGKILL)
        # only the one that it worked on is lost
        assert sorted(found.status for found in answers) == [200, 200, 503]
        assert len(children() - before) == 1


async def test_an_error_that_nobody_foresaw_is_told_with_its_place() -> None:
    with started() as dispatcher:
        # a budget that is none, which no request can send
        with pytest.raises(WorkerFailedError, match="AttributeError"):
            await answer(dispatcher, OPERATIONS[PADDED.operation], replace(PADDED, budget=cast("Budget", 1)))
        assert (await ask_worker(dispatcher)).status == 200


def test_the_server_answers_large_json_and_its_process_ends_with_it() -> None:
    with run_server() as server:
        reply = server.client.post("/v1/forward", json=WIDE)
        assert reply.status_code == 200
        helpers = children_of(server.process.pid)
        assert helpers
        # nothing is left for it to do when the one that it works for is gone, however that went
        server.process.kill()
        server.process.wait()
        for pid in helpers:
            wait_until_gone(pid)
