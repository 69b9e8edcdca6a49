"""Where work is done: small work at once, other work in threads, large JSON in a process; with one result."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from starlette.types import Message

from app.cores import VARIABLES, count_cores, limit_threads
from app.errors import MEDIA_TYPE as PROBLEM_TYPE
from app.examples import ARTICLE, ARTICLE_PROBLEM
from app.operations import OPERATIONS
from app.settings import Settings
from app.wire.tensors import TENSORS_TYPE
from app.work.computation import Call, answer_call
from app.work.dispatch import LONGEST_REST, REST_RATIO, Dispatcher
from tests.support.dispatching import (
    DEEP_ONE,
    GRADIENTS,
    INLINE,
    MANY_IDS,
    PADDED,
    WIDE,
    WIDE_LAYER,
    WIDE_LOSS,
    answer,
    call,
    children,
    started,
    watched,
)
from tests.support.tensor_client import from_tensors, to_tensors, with_arrays

pytestmark = pytest.mark.anyio


async def staying() -> Message:
    """Receive what a client sends that stays: nothing."""
    return await asyncio.Future()


@pytest.fixture(scope="module")
def dispatcher() -> Iterator[Dispatcher]:
    with started() as running:
        yield running


@pytest.mark.parametrize(
    ("name", "asked", "is_inline"),
    [
        ("compute_jacobians", call("compute_jacobians", DEEP_ONE | {"jacobians": MANY_IDS[:1]}), True),
        ("compute_jacobians", call("compute_jacobians", DEEP_ONE | {"jacobians": MANY_IDS}), False),
        ("compute_softmax_layer", call("compute_softmax_layer", WIDE_LAYER | {"quantities": ["dS_dW"]}), False),
        ("compute_softmax_layer", call("compute_softmax_layer", WIDE_LAYER | {"quantities": ["dA_dW1"]}), False),
        ("compute_softmax_layer", call("compute_softmax_layer", WIDE_LAYER | {"quantities": ["dL_dW"]}), True),
        ("compute_softmax_layer", INLINE, True),
        ("compute_gradients", GRADIENTS, True),
        ("compute_softmax_layer", PADDED, False),
        # what it takes shows only on the way
        ("grade_answers", call("grade_answers", {"problem": ARTICLE_PROBLEM, "answers": {"L": 1.5}}), False),
        # the check takes a pass for each entry
        ("compute_gradients", call("compute_gradients", ARTICLE_PROBLEM | {"check": True}), True),
        (
            "compute_gradients",
            call("compute_gradients", WIDE | WIDE_LOSS),
            False,
        ),
        (
            "compute_softmax_layer",
            replace(INLINE, raw=to_tensors(with_arrays(ARTICLE)), reads=TENSORS_TYPE),
            False,
        ),
    ],
)
async def test_small_work_is_done_at_once_and_other_work_elsewhere(
    dispatcher: Dispatcher, name: str, asked: Call, *, is_inline: bool
) -> None:
    operation, threads = watched(name)
    found = await answer(dispatcher, operation, asked)
    assert found.status == 200, found.content
    assert (threads == [threading.get_ident()]) == is_inline
    assert len(threads) <= 1


async def test_large_json_is_done_in_a_process_with_the_same_reply(dispatcher: Dispatcher) -> None:
    operation, threads = watched("compute_forward")
    asked = call("compute_forward", WIDE)
    assert len(asked.raw) > 100_000
    found = await answer(dispatcher, operation, asked)
    assert threads == []
    assert found == answer_call(asked)


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
async def test_other_json_is_done_in_a_process(dispatcher: Dispatcher, asked: Call) -> None:
    operation, threads = watched(asked.operation)
    found = await answer(dispatcher, operation, asked)
    assert found.status == 200, found.content
    assert threads == []


async def test_long_work_is_done_in_a_thread_so_that_marking_need_not_wait_for_it(dispatcher: Dispatcher) -> None:
    operation, threads = watched("take_steps")
    found = await answer(
        dispatcher, operation, call("take_steps", ARTICLE_PROBLEM | {"learning_rate": 0.1, "count": 900})
    )
    assert found.status == 200, found.content
    assert threads != [threading.get_ident()]
    assert len(threads) == 1


async def test_bulk_marking_rests_while_others_wait_and_never_for_long(dispatcher: Dispatcher) -> None:
    async def measure_turn(seconds: float) -> float:
        started = time.perf_counter()
        await dispatcher.take_turn(None, partial(time.sleep, seconds))
        return time.perf_counter() - started

    assert await measure_turn(0.05) < 0.05 * REST_RATIO
    is_over = threading.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(dispatcher.threads.run(None, is_over.wait, is_under_way=True))
        await asyncio.sleep(0)
        assert dispatcher.waiting["threads"] == 1
        assert await measure_turn(0.05) >= 0.05 * (1 + REST_RATIO)
        assert await measure_turn(LONGEST_REST / 2) < LONGEST_REST * (1 + REST_RATIO) / 2
        is_over.set()


async def test_bulk_requests_take_turns_chunk_by_chunk_in_the_order_in_which_they_ask() -> None:
    dispatcher = Dispatcher(Settings.model_construct(processes=1))
    taken: list[str] = []
    may_begin = threading.Event()

    def mark_chunk(name: str) -> None:
        assert may_begin.wait(10)
        taken.append(name)
        # for the other to ask meanwhile
        time.sleep(0.05)

    async def mark(name: str, chunks: int) -> None:
        for number in range(chunks):
            await dispatcher.take_turn(None if number else staying, partial(mark_chunk, name))

    async with asyncio.TaskGroup() as group:
        group.create_task(mark("large", 5))
        group.create_task(mark("small", 2))
        await asyncio.sleep(0.05)
        assert (dispatcher.running["bulk"], dispatcher.waiting["bulk"]) == (1, 1)
        may_begin.set()
    assert taken == ["large", "small", "large", "small", "large", "large", "large"]
    assert (dispatcher.running["bulk"], dispatcher.waiting["bulk"]) == (0, 0)


async def test_a_bulk_request_that_is_given_up_holds_its_turn_until_its_chunk_is_done() -> None:
    dispatcher = Dispatcher(Settings.model_construct(processes=1))
    is_over = threading.Event()
    marking, waiting = (asyncio.create_task(dispatcher.take_turn(None, is_over.wait)) for _ in range(2))
    await asyncio.sleep(0.05)
    for given_up in (marking, waiting):
        given_up.cancel()
    await asyncio.wait([marking, waiting])
    assert (dispatcher.running["bulk"], dispatcher.waiting["bulk"]) == (1, 0)
    is_over.set()
    assert await dispatcher.take_turn(None, is_over.is_set)
    assert dispatcher.running["bulk"] == 0


async def test_a_binary_body_is_done_in_a_thread(dispatcher: Dispatcher) -> None:
    operation, threads = watched("compute_softmax_layer")
    asked = replace(INLINE, raw=to_tensors(with_arrays(ARTICLE)), reads=TENSORS_TYPE)
    assert (await answer(dispatcher, operation, asked)).status == 200
    assert threads != [threading.get_ident()]
    assert len(threads) == 1
    assert (await answer(dispatcher, operation, replace(asked, raw=b"none"))).status == 400


async def test_every_place_is_empty_when_all_are_answered(dispatcher: Dispatcher) -> None:
    await answer(dispatcher, OPERATIONS["compute_forward"], call("compute_forward", WIDE))
    assert set(dispatcher.waiting.values()) == {0}
    assert set(dispatcher.running.values()) == {0}
    assert dispatcher.memory.total == 0


async def test_a_small_body_with_a_large_reply_is_done_in_a_process(dispatcher: Dispatcher) -> None:
    layer = {"weights": [[0.1] * 200], "activation": "softmax"}
    body = {"network": {"layers": [layer]}, "inputs": [[1]], "jacobians": ["dS_dZ"]}
    asked = call("compute_jacobians", body)
    operation, threads = watched("compute_jacobians")
    found = await answer(dispatcher, operation, asked)
    # a thread reads what is binary, and sees that the reply is large
    binary = replace(asked, raw=to_tensors(with_arrays(body)), reads=TENSORS_TYPE)
    assert await answer(dispatcher, operation, binary) == found
    assert threads == []
    assert json.loads(found.content)["jacobians"]["dS_dZ"]["shape"] == [1, 200, 200]
    # written as it lies in memory, it is no work for Python
    tensors = await answer(dispatcher, operation, replace(asked, writes=TENSORS_TYPE))
    assert len(threads) == 1
    expected = json.loads(found.content)["jacobians"]["dS_dZ"]["value"]
    np.testing.assert_array_equal(from_tensors(bytes(tensors.content))["jacobians"]["dS_dZ"]["value"], expected)


@pytest.mark.parametrize("padding", ["", " " * 100_000])
async def test_a_refusal_is_the_same_wherever_it_is_made(dispatcher: Dispatcher, padding: str) -> None:
    for body, status in (('{"inputs": [[1]]}', 422), ('{"inputs": [[1]', 400)):
        asked = replace(GRADIENTS, raw=(body + padding).encode(), request_id="")
        found = await answer(dispatcher, OPERATIONS[asked.operation], asked)
        assert (found.status, found.media_type) == (status, PROBLEM_TYPE)
        assert found == answer_call(asked)


async def test_a_refusal_by_another_process_carries_the_id_of_the_request(dispatcher: Dispatcher) -> None:
    found = await answer(dispatcher, OPERATIONS["compute_gradients"], replace(GRADIENTS, raw=b"{" + b" " * 100_000))
    assert json.loads(found.content)["request_id"] == "abc"


async def test_ids_that_name_nothing_are_refused_wherever_they_are(dispatcher: Dispatcher) -> None:
    found = await answer(
        dispatcher, OPERATIONS["compute_jacobians"], call("compute_jacobians", WIDE | {"jacobians": ["dQ_dX"]})
    )
    assert found.status == 422


async def test_without_processes_threads_do_everything() -> None:
    before = children()
    with started(processes=0) as dispatcher:
        for asked in (PADDED, call("grade_answers", {"problem": ARTICLE_PROBLEM, "answers": {"L": 1.5}})):
            assert await answer(dispatcher, OPERATIONS[asked.operation], asked) == answer_call(asked)
        assert dispatcher.pool.is_working
        assert children() == before


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
