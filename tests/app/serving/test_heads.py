"""What the real server refuses before a request reaches the application, and what of a body's framing."""

import json
import time
from collections.abc import Iterator

import pytest

from app.serving.refusals import MAX_HEADERS, MAX_TINY_CHUNKS
from app.settings import Settings
from tests.support.server import Server, run_server
from tests.support.sockets import BODY, GET, KEPT, POST, assert_is_refused, chunked, connect, head_of, read_metric, send

DEFAULTS = Settings.model_construct()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with run_server(processes=0) as running:
        yield running


# heads


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_a_head_of_the_limit_passes_and_one_byte_more_is_431(server: Server, pieces: int) -> None:
    limit = DEFAULTS.max_header_bytes

    def cut(head: bytes) -> list[bytes]:
        size = len(head) // pieces + 1
        return [head[start : start + size] for start in range(0, len(head), size)]

    assert send(server, *cut(head_of(limit)))[0] == 200
    message = assert_is_refused(send(server, *cut(head_of(limit + 1))), 431, "header_too_large")
    assert str(limit) in message


def test_a_body_after_a_head_of_the_limit_is_read(server: Server) -> None:
    head = POST + b"Content-Length: %d\r\n" % len(BODY)
    head += b"X: " + b"x" * (DEFAULTS.max_header_bytes - len(head) - 7) + b"\r\n\r\n"
    assert len(head) == DEFAULTS.max_header_bytes
    assert send(server, head + BODY)[0] == 200


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX: "])
def test_a_head_without_an_end_is_refused_at_the_limit(server: Server, start: bytes) -> None:
    assert_is_refused(send(server, start + b"x" * 10**6), 431, "header_too_large")


def test_as_many_headers_as_the_limit_pass_and_one_more_is_431(server: Server) -> None:
    more = MAX_HEADERS - 2
    assert send(server, GET + b"a: b\r\n" * more + b"\r\n")[0] == 200
    message = assert_is_refused(send(server, GET + b"a: b\r\n" * (more + 1) + b"\r\n"), 431, "too_many_headers")
    assert str(MAX_HEADERS) in message


def test_a_refusal_of_a_head_request_has_no_body(server: Server) -> None:
    status, head, body = send(server, head_of(DEFAULTS.max_header_bytes + 1).replace(b"GET", b"HEAD"))
    assert (status, body, "content-length: 0" in head) == (431, b"", False)


def test_an_old_version_is_not_told_to_go_on(server: Server) -> None:
    head = POST.replace(b"1.1", b"1.0") + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    assert send(server, head, BODY)[0] == 200


HOSTS = [
    (b"GET /health/live HTTP/1.1\r\n\r\n", "found 0"),
    (b"GET /health/live HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "found 2"),
    (b"GET /health/live HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", "found 2"),
]


@pytest.mark.parametrize(("request_", "found"), HOSTS)
def test_a_request_without_one_host_is_400(server: Server, request_: bytes, found: str) -> None:
    assert found in assert_is_refused(send(server, request_), 400, "host")


@pytest.mark.parametrize("request_", [b"GET /health/live HTTP/1.0\r\n\r\n", GET + b"\r\n"])
def test_one_host_is_enough_and_an_old_version_needs_none(server: Server, request_: bytes) -> None:
    assert send(server, request_)[0] == 200


@pytest.mark.parametrize(
    "name", [b"", b"a.example:", b"a_b.example:8000", b"%C3%A9", b"127.0.0.1:80", b"[::1]:80", b" a "]
)
def test_a_host_is_a_name_or_an_address_with_or_without_a_port(server: Server, name: bytes) -> None:
    assert send(server, GET.replace(b"localhost", name) + b"\r\n")[0] == 200


@pytest.mark.parametrize(
    "name", [b"a b/c", b"a/b", b"a@b", b"a:b", b"a b", b"::1", b"[::1", b"a]", b"\xc3\xa9", b'"a"']
)
def test_a_host_that_names_none_is_400(server: Server, name: bytes) -> None:
    assert "Host header" in assert_is_refused(send(server, GET.replace(b"localhost", name) + b"\r\n"), 400, "host")


def test_two_content_types_are_400(server: Server) -> None:
    head = POST + b"content-type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    assert "found 2" in assert_is_refused(send(server, head + BODY), 400, "content_type")


@pytest.mark.parametrize("target", [b"http://localhost", b"http://localhost:80", b"http://localhost?seed=1"])
def test_a_target_without_a_path_is_400(server: Server, target: bytes) -> None:
    assert_is_refused(send(server, GET.replace(b"/health/live", target) + b"\r\n"), 400, "not_http")


@pytest.mark.parametrize("version", [b" HTTP/2.0", b" HTTP/0.9", b" HTTP/1.2", b" HTTP/11", b" ICE/1.0", b""])
def test_another_version_is_400(server: Server, version: bytes) -> None:
    assert_is_refused(send(server, GET.replace(b" HTTP/1.1", version) + b"\r\n"), 400, "not_http")


@pytest.mark.parametrize("protocol", [b"RTSP/1.0", b"RTSP/1.1"])
def test_another_protocol_is_400_however_it_comes(server: Server, protocol: bytes) -> None:
    request = GET.replace(b"HTTP/1.1", protocol) + b"\r\n"
    assert_is_refused(send(server, request), 400, "not_http")
    assert_is_refused(send(server, request[:25], request[25:]), 400, "not_http")
    assert_is_refused(send(server, request.replace(b"GET", b"SOURCE").replace(b"RTSP", b"ICE")), 400, "not_http")
    # where a header says it, it is no protocol
    assert send(server, GET + b"Connection: close\r\nX-Said: %b\r\n\r\n" % request[:30].replace(b"\r\n", b""))[0] == 200


LENGTHS = [
    b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    b"Content-Length: +3\r\n\r\nabc",
    b"Content-Length: 99999999999999999999999\r\n\r\nabc",
    b"Transfer-Encoding: gzip\r\n\r\nabc",
    b"Transfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nno chunk",
    b"Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
    b"X : y\r\n\r\n",
    b"X: y\r\n z\r\n\r\n",
]


@pytest.mark.parametrize("rest", LENGTHS)
def test_a_body_whose_end_is_not_clear_is_400(server: Server, rest: bytes) -> None:
    assert_is_refused(send(server, POST + rest), 400, "not_http")


def test_bytes_that_are_no_chunk_after_some_that_are_get_the_applications_400(server: Server) -> None:
    reply = send(server, POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"no chunk", b"more")
    assert_is_refused(reply, 400, "not_http")


# chunks


@pytest.mark.parametrize("size", [1, 15])
def test_as_many_tiny_chunks_as_the_limit_pass_and_one_more_is_400(server: Server, size: int) -> None:
    limit = MAX_TINY_CHUNKS
    assert send(server, chunked(BODY.ljust(size * limit), size))[0] == 200
    message = assert_is_refused(send(server, chunked(BODY.ljust(size * (limit + 1)), size)), 400, "chunk_flood")
    assert str(limit) in message


def test_chunks_that_are_not_tiny_may_be_as_many_as_there_are(server: Server) -> None:
    assert send(server, chunked(BODY.ljust(3 * 16 * MAX_TINY_CHUNKS), 16))[0] == 200


def test_a_bulk_client_may_send_a_line_a_chunk(server: Server) -> None:
    line = b'{"exercise": {"kind": "softmax_layer", "seed": 1}, "answers": {}}\n'
    body = chunked(line * (MAX_TINY_CHUNKS + 1), len(line))
    status, _, reply = send(
        server, body.replace(b"softmax-layer", b"grades/bulk", 1).replace(b"application/json", b"application/jsonl", 1)
    )
    assert status == 200
    assert b'{"summary":' in reply


def test_chunked_is_read_in_any_case_and_with_space_around_it(server: Server) -> None:
    body = chunked(BODY, 99).replace(b": chunked", b": Chunked  ")
    assert send(server, body)[0] == 200


def test_a_few_extensions_and_trailers_pass(server: Server) -> None:
    status, _, body = send(server, chunked(BODY, 99, extension=b";a=b", trailers=b"X: y\r\n"))
    assert status == 200
    assert json.loads(body)["loss"] > 0


@pytest.mark.parametrize("trailers", [b"X: " + b"x" * 10**6 + b"\r\n", b"X: x\r\n" * 10**5], ids=["long", "many"])
def test_trailers_have_a_limit(server: Server, trailers: bytes) -> None:
    assert_is_refused(send(server, chunked(BODY, 99, trailers=trailers)), 400, "chunk_flood")


def test_trailers_have_a_limit_where_another_request_follows_at_once(server: Server) -> None:
    kept = POST.replace(b"Connection: close\r\n", b"")
    body = chunked(BODY, 99, trailers=b"X: " + b"x" * 2 * DEFAULTS.max_header_bytes + b"\r\n").replace(POST, kept)
    assert_is_refused(send(server, body + KEPT), 400, "chunk_flood")


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 400)])
def test_extensions_and_trailers_have_a_limit_with_the_head(server: Server, more: int, status: int) -> None:
    limit = 2 * DEFAULTS.max_header_bytes
    extension = b";" + b"x" * 99
    chunks = len(BODY) // 9 + (len(BODY) % 9 > 0) + 1
    without = len(chunked(BODY, 9, extension=extension)) - len(BODY) - 16 * chunks
    trailer = b"X: " + b"x" * (limit - without - 5 + more) + b"\r\n"
    reply = send(server, chunked(BODY, 9, extension=extension, trailers=trailer))
    assert reply[0] == status
    if status == 400:
        assert str(DEFAULTS.max_header_bytes) in assert_is_refused(reply, 400, "chunk_flood")


@pytest.mark.parametrize("form", ["length", "chunked"])
def test_a_request_is_answered_whatever_follows_it_on_a_connection_that_closes(server: Server, form: str) -> None:
    whole = chunked(BODY, 99) if form == "chunked" else POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    junk = b"z" * 100_000
    for ends in ([whole[-9:] + junk], [whole[-9:], junk]):
        status, _, body = send(server, whole[:-9], *ends)
        assert status == 200
        assert json.loads(body)["loss"] > 0


def test_a_flood_after_an_early_reply_ends_the_connection(server: Server) -> None:
    post = POST.replace(b"Connection: close\r\n", b"").replace(b"application/json", b"text/plain")
    flood = chunked(b"x" * (MAX_TINY_CHUNKS + 1), 1)[len(POST) :]
    status, head, _ = send(server, post + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", flood[flood.index(b"1\r") :])
    assert status == 415
    assert "connection: close" not in head


def test_a_large_body_that_was_answered_early_is_read_to_its_end(server: Server) -> None:
    post = POST.replace(b"Connection: close\r\n", b"").replace(b"application/json", b"text/plain")
    head = post + b"Transfer-Encoding: chunked\r\n\r\n"
    rest = chunked(b"x" * 5_000_000, 1000)[len(POST + b"Transfer-Encoding: chunked\r\n\r\n") :]
    status, _, more = send(server, head, rest + GET + b"\r\n")
    assert status == 415
    assert b"HTTP/1.1 200 OK" in more


# what is told of it


def test_who_is_refused_before_there_is_a_request_and_who_is_connected_is_counted(server: Server) -> None:
    refused = 'gradmark_turned_away_total{reason="host"}'
    before = read_metric(server, refused)
    send(server, GET.replace(b"Host: localhost\r\n", b"") + b"\r\n")
    assert read_metric(server, refused) == before + 1
    open_before = read_metric(server, "gradmark_connections ")
    with connect(server), connect(server):
        time.sleep(0.2)
        assert read_metric(server, "gradmark_connections ") == open_before + 2
