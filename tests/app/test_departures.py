"""The real server and clients that leave, or hear late: what is not done for the former, and reaches the latter."""

import asyncio
import socket
from collections import deque
from types import SimpleNamespace
from typing import Any, cast
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest
import uvloop
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from app.examples import ARTICLE_PROBLEM
from app.serving.transports import CountedTransport, PipelineFlow
from tests.app.server import dump, run_server
from tests.app.sockets import HEAD, KEPT, connect, read_metric, wait_for_metric


def steps(count: int) -> bytes:
    """Return a request for so many steps; 30,000 take a second or less, more than the default budget allows."""
    body = dump(ARTICLE_PROBLEM | {"learning_rate": 0.1, "count": count})
    return HEAD % (b"/v1/steps", b"application/json", len(body)) + body


def test_a_client_that_leaves_loses_its_place_although_another_request_is_behind_the_first() -> None:
    waiting, running = 'gradmark_waiting{place="threads"}', 'gradmark_running{place="threads"}'
    lines = b'{"exercise": {"kind": "softmax_layer", "seed": 1}}\n' * 5000
    with run_server(processes=0, max_operations=10**12, queue_seconds=60) as server:
        with connect(server) as busy:
            busy.sendall(steps(100_000))
            wait_for_metric(server, running, 1)
            with connect(server) as one, connect(server) as another:
                one.sendall(steps(30_000))
                another.sendall(steps(30_000) + KEPT * 2)
                wait_for_metric(server, waiting, 2)
            wait_for_metric(server, waiting, 0)
            assert read_metric(server, running) == 1
        with connect(server) as bulk:
            bulk.sendall(HEAD % (b"/v1/grades/bulk", b"application/jsonl", len(lines)) + lines + KEPT)
            assert bulk.recv(12) == b"HTTP/1.1 200"
        wait_for_metric(server, 'gradmark_running{place="bulk"}', 0)
        assert b"ERROR" not in server.logged()


def test_an_early_reply_reaches_a_client_that_sends_all_of_its_body_first() -> None:
    opener = build_opener(ProxyHandler({}))
    with run_server(processes=0, max_body_bytes=1_000_000) as server:
        for _ in range(5):
            # it says `Connection: close`, as it always does
            request = Request(f"http://127.0.0.1:{server.port}/v1/softmax-layer", data=b" " * 5_000_000)
            request.add_header("Content-Type", "application/json")
            with pytest.raises(HTTPError, match="413") as error:
                opener.open(request, timeout=10)
            error.value.close()


class Transport:
    """As much of a transport as reading takes."""

    is_reading = True

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True


@pytest.mark.parametrize(
    ("sizes", "is_reading"), [([], True), ([HIGH_WATER_LIMIT], True), ([HIGH_WATER_LIMIT, 1], False)]
)
def test_no_more_is_read_where_much_waits_behind_another_request(sizes: list[int], is_reading: bool) -> None:
    transport = Transport()
    pipeline = deque((SimpleNamespace(body=bytes(size)), None) for size in sizes)
    flow = PipelineFlow(cast("Any", transport), cast("Any", pipeline))
    flow.pause_reading()
    flow.resume_reading()
    assert transport.is_reading is is_reading
    pipeline.clear()
    flow.resume_reading()
    assert transport.is_reading


def test_what_is_written_to_a_client_that_has_left_is_dropped() -> None:
    async def write() -> bytes:
        here, there = socket.socketpair()
        with there:
            transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=here)
            counted = CountedTransport(transport)
            counted.write(b"before")
            transport.close()
            await asyncio.sleep(0.01)
            counted.write(b"after")
            return there.recv(100)

    # as the server runs: with it, writing raises
    assert uvloop.run(write()) == b"before"
