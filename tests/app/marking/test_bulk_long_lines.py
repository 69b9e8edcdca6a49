"""Long lines in bulk: a process beside the one that serves reads and marks them, by the same bytes as any line."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from tests.support.bulk_lines import DEFAULTS, HEADERS, OWN_PROBLEM, dump_lines, read_lines
from tests.support.dispatching import wait_until_gone, worker_of
from tests.support.server import Server, assert_is_busy, assert_is_problem, read_memory, run_server, seconds_to_end
from tests.support.sockets import HEAD, connect, read_metric, wait_for_metric

MEGABYTE = 2**20
BULK = "/v1/grades/bulk"
LONGEST = 4 * MEGABYTE
SOON = 8

IN_PROCESSES = 'gradmark_running{place="processes"}'
IN_BULK = 'gradmark_running{place="bulk"}'
WAITING = 'gradmark_waiting{place="bulk"}'
HELD = 'gradmark_held_bytes{what="memory"}'

RIGHT = b'{"answers": {"L": 1.5279}}\n'
# a text of escapes that only the slowest of readers takes
LONG = b'{"answers": {"L": "' + b"\\n" * (MEGABYTE // 2) + b'"}}\n'
BLANK = b" " * MEGABYTE + b"\n"
CASES = {
    "among others": dump_lines(DEFAULTS) + RIGHT * 20 + LONG + RIGHT * 3 + LONG + LONG + RIGHT,
    "the first and the last": LONG + RIGHT + LONG.removesuffix(b"\n"),
    "blank": dump_lines(DEFAULTS) + BLANK + RIGHT + BLANK + LONG,
    "wrong": dump_lines(DEFAULTS) + LONG.replace(b"}}", b"}") + LONG.replace(b'"L"', b'"Z9"') + RIGHT,
    "too long": dump_lines(DEFAULTS) + RIGHT + RIGHT[:-1].ljust(LONGEST + 1) + b"\n" + RIGHT,
    "long defaults": dump_lines(DEFAULTS).rstrip().ljust(MEGABYTE) + b"\n" + RIGHT + LONG,
    "what may be defaults": dump_lines({"x": "x" * MEGABYTE, "defaults": {}}) + RIGHT,
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with run_server(processes=1, max_waiting=1, queue_seconds=0.1, max_body_bytes=LONGEST) as running:
        yield running


def send(server: Server, content: bytes) -> httpx.Response:
    return server.client.post(BULK, content=content, headers=HEADERS)


async def send_without_processes(content: bytes) -> httpx.Response:
    app = create_app(Settings.model_construct(max_body_bytes=LONGEST))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.post(BULK, content=content, headers=HEADERS)


# first, for the lines of a process that is killed do not count as covered


def test_a_process_that_dies_of_several_lines_marks_each_by_itself(server: Server) -> None:
    worker = worker_of(server)
    with ThreadPoolExecutor(1) as pool:
        os.kill(worker, signal.SIGSTOP)
        reply = pool.submit(send, server, RIGHT * 20 + RIGHT.replace(b"1.5279", b"7"))
        wait_for_metric(server, IN_PROCESSES, 1)
        os.kill(worker, signal.SIGKILL)
        lines, summary = read_lines(reply.result().content)
    assert summary["problems"] == 21
    assert {line["problem"]["status"] for line in lines} == {422}


def test_a_process_that_dies_is_a_problem_of_its_line(server: Server) -> None:
    worker = worker_of(server)
    with ThreadPoolExecutor(1) as pool:
        os.kill(worker, signal.SIGSTOP)
        reply = pool.submit(send, server, LONG + dump_lines(OWN_PROBLEM) + LONG)
        wait_for_metric(server, IN_PROCESSES, 1)
        os.kill(worker, signal.SIGKILL)
        lines, summary = read_lines(reply.result().content)
    assert [line.get("problem", {}).get("status") for line in lines] == [503, None, 422]
    assert lines[0]["problem"]["errors"][0]["code"] == "worker_died"
    assert summary["problems"] == 2


def test_a_process_that_dies_over_defaults_is_a_problem_of_the_whole(server: Server) -> None:
    worker = worker_of(server)
    with ThreadPoolExecutor(1) as pool:
        os.kill(worker, signal.SIGSTOP)
        reply = pool.submit(send, server, CASES["long defaults"])
        wait_for_metric(server, IN_PROCESSES, 1)
        os.kill(worker, signal.SIGKILL)
        assert_is_problem(reply.result(), 503)
    assert read_lines(send(server, CASES["long defaults"]).content)[1]["lines"] == 2


# the process that took their places


@pytest.mark.anyio
@pytest.mark.parametrize("content", CASES.values(), ids=CASES)
async def test_a_process_answers_by_the_same_bytes(server: Server, content: bytes) -> None:
    here = await send_without_processes(content)
    there = send(server, content)
    assert (here.status_code, there.status_code) == (200, 200)
    assert there.content == here.content
    read_lines(there.content)


@pytest.mark.anyio
@pytest.mark.parametrize("defaults", [b'{"feedback": "all"}', b'{"feedback": "full",}', b'{"exercise": {"kind": "x"}}'])
async def test_long_defaults_that_are_wrong_are_the_same_problem_of_the_whole(server: Server, defaults: bytes) -> None:
    content = b'{"defaults": %b}\n' % defaults.ljust(MEGABYTE) + RIGHT
    here = await send_without_processes(content)
    there = send(server, content)
    assert_is_problem(there, here.status_code)
    assert there.json()["errors"] == here.json()["errors"]


def test_a_first_line_of_too_much_is_refused_before_it_is_read(server: Server) -> None:
    before = server.memory("VmHWM")
    content = b'{"defaults":{},"x":[' + b"[]," * (LONGEST // 3 - 10) + b"1]}\n" + RIGHT
    assert_is_problem(send(server, content), 422)
    assert server.memory("VmHWM") - before < 4 * LONGEST


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc to read a process's memory from")
@pytest.mark.parametrize("text", ["1 ", "[[1,2],", "\\n", "x", "0.123456 "])
def test_texts_within_the_limits_take_little_memory(server: Server, text: str) -> None:
    worker = worker_of(server)
    before = read_memory(worker, "VmHWM"), server.memory("VmHWM")
    line = b'{"answers": {"dL_dW": "%b"}}\n' % (text * ((LONGEST - 30) // len(text))).encode()
    lines, _ = read_lines(send(server, dump_lines(DEFAULTS) + line * 4).content)
    assert len(lines) == 4
    assert read_memory(worker, "VmHWM") - before[0] < 12 * LONGEST
    assert server.memory("VmHWM") - before[1] < 8 * LONGEST


def test_others_are_answered_while_a_process_marks_a_long_line(server: Server) -> None:
    worker = worker_of(server)
    with ThreadPoolExecutor(1) as pool:
        os.kill(worker, signal.SIGSTOP)
        try:
            first = pool.submit(send, server, CASES["among others"])
            wait_for_metric(server, IN_PROCESSES, 1)
            assert_is_busy(send(server, CASES["among others"]), "busy_too_long", "0.1 s")
            for _ in range(20):
                assert server.client.get("/health/live").status_code == 200
        finally:
            os.kill(worker, signal.SIGCONT)
        assert read_lines(first.result().content)[1]["lines"] == 27
    wait_for_metric(server, HELD, 0)


def test_a_request_whose_reply_has_begun_waits_longer_than_others_may() -> None:
    # more than the operating system takes, so that turns are left
    wrong = dump_lines({"answers": {"S": [[1, 2, 3]], "dL_dW": [[9] * 5] * 3}}) * 40_000
    with run_server(processes=1, queue_seconds=1) as server, ExitStack() as stack:
        read: list[Iterator[str]] = []
        for _ in range(2):
            sent = server.client.stream("POST", BULK, content=dump_lines(DEFAULTS) + wrong, headers=HEADERS)
            read.append(stack.enter_context(sent).iter_lines())
            next(read[-1])
        worker = worker_of(server)
        os.kill(worker, signal.SIGSTOP)
        with ThreadPoolExecutor(2) as pool:
            replies = [pool.submit(list, lines) for lines in read]
            try:
                wait_for_metric(server, WAITING, 1)
                time.sleep(1.5)
            finally:
                os.kill(worker, signal.SIGCONT)
            assert [len(reply.result()) for reply in replies] == [40_000, 40_000]


def ask(connection: socket.socket, content: bytes) -> None:
    connection.sendall(HEAD % (BULK.encode(), HEADERS["Content-Type"].encode(), len(content)) + content)


def test_a_client_that_leaves_holds_its_turn_until_its_line_is_marked_and_nothing_afterwards(server: Server) -> None:
    worker = worker_of(server)
    before = server.logged()
    os.kill(worker, signal.SIGSTOP)
    try:
        with connect(server) as connection:
            ask(connection, LONG)
            wait_for_metric(server, IN_PROCESSES, 1)
        assert read_metric(server, IN_BULK) == 1
    finally:
        os.kill(worker, signal.SIGCONT)
    for place in (IN_PROCESSES, IN_BULK, HELD):
        wait_for_metric(server, place, 0)
    assert server.logged() == before


def test_a_stop_does_not_wait_for_long_lines() -> None:
    with run_server(processes=1, stop_seconds=1) as server, connect(server) as first, connect(server) as second:
        worker = worker_of(server)
        os.kill(worker, signal.SIGSTOP)
        for connection in (first, second):
            ask(connection, RIGHT + LONG + RIGHT)
        wait_for_metric(server, WAITING, 1)
        wait_for_metric(server, IN_PROCESSES, 1)
        server.process.terminate()
        assert seconds_to_end(server.process) < SOON
        assert server.process.returncode == 0
        wait_until_gone(worker)
