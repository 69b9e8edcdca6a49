"""Servers in processes of their own on free ports of this machine, a client that costs next to nothing, and a probe."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException

from tests.support.server import ROOT, find_free_port, run_server, stop

START_SECONDS = 30

PROBE_SECONDS = 0.05
PROBE_TIMEOUT = 5.0
MOST_PROBES = 250
"""At once: each may take `PROBE_TIMEOUT` to connect and again to be answered."""

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
END_OF_HEAD = b"\r\n\r\n"
LAST_CHUNK = b"\r\n0\r\n\r\n"


class Connection:
    """A connection that is kept, blocking, without a parser: one prepared request out, one reply in."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=300)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, request: bytes) -> bytes:
        """Send a request and return the body of its reply, as it came: chunks with their lengths."""
        self._socket.sendall(request)
        head = b""
        while (end := head.find(END_OF_HEAD)) < 0:
            piece = self._socket.recv(65536)
            if not piece:
                raise ConnectionError("the server closed the connection")
            head += piece
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"not a reply of status 200: {head[:500]!r}")
        body = head[end + len(END_OF_HEAD) :]
        length = LENGTH.search(head, 0, end + 2)
        if length is None:
            return self._receive_chunks(body)
        missing = int(length[1]) - len(body)
        return body + self._receive(missing) if missing else body

    def _receive_chunks(self, first: bytes) -> bytes:
        # JSON lines contain no carriage return, so the end of the last chunk stands nowhere else
        received = bytearray(first)
        while not received.endswith(LAST_CHUNK):
            piece = self._socket.recv(1 << 20)
            if not piece:
                raise ConnectionError("the server closed the connection")
            received += piece
        return bytes(received)

    def _receive(self, count: int) -> bytes:
        buffer = bytearray(count)
        view = memoryview(buffer)
        while view:
            view = view[self._socket.recv_into(view) :]
        return bytes(buffer)

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def join_chunks(received: bytes) -> bytes:
    """Return the body that came in chunks."""
    body, start = bytearray(), 0
    while length := int(received[start : (end := received.index(b"\r\n", start))], 16):
        body += received[end + 2 : end + 2 + length]
        start = end + 2 + length + 2
    return bytes(body)


def write_request(path: str, body: bytes, *, media_type: str = "application/json") -> bytes:
    """Write a whole request, whose reply is to be of the same media type."""
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {media_type}", f"Accept: {media_type}")
    return "\r\n".join((*lines, f"Content-Length: {len(body)}")).encode() + END_OF_HEAD + body


@contextmanager
def serve_ours(**settings: object) -> Iterator[int]:
    """Serve Gradmark as its command line does; yield the port."""
    with run_server(**settings) as server:
        yield server.port


@contextmanager
def serve_peer(name: str) -> Iterator[int]:
    """Serve an application of `benchmarks.peers` under uvicorn with the same event loop and parser as ours."""
    port = find_free_port()
    command = [sys.executable, "-m", "uvicorn", f"benchmarks.peers:{name}", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--log-level", "warning", "--no-server-header"]
    with subprocess.Popen(command, cwd=ROOT) as process:  # noqa: S603 - a fixed command
        try:
            _wait_for(port, process)
            yield port
        finally:
            stop(process)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            Connection(port).close()
        except ConnectionError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError("the peer's server did not start")


def probe_until(port: int, is_done: Callable[[], bool]) -> list[float]:
    """Ask at even intervals whether the service lives, however long earlier answers take; return what each took."""
    with ThreadPoolExecutor(MOST_PROBES) as pool:
        probes, due = [], time.perf_counter()
        while not is_done():
            probes.append(pool.submit(probe, port, due))
            due += PROBE_SECONDS
            time.sleep(max(0.0, due - time.perf_counter()))
        return [asked.result() for asked in probes]


def probe(port: int, due: float) -> float:
    """Ask whether the service lives, over a new connection, as orchestrators do; return how long after it was due."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT)
    try:
        connection.request("GET", "/health/live")
        is_alive = connection.getresponse().status == 200
    except (OSError, HTTPException):
        is_alive = False
    finally:
        connection.close()
    return time.perf_counter() - due if is_alive else float("inf")
