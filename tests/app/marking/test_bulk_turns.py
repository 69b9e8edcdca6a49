"""Bulk requests take turns by chunk: none keeps others waiting for long, and a stop ends each by a last line."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from app.examples import GRADES
from tests.support.bulk_lines import HEADERS, slow_submissions, submissions
from tests.support.server import Server, run_server, seconds_to_end
from tests.support.sockets import wait_for_metric

BULK = "/v1/grades/bulk"
# of 3 MB, which take half a minute
SLOW = b"".join(slow_submissions(1500))
SOON = 8


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with run_server(processes=1) as running:
        yield running


def test_two_long_bulk_requests_shut_nobody_out(server: Server) -> None:
    with ExitStack() as stack:
        read: list[Iterator[str]] = []
        for _ in range(2):
            reply = stack.enter_context(server.client.stream("POST", BULK, content=SLOW, headers=HEADERS))
            assert reply.status_code == 200
            read.append(reply.iter_lines())
            next(read[-1])
        started = time.monotonic()
        for _ in range(3):
            other = server.client.post(BULK, content=b"".join(submissions(60)), headers=HEADERS)
            assert json.loads(other.content.splitlines()[-1])["summary"]["lines"] == 60
            assert server.client.post("/v1/grades", json=GRADES["article"]["value"]).status_code == 200
        assert time.monotonic() - started < SOON
        # neither was done meanwhile, and both go on
        for lines in read:
            assert "index" in json.loads(next(lines))
    wait_for_metric(server, 'gradmark_running{place="bulk"}', 0)
    wait_for_metric(server, 'gradmark_waiting{place="bulk"}', 0)


def test_a_stop_ends_a_long_bulk_reply_by_a_line_that_says_so() -> None:
    with (
        run_server(processes=1, drain_seconds=0, stop_seconds=2, log_level="info") as server,
        server.client.stream("POST", BULK, content=SLOW, headers=HEADERS) as reply,
    ):
        lines = reply.iter_lines()
        answered = [next(lines)]
        server.process.terminate()
        # of a reply that is cut, this would raise an error
        answered += lines
        *graded, last = [json.loads(line) for line in answered]
        assert list(last) == ["problem"]
        assert (last["problem"]["status"], last["problem"]["errors"][0]["code"]) == (503, "stopping")
        assert [line["index"] for line in graded] == list(range(len(graded)))
        assert 1 < len(graded) < 1500
        assert seconds_to_end(server.process) < SOON
        assert server.process.returncode == 0
        [line] = [line for line in map(json.loads, server.logged().splitlines()) if line.get("route") == BULK]
        assert (line["status"], line["cut_off"]) == (200, True)


def test_a_stop_lets_a_bulk_reply_end_that_soon_would() -> None:
    with run_server(processes=1, drain_seconds=1, stop_seconds=5) as server:
        ended: list[bytes] = []
        content = b"".join(slow_submissions(100))
        asking = threading.Thread(
            target=lambda: ended.append(server.client.post(BULK, content=content, headers=HEADERS).content)
        )
        asking.start()
        wait_for_metric(server, 'gradmark_running{place="bulk"}', 1)
        server.process.terminate()
        asking.join()
        assert json.loads(ended[0].splitlines()[-1])["summary"]["lines"] == 100
