"""The real server and clients that are slow or say nothing: how long it waits for them, and for whom."""

import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from app.examples import ARTICLE_PROBLEM
from app.settings import Settings
from tests.support.server import Server, dump, run_server
from tests.support.sockets import (
    BODY,
    KEPT,
    POST,
    ask_for_much,
    assert_is_refused,
    chunked,
    connect,
    count_open,
    read_all,
    read_rest,
    split,
    wait_for_metric,
)

DEFAULTS = Settings.model_construct()
JSON_HEAD = POST.replace(b"Connection: close\r\n", b"")
LINES_HEAD = JSON_HEAD.replace(b"softmax-layer", b"grades/bulk").replace(b"application/json", b"application/jsonl")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that waits for a second, and for one more for every 20,000 bytes that come or 200,000 that go."""
    with run_server(client_seconds=1, receive_rate=20_000, send_rate=200_000, processes=0) as running:
        yield running


def trickle(connection: socket.socket, piece: bytes = b" ", *, seconds: float = 10) -> bytes:
    """Send a little now and then until the server closes; return what it sent."""
    end, received = time.monotonic() + seconds, b""
    while time.monotonic() < end:
        if select.select([connection], [], [], 0.05)[0]:
            try:
                reply = connection.recv(65536)
            except ConnectionResetError:
                return received
            if not reply:
                return received
            received += reply
        try:
            connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            return received
    raise TimeoutError("the server still holds the connection")


def send_on(connection: socket.socket, *, seconds: float = 10) -> None:
    """Send a byte now and then, whatever the server says."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        connection.sendall(b"x")
        time.sleep(0.1)


# requests that do not arrive

SILENT = b""
HEADS = {"head": b"GET / HTTP/1.1\r\nHost: localhost\r\n", "letter": b"G", "newline": b"\r\n"}
LENGTHS = {"length": b"Content-Length: 99\r\n\r\n{", "chunked": b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"}
BODIES = {
    f"{form}-{length}": head + b"X-Request-ID: " + b"a" * 32 + b"\r\n" + start
    for form, head in {"json": JSON_HEAD, "bulk": LINES_HEAD}.items()
    for length, start in LENGTHS.items()
}
SECOND = "a body after another request"
ENDLESS = {
    "head": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
    "body": JSON_HEAD + b"Content-Length: 9999\r\n\r\n",
}
ANSWERED = JSON_HEAD.replace(b"application/json", b"text/plain") + b"Content-Length: 99999999\r\n\r\n"


@pytest.fixture(scope="module")
def stopped(server: Server) -> dict[str, bytes]:
    """What clients got that stopped in the middle, all of them at once."""
    starts = {"silent": SILENT, **HEADS, **BODIES, SECOND: KEPT + BODIES["json-length"]}
    with ExitStack() as stack:
        connections = {name: stack.enter_context(connect(server)) for name in starts}
        for name, connection in connections.items():
            connection.sendall(starts[name])
        return {name: read_rest(connection) for name, connection in connections.items()}


def test_a_client_that_says_nothing_is_told_nothing(stopped: dict[str, bytes]) -> None:
    assert stopped["silent"] == b""


@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_stops_is_answered_408(stopped: dict[str, bytes], name: str) -> None:
    assert "1 s" in assert_is_refused(split(stopped[name]), 408, "too_slow")


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_stops_is_answered_408_by_the_application(stopped: dict[str, bytes], name: str) -> None:
    assert_is_refused(split(stopped[name]), 408, "too_slow")
    assert b'"request_id":"' + b"a" * 32 in stopped[name]


def test_a_body_that_stops_after_another_request_is_answered_408(stopped: dict[str, bytes]) -> None:
    first, second = stopped[SECOND].split(b'{"status":"live"}')
    assert first.startswith(b"HTTP/1.1 200 ")
    assert_is_refused(split(second), 408, "too_slow")


def test_requests_that_trickle_have_no_more_time(server: Server) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(len(ENDLESS)) as pool:
        connections = [stack.enter_context(connect(server)) for _ in ENDLESS]
        for connection, start in zip(connections, ENDLESS.values(), strict=True):
            connection.sendall(start)
        replies = list(pool.map(trickle, connections))
    assert [reply[:12] for reply in replies] == [b"HTTP/1.1 408"] * len(ENDLESS)


def test_a_body_that_goes_on_after_it_was_answered_has_no_more_time_however_much_comes(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(ANSWERED)
        # more a second than earns another one
        reply = trickle(connection, b" " * 4000)
    assert reply.startswith(b"HTTP/1.1 415 ")
    assert reply.count(b"HTTP/1.1 ") == 1


def test_a_large_body_may_take_as_long_as_its_bytes_allow(server: Server) -> None:
    body = BODY.ljust(100_000)
    with connect(server) as connection:
        connection.sendall(POST + b"Content-Length: 100000\r\n\r\n")
        for start in range(0, len(body), 5000):
            time.sleep(0.1)
            connection.sendall(body[start : start + 5000])
        assert read_all(connection)[0] == 200


def test_bytes_that_came_at_once_earn_no_silence_afterwards(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(POST + b"Content-Length: 300000\r\n\r\n" + b" " * 200_000)
        asked = time.monotonic()
        assert_is_refused(read_all(connection), 408, "too_slow")
        assert time.monotonic() < asked + 4


def test_one_request_does_not_use_up_the_time_of_the_next(server: Server) -> None:
    with connect(server) as connection:
        for _ in range(3):
            connection.sendall(KEPT[:20])
            time.sleep(0.6)
            connection.sendall(KEPT[20:])
            reply = b""
            while not reply.endswith(b'{"status":"live"}'):
                reply += connection.recv(65536)
            assert reply.startswith(b"HTTP/1.1 200 ")


# connections that ask nothing


def test_a_connection_that_asks_nothing_more_is_closed(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(KEPT)
        status, head, _ = read_all(connection)
        assert (status, "connection: close" in head) == (200, False)


def test_newlines_do_not_keep_a_connection(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(KEPT)
        assert trickle(connection, b"\r\n").startswith(b"HTTP/1.1 200 ")


def be_answered_early(connection: socket.socket) -> None:
    """Send half of a body that is refused, and read the refusal."""
    connection.sendall(ANSWERED.replace(b"99999999", b"10") + b"12345")
    reply = b""
    while not reply.endswith(b"}"):
        reply += connection.recv(65536)
    assert reply.startswith(b"HTTP/1.1 415 ")


def test_a_connection_whose_last_body_ended_after_the_reply_is_closed(server: Server) -> None:
    with connect(server) as connection:
        be_answered_early(connection)
        connection.sendall(b"67890")
        assert connection.recv(1) == b""


def test_the_end_of_a_body_that_was_answered_early_does_not_use_up_the_time_until_the_next_request() -> None:
    with run_server(client_seconds=3, processes=0) as server, connect(server) as connection:
        be_answered_early(connection)
        time.sleep(2.3)
        connection.sendall(b"67890")
        time.sleep(1.5)
        connection.sendall(KEPT)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


# replies that are not read


def read_until_lost(connection: socket.socket) -> bytes:
    """Read until the server closes or resets the connection."""
    received = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(2**20):
            received += piece
    return received


def test_a_client_that_does_not_read_its_reply_loses_it(server: Server) -> None:
    with connect(server) as connection:
        ask_for_much(connection)
        time.sleep(3)
        assert not read_until_lost(connection).endswith(b"}")


def sip(connection: socket.socket) -> None:
    """Read less than a client has to, for longer than it may."""
    for _ in range(60):
        connection.recv(8192)
        time.sleep(0.1)


def test_a_client_that_takes_its_reply_in_drops_loses_it(server: Server) -> None:
    with connect(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        ask_for_much(connection)
        with pytest.raises(ConnectionResetError):
            sip(connection)


def test_a_client_that_reads_slowly_gets_all_of_its_reply(server: Server) -> None:
    with connect(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        ask_for_much(connection, b"Connection: close\r\n")
        for _ in range(30):
            assert connection.recv(65536)
            time.sleep(0.1)
        assert read_rest(connection).endswith(b"}")


SEND_RATE = 2_000_000


@pytest.fixture(scope="module")
def fast_server() -> Iterator[Server]:
    """A server that waits for a second, and for one more for every SEND_RATE bytes of a reply."""
    with run_server(client_seconds=1, send_rate=SEND_RATE, processes=0) as running:
        yield running


def bulk_of(lines: int) -> bytes:
    """Return a bulk request whose reply has 600 bytes a line."""
    wrong = dump({"answers": {"S": [[1, 2, 3]], "dL_dW": [[9] * 5] * 3}})
    content = b"\n".join([dump({"defaults": {"problem": ARTICLE_PROBLEM}}), *[wrong] * lines])
    return LINES_HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(content) + content


@pytest.mark.parametrize("factor", [1.3, 2, 4])
def test_a_client_that_reads_steadily_above_the_rate_is_never_cut_off(fast_server: Server, factor: float) -> None:
    with connect(fast_server) as connection:
        connection.sendall(bulk_of(30_000))
        started, received, end = time.monotonic(), 0, b""
        while piece := connection.recv(65536):
            received += len(piece)
            end = (end + piece)[-1000:]
            time.sleep(max(0.0, started + received / (factor * SEND_RATE) - time.monotonic()))
    assert b'{"summary":' in end
    # longer than anybody is waited for who reads nothing
    assert time.monotonic() - started > 2


def count_unread(server: Server) -> int:
    """Count what the kernel holds of replies that a server's clients have not taken, also after they were closed."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return sum(int(row[4].split(":")[0], 16) for row in rows if row[1].endswith(f":{server.port:04X}"))


def test_of_replies_that_nobody_reads_the_kernel_holds_little_and_nothing_once_they_are_given_up() -> None:
    clients, each = 250, 2**18
    # larger than what the kernel holds for one that reads nothing
    request = b"GET /static-offline-docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with run_server(client_seconds=2, processes=0) as server, ExitStack() as stack:
        connections = [stack.enter_context(socket.socket()) for _ in range(clients)]
        for connection in connections:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(request)
        wait_for_metric(server, "gradmark_connections ", clients + 1)
        time.sleep(1)
        assert clients * 2**16 < count_unread(server) < clients * each
        wait_for_metric(server, 'gradmark_turned_away_total{reason="unread"}', clients)
        # of the last metrics, too, which a client's system confirms a moment after it has read them
        deadline = time.monotonic() + 1
        while count_unread(server):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_refusal_is_read_although_the_client_sends_on(server: Server) -> None:
    flood = chunked(b"x" * 40_000, 1)
    with connect(server) as connection:
        connection.sendall(flood)
        connection.sendall(b"x" * 100_000)
        assert_is_refused(read_all(connection), 400, "chunk_flood")
        # it does not wait for ever for the client to close, too
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            send_on(connection)


# many of them


def be_silent(number: int) -> bytes:
    return b""


def be_in_the_head(number: int) -> bytes:
    return b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Number: %d" % number


def be_in_the_body(number: int) -> bytes:
    return JSON_HEAD + b"Content-Length: 5000\r\n\r\n{" + b" " * number


KINDS: list[Callable[[int], bytes]] = [be_silent, be_in_the_head, be_in_the_body]


def hold(server: Server, each: int, most_seconds: float) -> tuple[float, float]:
    """Hold so many connections of each kind; return when all were closed, and the longest answer of health."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(connect(server)) for _ in range(each * len(KINDS))]
        started = time.monotonic()
        for number, connection in enumerate(sockets):
            connection.sendall(KINDS[number % len(KINDS)](number))
            connection.settimeout(0)
        slowest = 0.0
        while count_open(sockets):
            assert time.monotonic() < started + most_seconds, f"{count_open(sockets)} are still held"
            asked = time.monotonic()
            assert server.client.get("/health/live").status_code == 200
            slowest = max(slowest, time.monotonic() - asked)
            time.sleep(0.05)
        return time.monotonic() - started, slowest


def test_many_slow_sockets_are_closed_and_health_answers_meanwhile(server: Server) -> None:
    _, slowest = hold(server, each=100, most_seconds=4)
    assert slowest < 1


@pytest.mark.slow
def test_nine_hundred_slow_sockets_are_closed_within_twelve_seconds() -> None:
    with run_server() as server:
        seconds, slowest = hold(server, each=300, most_seconds=12)
    print(f"900 closed after {seconds:.2f} s; health at most {1000 * slowest:.0f} ms")  # noqa: T201 - the figures
    assert seconds > DEFAULTS.client_seconds - 1


@pytest.mark.slow
def test_time_in_which_the_server_itself_was_stopped_does_not_count() -> None:
    with run_server(client_seconds=2) as server, connect(server) as connection:
        connection.sendall(KEPT[:20])
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(4)
        server.process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
        connection.sendall(KEPT[20:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
