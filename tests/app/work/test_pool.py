"""The pool of worker processes: it runs functions and brings results back, whatever becomes of a worker."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from app.work.pool import Pool, WorkerDiedError, WorkerFailedError
from app.work.worker import PIPE_BYTES
from tests.support.dispatching import children, wait_until_reaped

HUGE = 300_000_000


def warm_up() -> None:
    """Import this module."""


def fail() -> None:
    raise LookupError


def double(value: bytes | bytearray) -> tuple[int, bytes | bytearray]:
    return os.getpid(), value + value


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def die_amid_result() -> bytes:
    threading.Timer(0.03, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return bytes(HUGE)


def return_lock() -> object:
    return threading.Lock()


def read_threads() -> str:
    return os.environ["OPENBLAS_NUM_THREADS"]


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(2, warm_up, blas_threads=3) as running:
        yield running


@pytest.mark.parametrize("size", [0, 1, 70_000, PIPE_BYTES, 3 * PIPE_BYTES + 1])
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_bytes_of_every_size_come_back_from_another_process(
    pool: Pool, size: int, kind: type[bytes] | type[bytearray]
) -> None:
    content = os.urandom(size)
    pid, doubled = pool.run(double, kind(content))
    assert pid != os.getpid()
    assert doubled == kind(content + content)
    assert type(doubled) is kind


def test_results_come_in_the_order_of_the_tasks_which_are_done_side_by_side(pool: Pool) -> None:
    naps = [0.2, 0.0, 0.1, 0.0, 0.2, 0.1, 0.0, 0.0]
    started = time.monotonic()
    assert list(pool.map(nap, [(seconds,) for seconds in naps])) == naps
    assert time.monotonic() - started < sum(naps)


def test_few_tasks_are_taken_before_the_first_result_is_read(pool: Pool) -> None:
    taken = count()
    results = pool.map(nap, ((0.0 * next(taken),) for _ in range(1000)))
    next(results)
    assert next(taken) < 10
    results.close()  # type: ignore[attr-defined]  # a generator, which is no promise


def test_a_task_that_fails_is_told_with_its_place_and_leaves_the_worker_whole(pool: Pool) -> None:
    before = children()
    with pytest.raises(WorkerFailedError, match="TypeError"):
        pool.run(nap, "long")  # type: ignore[arg-type]  # what is wanted
    assert pool.run(nap, 0.0) == 0.0
    assert children() == before


def test_what_cannot_be_sent_either_way_ends_the_exchange_and_the_worker_is_replaced(pool: Pool) -> None:
    for function, arguments in ((id, (threading.Lock(),)), (return_lock, ())):
        with pytest.raises(WorkerDiedError):
            pool.run(function, *arguments)
    assert list(pool.map(nap, [(0.0,)] * 4)) == [0.0] * 4


def test_each_worker_computes_in_as_many_threads_as_it_is_told(pool: Pool) -> None:
    assert pool.run(read_threads) == "3"


def test_a_worker_that_dies_amid_a_large_result_is_replaced() -> None:
    with Pool(1, warm_up) as pool:
        with pytest.raises(WorkerDiedError):
            pool.run(die_amid_result)
        assert pool.run(nap, 0.0) == 0.0


def test_a_worker_that_is_stuck_is_replaced_and_its_task_told_so_in_time() -> None:
    with Pool(1, warm_up, task_seconds=0.5) as pool:
        assert pool.is_working
        started = time.monotonic()
        with pytest.raises(WorkerDiedError):
            pool.run(nap, 30.0)
        assert time.monotonic() - started < 5
        assert not pool.is_working
        # nobody asks meanwhile
        wait_for_work(pool)
        assert pool.run(nap, 0.1) == 0.1


def test_a_task_that_ends_as_it_is_found_stuck_does_not_cost_the_next_one_its_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measure, has_looked = time.monotonic, threading.Event()

    def measure_late() -> float:
        if threading.current_thread().name != "pool" or has_looked.is_set():
            return measure()
        has_looked.set()
        # the task that was looked at ends meanwhile
        time.sleep(1)
        return measure() + 1000

    with Pool(1, warm_up, task_seconds=100) as pool:
        monkeypatch.setattr(time, "monotonic", measure_late)
        assert pool.run(nap, 0.5) == 0.5
        assert pool.run(nap, 1.0) == 1.0
        assert has_looked.is_set()


def wait_for_work(pool: Pool) -> None:
    deadline = time.monotonic() + 10
    while not pool.is_working:
        assert time.monotonic() < deadline, "no worker takes the place of the one that ended"
        time.sleep(0.01)


def test_an_idle_worker_that_dies_is_replaced_before_anybody_asks() -> None:
    before = children()
    with Pool(1, warm_up):
        [pid] = children() - before
        os.kill(pid, signal.SIGKILL)
        wait_until_reaped(pid)
        deadline = time.monotonic() + 10
        while not children() - before:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert children() == before


def test_workers_that_are_started_while_all_stops_are_ended_too() -> None:
    others, pool = children(), Pool(4, warm_up)
    with ThreadPoolExecutor(1) as threads:
        is_started = threads.submit(pool.start)
        while children() <= others:
            assert not is_started.done()
        # three are still to come
        pool.stop()
        assert not is_started.result()
    assert children() <= others


def test_a_pool_whose_workers_cannot_get_warm_is_not_started() -> None:
    before, pool = children(), Pool(1, fail)
    assert not pool.start()
    assert not pool.is_started
    assert children() == before


def test_without_workers_functions_run_where_they_are_called() -> None:
    with Pool(0, warm_up) as pool:
        assert pool.is_working
        assert pool.run(double, b"x") == (os.getpid(), b"xx")
        assert list(pool.map(nap, [(0.0,), (0.01,)])) == [0.0, 0.01]
