"""What is sent to the real server, and read from it, below any client library."""

import json
import socket
import time

from app.errors import MEDIA_TYPE
from app.examples import ARTICLE
from app.watch.headers import NO_STORE, PROTECTION
from tests.support.server import Server, dump

KEPT = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""A request after which the connection is kept."""

HEAD = b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
"""Of a request with a body: path, media type and length are to be filled in."""

GET = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
"""The head of a request without a body, except for its end."""

POST = b"POST /v1/softmax-layer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
"""The head of a request with a body, except for how long it is."""

BODY = dump(ARTICLE)
"""The body of that request."""


def connect(server: Server, address: str = "127.0.0.1") -> socket.socket:
    """Open a connection to a server from an address of this machine."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=10, source_address=(address, 0))


def read_all(connection: socket.socket) -> tuple[int, str, bytes]:
    """Read until the server closes; return the status, the head in lower case and the body."""
    return split(read_rest(connection))


def read_rest(connection: socket.socket) -> bytes:
    """Read until the server closes."""
    return b"".join(iter(lambda: connection.recv(2**20), b""))


def split(received: bytes) -> tuple[int, str, bytes]:
    """Return the status, the head in lower case and the body of a reply."""
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode("latin-1").lower(), body


def hold_request(
    connection: socket.socket, body: bytes, *, path: str = "/v1/softmax-layer", media_type: str = "application/json"
) -> None:
    """Send a request's head, and return when the service is waiting for the body."""
    connection.sendall(
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: %b\r\n"
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (path.encode(), media_type.encode(), len(body))
    )
    assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")


def ask_for_much(connection: socket.socket, header: bytes = b"", *, status: int = 200) -> None:
    """Ask for a reply of about 9 MB, more than the operating system takes, and read its beginning only."""
    wide = {"weights": [[0.1] * 100] * 100, "inputs": [0.5] * 100, "target": 0, "quantities": ["dS_dW"]}
    body = dump(wide)
    connection.sendall(
        b"POST /v1/softmax-layer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"%bContent-Length: %d\r\n\r\n%b" % (header, len(body), body)
    )
    assert connection.recv(12) == b"HTTP/1.1 %d" % status


def read_metric(server: Server, series: str) -> float:
    """Read a figure of a server's metrics: the sum of what begins with a name and labels."""
    lines = server.client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(series))


def wait_for_metric(server: Server, series: str, value: float) -> None:
    """Wait until a figure of a server's metrics has a value."""
    deadline = time.monotonic() + 10
    while (found := read_metric(server, series)) != value:
        assert time.monotonic() < deadline, (series, found)
        time.sleep(0.02)


def count_open(sockets: list[socket.socket]) -> int:
    """Count those that the server has not closed yet; what it sent before is read and forgotten."""
    still_open = 0
    for connection in sockets:
        try:
            while piece := connection.recv(65536):
                # head and body may come apart
                assert piece.startswith((b"HTTP/1.1 408 ", b"{")), piece
        except BlockingIOError:
            still_open += 1
    return still_open


def send(server: Server, *pieces: bytes) -> tuple[int, str, bytes]:
    """Send pieces, each by itself, and read until the server closes."""
    with connect(server) as connection:
        for number, piece in enumerate(pieces):
            if number:
                time.sleep(0.02)
            connection.sendall(piece)
        return read_all(connection)


def assert_is_refused(reply: tuple[int, str, bytes], status: int, code: str) -> str:
    """Check a refusal, and return its message; pytest explains no asserts of this file."""
    found, head, body = reply
    document = json.loads(body)
    assert (found, document["status"], document["errors"][0]["code"]) == (status, status, code), document
    assert f"content-type: {MEDIA_TYPE}" in head, head
    assert f"x-request-id: {document['request_id']}" in head, head
    assert "\r\nconnection: close" in head, head
    assert all(f"\r\n{name.decode()}: {value.decode()}" in head for name, value in (*PROTECTION, NO_STORE)), head
    assert len(document["request_id"]) == 32, document
    message: str = document["detail"]
    return message


def head_of(size: int) -> bytes:
    """Return a request without a body whose head has a size."""
    return GET + b"X: " + b"x" * (size - len(GET) - 7) + b"\r\n\r\n"


def chunked(body: bytes, size: int, *, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    """Return a request whose body is sent in chunks of a size."""
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    written = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    return POST + b"Transfer-Encoding: chunked\r\n\r\n" + written + b"0\r\n" + trailers + b"\r\n"
