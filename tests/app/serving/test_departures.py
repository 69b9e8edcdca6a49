"""The real server and clients that leave, or hear late: what is not done for the former, and reaches the latter."""

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest
import uvloop

from app.examples import ARTICLE_PROBLEM
from app.serving.request import Outlet
from tests.support.server import dump, run_server
from tests.support.sockets import HEAD, KEPT, connect, read_metric, wait_for_metric


def steps(count: int) -> bytes:
    """Return a request for so many steps; 30,000 take a second or less, more than the default budget allows."""
    body = dump(ARTICLE_PROBLEM | {"learning_rate": 0.1, "count": count})
    return HEAD % (b"/v1/steps", b"application/json", len(body)) + body


def test_a_client_that_leaves_loses_its_place_although_another_request_is_behind_the_first() -> None:
    waiting, running = 'gradmark_waiting{place="processes"}', 'gradmark_running{place="processes"}'
    lines = b'{"exercise": {"kind": "softmax_layer", "seed": 1}}\n' * 5000
    with run_server(processes=0, max_operations=10**12, queue_seconds=60) as server:
        with connect(server) as busy:
            busy.sendall(steps(40_000))
            wait_for_metric(server, running, 1)
            with connect(server) as one, connect(server) as another:
                one.sendall(steps(30_000))
                another.sendall(steps(30_000) + KEPT * 2)
                wait_for_metric(server, waiting, 2)
            wait_for_metric(server, waiting, 0)
            assert read_metric(server, running) == 1
        # a thread that computes is not stopped
        wait_for_metric(server, running, 0)
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


def test_no_more_is_read_where_much_waits_behind_another_request() -> None:
    size = 64 * 2**20
    head = HEAD % (b"/v1/softmax-layer", b"application/json", size)
    with run_server(processes=0, max_operations=10**12, max_body_bytes=size) as server, connect(server) as connection:
        connection.sendall(steps(100_000) + head)
        before, taken = server.memory("VmRSS"), 0
        connection.settimeout(1)
        with suppress(TimeoutError):
            while taken < size:
                taken += connection.send(b" " * 2**16)
        # what the kernels on both sides take, at most
        assert taken < size // 2
        assert server.memory("VmRSS") - before < 2**22


def test_a_client_that_ends_its_side_and_then_leaves_an_unread_reply_is_soon_forgotten() -> None:
    with run_server(client_seconds=60, processes=0) as server:
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", server.port))
            # of 55 kB, which the kernel takes, and its client not all of it
            wide = {"weights": [[0.1] * 16] * 16, "inputs": [0.5] * 16, "target": 0, "quantities": ["dS_dW"]}
            body = dump(wide)
            connection.sendall(HEAD % (b"/v1/softmax-layer", b"application/json", len(body)) + body)
            assert connection.recv(12) == b"HTTP/1.1 200"
            connection.shutdown(socket.SHUT_WR)
            time.sleep(1)
            # the test's own client holds one
            assert read_metric(server, "gradmark_connections ") == 2
        wait_for_metric(server, "gradmark_connections ", 1)


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_is_written_to_a_client_that_has_left_is_dropped(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def write() -> bytes:
        here, there = socket.socketpair()
        with there:
            transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=here)
            outlet = Outlet(transport)
            outlet.write(b"before")
            transport.close()
            await asyncio.sleep(0.01)
            outlet.write(b"after")
            return there.recv(100)

    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(write()) == b"before"
