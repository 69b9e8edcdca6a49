"""Where work is done: small work at once, other work in threads, large JSON in a process; with one result."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.cores import VARIABLES, count_cores, limit_threads
from app.errors import MEDIA_TYPE as PROBLEM_TYPE
from app.examples import ARTICLE, ARTICLE_PROBLEM
from app.operations import OPERATIONS
from app.settings import Settings
from app.wire import TENSORS_TYPE
from app.work.computation import Call, answer
from app.work.dispatch import LONGEST_WAY, WAYS_GIVEN, Placement
from app.work.queue import Threads
from tests.app.placing import (
    DEEP_ONE,
    GRADIENTS,
    INLINE,
    MANY_IDS,
    WIDE,
    WIDE_LAYER,
    WIDE_LOSS,
    call,
    children,
    started,
    watched,
)
from tests.app.tensor_client import from_tensors, to_tensors, with_arrays

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def placement() -> Iterator[Placement]:
    """A place with a process for all that has more than a hundred thousand bytes."""
    with started(process_bytes=100_000) as running:
        yield running


@pytest.mark.parametrize(
    ("name", "asked", "settings", "is_inline"),
    [
        ("compute_jacobians", call("compute_jacobians", DEEP_ONE | {"jacobians": MANY_IDS[:1]}), {}, True),
        ("compute_jacobians", call("compute_jacobians", DEEP_ONE | {"jacobians": MANY_IDS}), {}, False),
        ("compute_softmax_layer", call("compute_softmax_layer", WIDE_LAYER | {"quantities": ["dS_dW"]}), {}, False),
        ("compute_softmax_layer", call("compute_softmax_layer", WIDE_LAYER | {"quantities": ["dA_dW1"]}), {}, False),
        ("compute_softmax_layer", call("compute_softmax_layer", WIDE_LAYER | {"quantities": ["dL_dW"]}), {}, True),
        ("compute_softmax_layer", INLINE, {}, True),
        ("compute_gradients", GRADIENTS, {}, True),
        ("compute_softmax_layer", INLINE, {"inline_operations": 1000}, False),
        ("compute_softmax_layer", INLINE, {"inline_bytes": 100}, False),
        # what it takes shows only on the way
        ("grade_answers", call("grade_answers", {"problem": ARTICLE_PROBLEM, "answers": {"L": 1.5}}), {}, False),
        # the check takes a pass for each entry
        ("compute_gradients", call("compute_gradients", ARTICLE_PROBLEM | {"check": True}), {}, True),
        (
            "compute_gradients",
            call("compute_gradients", WIDE | WIDE_LOSS),
            {},
            False,
        ),
        (
            "compute_softmax_layer",
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
    computation, threads = watched("compute_forward")
    asked = call("compute_forward", WIDE)
    assert len(asked.raw) > 100_000
    found = await placement.answer(computation, asked)
    assert threads == []
    assert found == answer(OPERATIONS["compute_forward"], asked)


@pytest.mark.parametrize(
    "asked",
    [
        call("grade_answers", {"problem": ARTICLE_PROBLEM, "answers": {"L": 1.5}}),
        call("audit_problem", {"problem": ARTICLE_PROBLEM, "asks": ["L"]}),
        call("take_steps", ARTICLE_PROBLEM | {"learning_rate": 0.1, "count": 100}),
        call("compute_jacobians", DEEP_ONE | {"jacobians": MANY_IDS}),
        call("compute_forward", DEEP_ONE, raw=json.dumps(DEEP_ONE).encode() + b" " * 70_000),
    ],
    ids=lambda asked: asked.operation,
)
async def test_other_json_is_done_in_a_process(placement: Placement, asked: Call) -> None:
    computation, threads = watched(asked.operation)
    found = await placement.answer(computation, asked)
    assert found.status == 200, found.content
    assert threads == []


async def test_long_work_is_done_in_a_thread_so_that_marking_need_not_wait_for_it(placement: Placement) -> None:
    computation, threads = watched("take_steps")
    found = await placement.answer(
        computation, call("take_steps", ARTICLE_PROBLEM | {"learning_rate": 0.1, "count": 900})
    )
    assert found.status == 200, found.content
    assert threads != [threading.get_ident()]
    assert len(threads) == 1


@pytest.mark.parametrize("name", ["threads", "processes"])
async def test_marking_in_bulk_gives_way_to_whoever_waits_and_never_for_long(placement: Placement, name: str) -> None:
    def pause(seconds: float) -> float:
        start = time.perf_counter()
        placement.give_way(seconds)
        return time.perf_counter() - start

    is_over, place = threading.Event(), placement.queues[name]
    assert isinstance(place, Threads)
    assert min(pause(10) for _ in range(5)) < LONGEST_WAY
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(place.run(None, is_over.wait))
        await asyncio.sleep(0)
        assert place.waiting == 1
        assert pause(0.01) >= WAYS_GIVEN * 0.01
        assert min(pause(10) for _ in range(5)) < 1
        is_over.set()


async def test_a_binary_body_is_done_in_a_thread(placement: Placement) -> None:
    computation, threads = watched("compute_softmax_layer")
    asked = replace(INLINE, raw=to_tensors(with_arrays(ARTICLE)), reads=TENSORS_TYPE)
    assert (await placement.answer(computation, asked)).status == 200
    assert threads != [threading.get_ident()]
    assert len(threads) == 1
    assert (await placement.answer(computation, replace(asked, raw=b"none"))).status == 400


async def test_every_place_is_empty_when_all_are_answered(placement: Placement) -> None:
    await placement.answer(OPERATIONS["compute_forward"], call("compute_forward", WIDE))
    assert {name: queue.waiting for name, queue in placement.queues.items()} == dict.fromkeys(placement.queues, 0)
    assert [place.running for place in (placement.threads, placement.processes, placement.bulk)] == [0, 0, 0]


async def test_a_small_body_with_a_large_reply_is_done_in_a_process(placement: Placement) -> None:
    layer = {"weights": [[0.1] * 100], "activation": "softmax"}
    body = {"network": {"layers": [layer]}, "inputs": [[1]], "jacobians": ["dS_dZ"]}
    asked = call("compute_jacobians", body)
    computation, threads = watched("compute_jacobians")
    found = await placement.answer(computation, asked)
    # a thread reads what is binary, and sees that the reply is large
    binary = replace(asked, raw=to_tensors(with_arrays(body)), reads=TENSORS_TYPE)
    assert await placement.answer(computation, binary) == found
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
        found = await placement.answer(OPERATIONS["compute_gradients"], asked)
        assert (found.status, found.media_type) == (status, PROBLEM_TYPE)
        assert found == answer(OPERATIONS["compute_gradients"], asked)


async def test_a_refusal_by_another_process_carries_the_id_of_the_request(placement: Placement) -> None:
    found = await placement.answer(OPERATIONS["compute_gradients"], replace(GRADIENTS, raw=b"{" + b" " * 100_000))
    assert json.loads(found.content)["request_id"] == "abc"


async def test_ids_that_name_nothing_are_refused_wherever_they_are(placement: Placement) -> None:
    found = await placement.answer(
        OPERATIONS["compute_jacobians"], call("compute_jacobians", WIDE | {"jacobians": ["dQ_dX"]})
    )
    assert found.status == 422


async def test_without_processes_threads_do_everything() -> None:
    before = children()
    with started(processes=0, process_bytes=100, inline_bytes=0) as placement:
        computation, threads = watched("compute_softmax_layer")
        assert (await placement.answer(computation, INLINE)).status == 200
        assert len(threads) == 1
        assert children() == before


def test_processes_that_are_started_while_all_stops_are_ended_too() -> None:
    placement, others = Placement(Settings.model_construct(processes=4)), children()
    with ThreadPoolExecutor(1) as pool:
        is_started = pool.submit(placement.start)
        while children() <= others:
            assert not is_started.done()
        # three are still to come
        placement.stop()
        assert not is_started.result()
    assert not placement.has_workers
    assert children() <= others


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
