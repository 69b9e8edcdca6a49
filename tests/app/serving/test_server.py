"""The real server, over sockets: start, limits, and bytes no client library sends."""

import json
import subprocess
from collections.abc import Iterator
from urllib.parse import unquote

import httpx
import pytest

from app.errors import MEDIA_TYPE
from app.examples import ARTICLE
from tests.support.server import (
    ROOT,
    Server,
    assert_is_problem,
    command,
    dump,
    environment,
    find_free_port,
    post,
    run_server,
)
from tests.support.sockets import connect, read_all

BODY_LIMIT = 1000


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with run_server(log_level="error") as running:
        yield running


@pytest.fixture(scope="module")
def small_server() -> Iterator[Server]:
    with run_server(max_body_bytes=BODY_LIMIT) as running:
        yield running


# what it serves


def test_it_computes_the_articles_example(server: Server) -> None:
    reply = post(server, "/v1/softmax-layer", dump(ARTICLE))
    assert reply.status_code == 200
    # (0.1, 0.5, 0.4)·W, by hand
    assert reply.json()["quantities"]["Z"]["value"] == pytest.approx([0.354, 0.418, 0.482, 0.546, 0.16], rel=1e-12)
    assert reply.json()["chain"]["max_abs_difference"] < 1e-15


def test_it_is_ready_once_it_has_warmed_up(server: Server) -> None:
    reply = server.client.get("/health/ready")
    assert (reply.status_code, reply.json()) == (200, {"status": "ready"})


def test_it_says_at_start_that_it_is_open_whatever_the_log_level_is(server: Server) -> None:
    assert b"the service is open" in server.logged()


def test_it_does_not_say_which_server_it_runs_on(server: Server) -> None:
    assert "server" not in server.client.get("/health/live").headers


@pytest.mark.parametrize("path", ["/health/live", "/v1/nothing"])
def test_a_request_id_that_is_given_is_kept(server: Server, path: str) -> None:
    reply = server.client.get(path, headers={"X-Request-ID": "the-cat_1.0"})
    assert reply.headers["x-request-id"] == "the-cat_1.0"
    assert reply.json().get("request_id", "the-cat_1.0") == "the-cat_1.0"


@pytest.mark.parametrize("given", ["", "two words", "x" * 65, '"><script>', "a,b", b"caf\xe9", b"tab\there"])
def test_a_request_id_that_is_not_one_is_replaced(server: Server, given: str | bytes) -> None:
    raw = given if isinstance(given, bytes) else given.encode()
    reply = server.client.get("/v1/nothing", headers=[(b"X-Request-ID", raw)])
    assert reply.headers["x-request-id"].isalnum()
    assert reply.headers["x-request-id"] == reply.json()["request_id"]


PATHS = [b"/%ff", b"/%00", b"/%zz", b"/%", b"//health/live", b"/../health/live", b"/health/live/", b"/health/live%2f"]


@pytest.mark.parametrize("path", [*PATHS, b"/{Allow}", b"//[::1/", b"*", b"http://other.example/nothing"])
def test_a_path_that_no_client_library_sends_is_a_problem_document(server: Server, path: bytes) -> None:
    with connect(server) as connection:
        connection.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path)
        status, head, body = read_all(connection)
    assert status == 404
    assert f"content-type: {MEDIA_TYPE}" in head
    assert json.loads(body)["status"] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/health%2flive",
        "/%68ealth/live",
        "/health/liv%65",
        "/v1/%65xercises/softmax_forward?seed=1",
        "/v1/exercises/softmax%5fforward?seed=1",
        "/v1/exercises/%73oftmax_forward?seed=1",
        "/static-offline-docs/favicon%2epng",
        "http://localhost/health/liv%65",
    ],
)
def test_a_path_has_one_spelling(server: Server, path: str) -> None:
    """A proxy's rule for a path goes by what is written: no other spelling leads to the same place."""

    def ask(target: str) -> tuple[int, str, bytes]:
        with connect(server) as connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            return read_all(connection)

    assert ask(unquote(path))[0] == 200
    status, head, body = ask(path)
    assert status == 404
    assert f"content-type: {MEDIA_TYPE}" in head
    assert json.loads(body)["status"] == 404


def test_a_query_may_have_percent_codes(server: Server) -> None:
    assert server.client.get("/v1/exercises/softmax_forward?seed=%31").status_code == 200


@pytest.mark.parametrize("junk", [b"hello\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00"])
def test_bytes_that_are_not_http_get_400_and_leave_it_running(server: Server, junk: bytes) -> None:
    with connect(server) as connection:
        connection.sendall(junk)
        status, _, _ = read_all(connection)
    assert status == 400
    assert server.client.get("/health/live").status_code == 200


# limits


@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
def test_a_body_of_the_limit_passes_and_one_byte_more_is_413(small_server: Server, *, chunked: bool) -> None:
    def send(size: int) -> httpx.Response:
        body = dump(ARTICLE).ljust(size)
        pieces = (body[start : start + 99] for start in range(0, size, 99))
        return post(small_server, "/v1/softmax-layer", pieces if chunked else body)

    assert send(BODY_LIMIT).status_code == 200
    assert_is_problem(send(BODY_LIMIT + 1), 413)
    assert send(BODY_LIMIT).status_code == 200


def test_an_announced_body_over_the_limit_is_refused_before_it_is_sent(small_server: Server) -> None:
    with connect(small_server) as connection:
        connection.sendall(
            b"POST /v1/forward HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Connection: close\r\nContent-Length: 99999999999999\r\n\r\n"
        )
        status, head, body = read_all(connection)
    assert status == 413
    assert f"content-type: {MEDIA_TYPE}" in head
    assert json.loads(body)["errors"][0]["code"] == "too_large"


# start


def check_health(port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("health"), cwd=ROOT, env=environment(port=port), capture_output=True, text=True, timeout=20, check=False
    )


def test_the_health_command_exits_0_while_the_server_runs(server: Server) -> None:
    assert check_health(server.port).returncode == 0


def test_the_health_command_exits_1_and_says_so_where_nothing_listens() -> None:
    port = find_free_port()
    health = check_health(port)
    assert health.returncode == 1
    assert f"no answer from 127.0.0.1, port {port}" in health.stderr


def test_a_port_that_is_taken_ends_the_start_with_status_1(server: Server) -> None:
    settings = environment(port=server.port)
    start = subprocess.run(command("serve"), cwd=ROOT, env=settings, capture_output=True, timeout=20, check=False)
    assert start.returncode == 1
    assert f"port {server.port}".encode() in start.stdout


@pytest.mark.parametrize(
    ("setting", "value"), [("port", "abc"), ("log_level", "loud"), ("stop_seconds", "0"), ("max_body_bytes", "-1")]
)
def test_a_setting_that_makes_no_sense_ends_the_start_with_its_name(setting: str, value: str) -> None:
    start = subprocess.run(
        command("serve"),
        cwd=ROOT,
        env=environment(**{setting: value}),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert start.returncode != 0
    assert setting in start.stderr.lower()
