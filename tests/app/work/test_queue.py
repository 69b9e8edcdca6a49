"""Queues: how many wait, how long, and who leaves."""

import asyncio
import contextvars
import gc
import threading
import time
import weakref
from contextlib import suppress

import pytest
from starlette.types import Message, Receive

from app.errors import BodyError
from app.work.queue import ROUND_SECONDS, BusyError, LoopShare, Slots

pytestmark = pytest.mark.anyio

PATIENCE = 10.0


async def staying() -> Message:
    """Receive what a client sends that stays: nothing."""
    await asyncio.Event().wait()
    raise AssertionError


def leaving() -> Receive:
    """Return how the rest of a request is received whose client leaves."""
    rest: list[Message] = [{"type": "http.request"}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return rest.pop(0)

    return receive


class Place:
    """A slot, and requests that stay in it until they are let go."""

    def __init__(self, *, max_waiting: int, queue_seconds: float = PATIENCE) -> None:
        self.slots = Slots("a place", 1, max_waiting=max_waiting, queue_seconds=queue_seconds)
        self.entered: list[str] = []
        self._left = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def send(self, name: str, receive: Receive = staying) -> asyncio.Task[None]:
        """Send a request, and return when it is where it can be."""
        self._tasks.append(asyncio.create_task(self.slots.run(receive, self._stay, name)))
        await asyncio.sleep(0.02)
        return self._tasks[-1]

    async def let_go(self) -> None:
        """Let all leave."""
        self._left.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _stay(self, name: str) -> None:
        self.entered.append(name)
        assert self._left.wait(PATIENCE)


async def test_as_many_wait_as_may_and_one_more_is_refused() -> None:
    place = Place(max_waiting=2)
    for name in ("first", "second", "third"):
        await place.send(name)
    assert (place.slots.running, place.slots.waiting, place.entered) == (1, 2, ["first"])
    fourth = await place.send("fourth")
    with pytest.raises(BusyError, match="2 requests") as refused:
        await fourth
    assert (refused.value.status, refused.value.code, refused.value.headers) == (503, "busy", {"Retry-After": "1"})
    await place.let_go()
    assert place.entered == ["first", "second", "third"]
    assert (place.slots.running, place.slots.waiting) == (0, 0)


async def test_where_nobody_may_wait_the_second_is_refused() -> None:
    place = Place(max_waiting=0)
    await place.send("first")
    with pytest.raises(BusyError, match="0 requests"):
        await (await place.send("second"))
    await place.let_go()


async def test_who_has_waited_for_long_is_refused_and_leaves_the_queue() -> None:
    place = Place(max_waiting=1, queue_seconds=0.1)
    await place.send("first")
    second = await place.send("second")
    with pytest.raises(BusyError, match=r"0\.1 s") as refused:
        await second
    assert refused.value.code == "busy_too_long"
    # the first has been at it for longer than anybody may wait, and goes on
    assert (place.slots.running, place.slots.waiting) == (1, 0)
    await place.let_go()
    assert place.entered == ["first"]


async def test_a_client_that_leaves_gives_up_its_turn_to_the_next() -> None:
    place = Place(max_waiting=1)
    await place.send("first")
    second = await place.send("second", leaving())
    with pytest.raises(BodyError, match="left before its turn") as left:
        await second
    assert left.value.status == 400
    assert place.slots.waiting == 0
    await place.send("third")
    await place.let_go()
    assert place.entered == ["first", "third"]


async def test_a_request_that_is_cancelled_gives_up_its_turn() -> None:
    place = Place(max_waiting=1)
    await place.send("first")
    (await place.send("second")).cancel()
    await asyncio.sleep(0.02)
    assert place.slots.waiting == 0
    await place.send("third")
    await place.let_go()
    assert place.entered == ["first", "third"]


async def test_a_thread_gives_back_what_a_function_returns_or_raises_in_the_context_of_the_request() -> None:
    limiter = Slots("a place", 1, max_waiting=0, queue_seconds=1)
    name = contextvars.ContextVar("name", default="")
    name.set("mine")
    assert await limiter.run(None, name.get) == "mine"
    with pytest.raises(ValueError, match="invalid literal"):
        await limiter.run(staying, int, "many")
    assert limiter.running == 0


async def test_a_place_that_is_stopped_begins_nothing_any_more() -> None:
    place = Place(max_waiting=1)
    await place.send("first")
    second = await place.send("second")
    place.slots.stop()
    with pytest.raises(asyncio.CancelledError):
        await second
    await place.let_go()
    assert place.entered == ["first"]


async def test_what_leaves_the_queue_takes_its_arguments_along() -> None:
    threads = Slots("a thread", 1, max_waiting=1, queue_seconds=0.05)
    let_go = threading.Event()
    first = asyncio.create_task(threads.run(None, let_go.wait, PATIENCE))
    await asyncio.sleep(0)

    class Body:
        """What a request holds."""

    body = Body()
    watched = weakref.ref(body)

    async def give_up(body: Body) -> None:
        with suppress(BusyError):
            await threads.run(None, id, body)

    await give_up(body)
    del body
    gc.collect()
    assert watched() is None
    let_go.set()
    await first
    threads.stop()


async def test_small_work_has_its_time_in_each_round_of_the_loop_and_what_is_more_waits_for_the_next() -> None:
    loop = LoopShare(max_waiting=1)
    done: list[str] = []

    async def work(name: str) -> None:
        await loop.wait()
        with loop:
            time.sleep(ROUND_SECONDS)  # noqa: ASYNC251 - work does not give way either
        done.append(name)

    first, second, third = (asyncio.create_task(work(name)) for name in ("first", "second", "third"))
    await first
    with pytest.raises(BusyError, match="1 request"):
        await third
    assert (done, loop.waiting, loop.room) == (["first"], 1, 0)
    await second
    assert (done, loop.waiting, loop.room > 0) == (["first", "second"], 0, True)
    await work("third")
