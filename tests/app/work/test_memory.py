"""Bytes that requests hold, in memory and in files: how much all of them together may, and each client at least."""

import socket
import sys
from contextlib import ExitStack

import httpx
import pytest

from app.examples import ARTICLE
from app.main import create_app
from app.settings import Settings
from app.work.memory import SMALL_BYTES, MemoryBudget, find_holder
from app.work.queue import BusyError
from tests.support.dispatching import MANY_IDS
from tests.support.server import Server, assert_is_busy, dump, post, run_server
from tests.support.sockets import HEAD, ask_for_much, connect, read_metric, wait_for_metric

HELD = 'gradmark_held_bytes{what="memory"}'
FILES = 'gradmark_held_bytes{what="files"}'
MOST = 100 * SMALL_BYTES
UNIT = SMALL_BYTES + 1
ADDRESSES = [f"127.0.0.{number}" for number in range(2, 5)]

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a machine has one loopback address")


# the budget


@pytest.fixture
def budget() -> MemoryBudget:
    return MemoryBudget(MOST, "busy_memory", "in memory")


def test_a_holder_may_use_all_while_nobody_else_uses_any_and_one_byte_more_is_refused(budget: MemoryBudget) -> None:
    with budget.open("ada") as one, budget.open("ada") as other:
        one.grow(MOST - UNIT)
        other.grow(UNIT)
        assert budget.total == MOST
        with pytest.raises(BusyError, match=str(MOST)) as refused:
            one.grow(1)
        assert (refused.value.status, refused.value.code) == (503, "busy_memory")
        other.release()
        one.grow(1)
    assert budget.total == 0


def test_half_is_left_for_others_whatever_one_holder_uses_who_gets_no_more_meanwhile(budget: MemoryBudget) -> None:
    with ExitStack() as stack:
        one, more, other, next_one = (stack.enter_context(budget.open(name)) for name in ("ada", "ada", "bob", "bob"))
        one.grow(MOST - UNIT)
        other.grow(MOST // 2 - UNIT)
        next_one.grow(UNIT)
        for reservation in (more, next_one):
            with pytest.raises(BusyError):
                reservation.grow(UNIT)


def test_the_only_request_of_a_holder_may_be_larger_than_what_is_left(budget: MemoryBudget) -> None:
    with budget.open("ada") as one, budget.open("bob") as other, budget.open("cleo") as third:
        one.grow(2 * MOST)
        one.resize(MOST * 3 // 4)
        other.grow(MOST * 3 // 4)
        with pytest.raises(BusyError):
            third.grow(UNIT)
        other.release()
        with pytest.raises(BusyError):
            third.grow(MOST * 3 // 4 + 1)
        one.release()
        third.grow(2 * MOST)


def test_what_is_small_is_let_in_whatever_others_hold_and_one_byte_more_is_not(budget: MemoryBudget) -> None:
    with budget.open("ada") as one, budget.open("bob") as other, budget.open("cleo") as third:
        one.grow(MOST)
        other.grow(MOST // 2)
        third.grow(SMALL_BYTES)
        with pytest.raises(BusyError):
            third.grow(1)


def test_what_is_reserved_is_held_once_and_replaced_by_what_there_is_even_if_it_is_more(budget: MemoryBudget) -> None:
    with budget.open("ada") as one, budget.open("ada") as other:
        one.reserve(MOST - UNIT)
        one.reserve(MOST - UNIT)
        one.reserve(UNIT)
        assert budget.total == MOST - UNIT
        with pytest.raises(BusyError):
            other.reserve(UNIT + 1)
        one.resize(MOST - 2 * UNIT)
        other.reserve(UNIT + 1)
        one.resize(3 * MOST)
        assert budget.total == 3 * MOST + UNIT + 1
    assert budget.total == 0


def test_a_holder_is_the_key_or_else_the_address() -> None:
    assert find_holder({"client": ("10.0.0.1", 80), "state": {"key": "ada"}}, "") == "ada"
    assert find_holder({"client": ("10.0.0.1", 80), "state": {}}, "") == "10.0.0.1"
    assert find_holder({"client": None, "headers": [(b"x-forwarded-for", b"10.0.0.1")]}, "") == ""


@pytest.mark.parametrize(
    ("values", "holder"),
    [
        ([b"192.0.2.1"], "192.0.2.1"),
        ([b"made up, 192.0.2.1"], "192.0.2.1"),
        ([b"made up", b"192.0.2.1 "], "192.0.2.1"),
        ([b"2001:db8::1"], "2001:db8::1"),
        ([], "10.0.0.1"),
        ([b""], "10.0.0.1"),
    ],
)
def test_behind_a_proxy_a_holder_is_the_key_or_else_the_client_that_the_proxy_names_last(
    values: list[bytes], holder: str
) -> None:
    headers = [(b"x-forwarded-for", value) for value in values]
    scope: dict[str, object] = {"client": ("10.0.0.1", 80), "headers": headers, "state": {}}
    assert find_holder(scope, "X-Forwarded-For") == holder
    assert find_holder(scope | {"state": {"key": "ada"}}, "X-Forwarded-For") == "ada"


# the real server


def test_replies_that_clients_do_not_take_are_held_up_to_the_limit_and_small_ones_still_sent() -> None:
    # each has 9 MB, which nobody knows before: the body is too large to be read by the process that serves
    with run_server(max_memory_bytes=15_000_000) as server, ExitStack() as stack:
        first, *others = (stack.enter_context(connect(server)) for _ in range(3))
        ask_for_much(first)
        held = read_metric(server, HELD)
        for connection in others:
            ask_for_much(connection, status=503)
        assert read_metric(server, HELD) < held + 10_000
        assert post(server, "/v1/softmax-layer", dump(ARTICLE)).status_code == 200
        first.close()
        wait_for_metric(server, HELD, 0)


@only_linux
def test_one_client_that_does_not_take_its_large_reply_shuts_no_large_request_of_others_out() -> None:
    with run_server(max_memory_bytes=15_000_000) as server, ExitStack() as stack:
        first, second, third = (stack.enter_context(connect(server, address)) for address in ADDRESSES)
        ask_for_much(first)
        ask_for_much(stack.enter_context(connect(server, ADDRESSES[0])), status=503)
        # as large, for somebody else
        ask_for_much(second)
        ask_for_much(third, status=503)
        first.close()
        ask_for_much(stack.enter_context(connect(server, ADDRESSES[2])))


def hold_upload(server: Server, address: str, path: bytes, media_type: bytes, size: int) -> socket.socket:
    """Send a body but for its last byte."""
    connection = connect(server, address)
    connection.sendall(HEAD % (path, media_type, size) + b" " * (size - 1))
    return connection


@only_linux
@pytest.mark.parametrize(
    ("path", "media_type", "series"),
    [(b"/v1/grades", b"application/json", HELD), (b"/v1/grades/bulk", b"application/jsonl", FILES)],
)
def test_uploads_that_stop_before_their_end_shut_no_large_upload_of_others_out(
    path: bytes, media_type: bytes, series: str
) -> None:
    # larger than what a bulk request, or the reply to one, holds in memory
    size = 2_000_000
    with run_server(max_memory_bytes=4 * size, max_spool_bytes=4 * size) as server, ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(hold_upload(server, ADDRESSES[0], path, media_type, size))
        wait_for_metric(server, series, 4 * size - 4)
        headers = {"Content-Type": media_type.decode()}
        reply = server.client.post(path.decode(), content=b" " * size, headers=headers)
        assert reply.status_code == (200 if series == FILES else 400)
        with hold_upload(server, ADDRESSES[0], path, media_type, size) as last:
            assert last.recv(12) == b"HTTP/1.1 503"


# in process


LAYER = {"weights": [[0.1] * 12] * 12, "activation": "identity"}
WIDE_SOFTMAX = {"layers": [{"weights": [[0.1] * 100], "activation": "softmax"}]}


@pytest.mark.anyio
@pytest.mark.parametrize("size", [0, 20_000], ids=["read-on-the-loop", "read-in-a-process"])
@pytest.mark.parametrize(
    "body",
    [
        {"network": WIDE_SOFTMAX, "inputs": [[1]], "jacobians": ["dS_dZ"]},
        # so many derivatives that nobody counts their numbers before
        {"network": {"layers": [LAYER] * 8}, "inputs": [[1] * 12], "jacobians": MANY_IDS},
    ],
)
async def test_a_large_reply_is_refused_where_others_hold_too_much(body: object, size: int) -> None:
    app = create_app(Settings.model_construct(max_memory_bytes=2 * UNIT))
    content, headers = dump(body).ljust(size), {"Content-Type": "application/json"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        memory = app.state.dispatcher.memory
        with memory.open("ada") as one, memory.open("bob") as other:
            one.resize(UNIT)
            other.resize(UNIT)
            reply = await client.post("/v1/jacobians", content=content, headers=headers)
            assert_is_busy(reply, "busy_memory", f"{2 * UNIT} bytes")
            assert memory.total == 2 * UNIT
        alone = await client.post("/v1/jacobians", content=content, headers=headers)
        assert (alone.status_code, memory.total) == (200, 0)
        assert len(alone.content) > SMALL_BYTES


@pytest.mark.anyio
async def test_what_is_more_than_a_result_may_have_is_422_whatever_others_hold() -> None:
    app = create_app(Settings.model_construct(processes=0))
    wide = {"layers": [{"weights": [[0.5] * 2000], "activation": "softmax"}]}
    body = {"network": wide, "inputs": [[1.0]] * 20, "jacobians": ["dA1_dW1"]}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        with app.state.dispatcher.memory.open("somebody else") as theirs:
            theirs.grow(SMALL_BYTES + 1)
            refused = await client.post("/v1/jacobians", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "too_large")
