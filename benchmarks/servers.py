"""Servers in processes of their own on free ports of this machine, and a client that costs next to nothing."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.app.server import ROOT, find_free_port, run_server, stop

START_SECONDS = 30
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
END_OF_HEAD = b"\r\n\r\n"


class Connection:
    """A connection that is kept, blocking, without a parser: one prepared request out, one reply in."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=300)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, request: bytes) -> bytes:
        """Send a request and return the body of its reply."""
        self._socket.sendall(request)
        head = b""
        while (end := head.find(END_OF_HEAD)) < 0:
            piece = self._socket.recv(65536)
            if not piece:
                raise ConnectionError("the server closed the connection")
            head += piece
        length = LENGTH.search(head, 0, end + 2)
        if length is None or not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"not a reply of status 200 with its length: {head[:500]!r}")
        body = head[end + len(END_OF_HEAD) :]
        missing = int(length[1]) - len(body)
        return body + self._receive(missing) if missing else body

    def _receive(self, count: int) -> bytes:
        buffer = bytearray(count)
        view = memoryview(buffer)
        while view:
            view = view[self._socket.recv_into(view) :]
        return bytes(buffer)

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def write_request(path: str, body: bytes, *, media_type: str = "application/json") -> bytes:
    """Write a whole request, whose reply is to be of the same media type."""
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {media_type}", f"Accept: {media_type}")
    return "\r\n".join((*lines, f"Content-Length: {len(body)}")).encode() + END_OF_HEAD + body


@contextmanager
def serve_ours(**settings: object) -> Iterator[int]:
    """Serve Gradmark as its command line does, and yield the port."""
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
