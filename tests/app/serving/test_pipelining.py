"""Requests that follow each other on one connection of the real server, and those that wish for another protocol."""

import json
from collections.abc import Iterator

import pytest

from app.serving.refusals import MAX_PIPELINED
from app.settings import Settings
from tests.support.server import Server, run_server
from tests.support.sockets import BODY, GET, KEPT, POST, assert_is_refused, head_of, read_metric, send

DEFAULTS = Settings.model_construct()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with run_server(processes=0) as running:
        yield running


def test_requests_that_come_together_are_answered_in_order(server: Server) -> None:
    _, _, rest = send(server, KEPT * 3 + GET + b"\r\n")
    assert rest.count(b"HTTP/1.1 200 OK") == 3


def test_a_head_that_comes_with_another_request_is_limited_too(server: Server) -> None:
    limit = DEFAULTS.max_header_bytes
    assert send(server, KEPT + head_of(limit))[2].count(b"HTTP/1.1 200 OK") == 1
    # in one read with the body before it, so that where it begins is not known
    body = POST.replace(b"Connection: close\r\n", b"") + b"Content-Length: 20000\r\n\r\n" + BODY.ljust(20_000)
    assert send(server, body + head_of(limit - 1000))[2].count(b"HTTP/1.1 200 OK") == 1
    assert b"200 OK" not in send(server, body + head_of(2 * limit))[2]


def test_as_many_requests_as_the_limit_may_wait_on_one_connection_and_one_more_ends_it(server: Server) -> None:
    limit, refused = MAX_PIPELINED, 'gradmark_turned_away_total{reason="pipelined"}'
    before = read_metric(server, refused)
    assert send(server, KEPT * (limit - 1) + GET + b"\r\n")[2].count(b"HTTP/1.1 200 OK") == limit - 1
    assert read_metric(server, refused) == before
    _, _, rest = send(server, KEPT * (limit + 1))
    assert rest.count(b"HTTP/1.1 200 OK") == limit - 1
    assert rest.lower().count(b"connection: close") == 1
    assert read_metric(server, refused) == before + 1


@pytest.mark.parametrize(("media_type", "status"), [(b"application/json", b"200"), (b"text/plain", b"415")])
def test_large_bodies_behind_other_requests_are_read_in_their_turn(
    server: Server, media_type: bytes, status: bytes
) -> None:
    body = BODY.ljust(300_000)
    head = POST.replace(b"Connection: close\r\n", b"").replace(b"application/json", media_type)
    received = send(server, KEPT + (head + b"Content-Length: %d\r\n\r\n" % len(body) + body) * 3 + GET + b"\r\n")[2]
    assert received.count(b"HTTP/1.1 ") == 4
    assert received.count(b"HTTP/1.1 " + status) == 3 + (status == b"200")


def test_a_second_head_of_the_limit_passes_and_one_byte_more_is_not_answered(server: Server) -> None:
    start = KEPT[:-2] + b"X: y\r\n" * 50 + b"Connection: close\r\nX: "
    for more in (0, 1):
        head = start + b"x" * (DEFAULTS.max_header_bytes + more - len(start) - 4) + b"\r\n\r\n"
        assert send(server, KEPT + head)[2].count(b"HTTP/1.1 200 OK") == 1 - more


def test_a_request_is_answered_before_the_connection_ends_over_the_next_one(server: Server) -> None:
    first = POST.replace(b"Connection: close\r\n", b"") + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    refused = 'gradmark_turned_away_total{reason="not_http"}'
    before = read_metric(server, refused)
    status, head, body = send(server, first + b"not HTTP\r\n\r\n")
    assert read_metric(server, refused) == before + 1
    assert status == 200
    assert "connection: close" in head
    assert json.loads(body)["loss"] > 0


UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
UPGRADING = POST.replace(b"Connection: close\r\n", UPGRADE)


@pytest.mark.parametrize(
    "pieces",
    [
        [KEPT[:-2] + UPGRADE + b"\r\n"],
        [KEPT[:-2] + UPGRADE[:40], UPGRADE[40:] + b"\r", b"\n"],
        [UPGRADING + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY],
        [UPGRADING + b"Content-Length: %d\r\n\r\n" % len(BODY), BODY[:9], BODY[9:]],
        [UPGRADING + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(BODY), BODY + b"\r\n0\r\n", b"\r\n"],
    ],
    ids=["get", "get in pieces", "post", "post in pieces", "chunks"],
)
def test_the_wish_for_another_protocol_is_ignored(server: Server, pieces: list[bytes]) -> None:
    # in one piece with the last, and by itself
    for ends in ([pieces[-1] + GET + b"\r\n"], [pieces[-1], GET + b"\r\n"]):
        status, head, rest = send(server, *pieces[:-1], *ends)
        assert (status, "connection: close" in head) == (200, False)
        assert rest.count(b"HTTP/1.1 200 OK") == 1


@pytest.mark.parametrize(
    "lines",
    [
        b"Connection: Upgrade, close\r\nUpgrade: h2c\r\n",
        b"Connection: close, Upgrade\r\nUpgrade: h2c\r\n",
        b"Upgrade: h2c\r\nConnection: close\r\nConnection: Upgrade\r\n",
    ],
)
@pytest.mark.parametrize("request_", [KEPT, POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY])
def test_the_wish_for_another_protocol_is_ignored_on_a_connections_last_request(
    server: Server, request_: bytes, lines: bytes
) -> None:
    wishing = request_.replace(b"Connection: close\r\n", b"").replace(b"\r\n\r\n", b"\r\n" + lines + b"\r\n")
    for behind in (b"", KEPT):
        status, head, body = send(server, KEPT + wishing + behind)
        assert (status, "connection: close" in head) == (200, False)
        assert body.count(b"HTTP/1.1 200 OK") == 1
        assert b"connection: close" in body


def test_a_request_to_pass_bytes_on_is_400(server: Server) -> None:
    for target in (b"a:80", b"/health/live"):
        assert_is_refused(
            send(server, GET.replace(b"GET /health/live", b"CONNECT " + target) + b"\r\n"), 400, "connect"
        )
