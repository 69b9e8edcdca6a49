"""Queues in front of places: how many wait, how long, who leaves; and what bodies may hold."""

import asyncio
import contextvars
import gc
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress

import pytest
from starlette.types import Message, Receive

from app.errors import BodyError
from app.work.memory import HeldBytes
from app.work.queue import ROUND_SECONDS, BusyError, Limiter, Rounds, Threads, Turns

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
    """A place of one, and requests that stay in it until they are let go."""

    def __init__(self, kind: type[Threads] | type[Turns], *, max_waiting: int, queue_seconds: float = PATIENCE) -> None:
        self.limiter: Limiter
        self.limiter = made = kind("a place", 1, max_waiting=max_waiting, queue_seconds=queue_seconds)
        self.entered: list[str] = []
        self._left = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._stay = self._in_turn(made) if isinstance(made, Turns) else self._in_thread(made)

    async def send(self, name: str, receive: Receive = staying) -> asyncio.Task[None]:
        """Send a request, and return when it is where it can be."""
        self._tasks.append(asyncio.create_task(self._stay(name, receive)))
        await asyncio.sleep(0.02)
        return self._tasks[-1]

    async def let_go(self) -> None:
        """Let all leave."""
        self._left.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _in_thread(self, limiter: Threads) -> Callable[[str, Receive], Coroutine[None, None, None]]:
        def stay(name: str) -> None:
            self.entered.append(name)
            assert self._left.wait(PATIENCE)

        return lambda name, receive: limiter.run(receive, stay, name)

    def _in_turn(self, limiter: Turns) -> Callable[[str, Receive], Coroutine[None, None, None]]:
        async def stay(name: str, receive: Receive) -> None:
            async with limiter.turn(receive):
                self.entered.append(name)
                while not self._left.is_set():  # noqa: ASYNC110 - the same event as that of threads
                    await asyncio.sleep(0.005)

        return stay


BOTH = pytest.mark.parametrize("kind", [Threads, Turns])


@BOTH
async def test_as_many_wait_as_may_and_one_more_is_refused(kind: type[Threads] | type[Turns]) -> None:
    place = Place(kind, max_waiting=2)
    for name in ("first", "second", "third"):
        await place.send(name)
    assert (place.limiter.running, place.limiter.waiting, place.entered) == (1, 2, ["first"])
    fourth = await place.send("fourth")
    with pytest.raises(BusyError, match="2 requests wait for a place already") as refused:
        await fourth
    assert (refused.value.status, refused.value.code, refused.value.headers) == (503, "busy", {"Retry-After": "1"})
    await place.let_go()
    assert place.entered == ["first", "second", "third"]
    assert (place.limiter.running, place.limiter.waiting) == (0, 0)


@BOTH
async def test_where_nobody_may_wait_the_second_is_refused(kind: type[Threads] | type[Turns]) -> None:
    place = Place(kind, max_waiting=0)
    await place.send("first")
    with pytest.raises(BusyError, match="0 requests wait"):
        await (await place.send("second"))
    await place.let_go()


@BOTH
async def test_who_has_waited_for_long_is_refused_and_leaves_the_queue(kind: type[Threads] | type[Turns]) -> None:
    place = Place(kind, max_waiting=1, queue_seconds=0.1)
    await place.send("first")
    second = await place.send("second")
    with pytest.raises(BusyError, match=r"waited 0\.1 s for a place") as refused:
        await second
    assert refused.value.code == "busy_too_long"
    # the first has been at it for longer than anybody may wait, and goes on
    assert (place.limiter.running, place.limiter.waiting) == (1, 0)
    await place.let_go()
    assert place.entered == ["first"]


@BOTH
async def test_a_client_that_leaves_gives_up_its_turn_to_the_next(kind: type[Threads] | type[Turns]) -> None:
    place = Place(kind, max_waiting=1)
    await place.send("first")
    second = await place.send("second", leaving())
    with pytest.raises(BodyError, match="left before its turn") as left:
        await second
    assert left.value.status == 400
    assert place.limiter.waiting == 0
    await place.send("third")
    await place.let_go()
    assert place.entered == ["first", "third"]


@BOTH
async def test_a_request_that_is_cancelled_gives_up_its_turn(kind: type[Threads] | type[Turns]) -> None:
    place = Place(kind, max_waiting=1)
    await place.send("first")
    (await place.send("second")).cancel()
    await asyncio.sleep(0.02)
    assert place.limiter.waiting == 0
    await place.send("third")
    await place.let_go()
    assert place.entered == ["first", "third"]


async def test_an_error_in_a_turn_ends_it() -> None:
    limiter = Turns("a place", 1, max_waiting=0, queue_seconds=1)
    for _ in range(2):
        with pytest.raises(LookupError):
            async with limiter.turn(staying):
                raise LookupError
    assert limiter.running == 0


async def test_a_thread_gives_back_what_a_function_returns_or_raises_in_the_context_of_the_request() -> None:
    limiter = Threads("a place", 1, max_waiting=0, queue_seconds=1)
    name = contextvars.ContextVar("name", default="")
    name.set("mine")
    assert await limiter.run(None, name.get) == "mine"
    with pytest.raises(ValueError, match="invalid literal"):
        await limiter.run(staying, int, "many")
    assert limiter.running == 0


async def test_a_place_that_is_stopped_begins_nothing_any_more() -> None:
    place = Place(Threads, max_waiting=1)
    await place.send("first")
    second = await place.send("second")
    assert isinstance(place.limiter, Threads)
    place.limiter.stop()
    with pytest.raises(asyncio.CancelledError):
        await second
    await place.let_go()
    assert place.entered == ["first"]


def test_bodies_may_take_what_they_may_together_and_one_byte_more_is_refused() -> None:
    held = HeldBytes(100, "busy_memory", "in memory")
    with held.share() as one, held.share() as other:
        one.add(60)
        other.add(30)
        other.add(10)
        assert held.total == 100
        with pytest.raises(BusyError, match="more than 100 bytes in memory") as refused:
            one.add(1)
        assert (refused.value.status, refused.value.code) == (503, "busy_memory")
        other.clear()
        assert held.total == 60
        one.add(40)
    assert held.total == 0


def test_a_body_that_is_the_only_one_may_take_more() -> None:
    held = HeldBytes(100, "busy_memory", "in memory")
    with held.share() as one, held.share() as other:
        one.add(99)
        one.add(99)
        with pytest.raises(BusyError):
            other.add(1)


def test_a_small_body_is_let_in_whatever_others_hold_and_one_byte_more_is_not() -> None:
    held = HeldBytes(100, "busy_memory", "in memory", always=10)
    with held.share() as one, held.share() as other:
        one.add(100)
        other.add(10)
        with pytest.raises(BusyError):
            other.add(1)


def test_what_takes_no_more_than_was_expected_is_kept_whatever_others_have_become_meanwhile() -> None:
    held = HeldBytes(100, "busy_memory", "in memory")
    with held.share() as one, held.share() as other:
        one.expect(10)
        other.become(200)
        one.expect(8)
        with pytest.raises(BusyError):
            one.expect(11)


def test_what_there_is_takes_the_place_of_what_was_expected_even_where_it_is_more() -> None:
    held = HeldBytes(100, "busy_memory", "in memory")
    with held.share() as one, held.share() as other:
        one.add(90)
        one.become(200)
        assert held.total == 200
        with pytest.raises(BusyError):
            other.add(1)
    assert held.total == 0


def test_what_is_expected_is_held_once_and_gives_way_to_what_there_is() -> None:
    held = HeldBytes(100, "busy_replies", "of replies in memory")
    with held.share() as one, held.share() as other:
        one.expect(60)
        one.expect(60)
        one.expect(30)
        assert held.total == 60
        with pytest.raises(BusyError, match="more than 100 bytes of replies in memory"):
            other.expect(41)
        one.become(50)
        other.expect(41)
        assert held.total == 91


async def test_what_leaves_the_queue_takes_its_arguments_along() -> None:
    threads = Threads("a thread", 1, max_waiting=1, queue_seconds=0.05)
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
    loop = Rounds("the event loop", max_waiting=1)
    done: list[str] = []

    async def work(name: str) -> None:
        await loop.wait()
        with loop:
            time.sleep(ROUND_SECONDS)  # noqa: ASYNC251 - work does not give way either
        done.append(name)

    first, second, third = (asyncio.create_task(work(name)) for name in ("first", "second", "third"))
    await first
    with pytest.raises(BusyError, match="1 requests wait for the event loop already"):
        await third
    assert (done, loop.waiting) == (["first"], 1)
    await second
    assert (done, loop.waiting) == (["first", "second"], 0)
    await work("third")
