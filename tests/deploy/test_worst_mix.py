"""What the service and its worker hold together in the worst mixes of requests within the default limits."""

import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from app.settings import Settings
from tests.support.server import Server, read_memory, run_server
from tests.support.sockets import HEAD, connect

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the figures are those of /proc"),
]

MIB = 1024**2
MOST = 1331 * MIB
"""What the manifests count on, and less than a gibibyte and a half."""
ACT_SECONDS = 12
SLOW_RATE = 300_000
"""Bytes in a second: a little more than a client has to take."""

LARGEST: int = Settings.model_fields["max_body_bytes"].default
JSON, LINES = b"application/json", b"application/jsonl"

Ask = Callable[[socket.socket], None]


def rows(n_rows: int, n_columns: int, number: bytes = b"1") -> bytes:
    row = b"[" + b",".join([number] * n_columns) + b"]"
    return b"[" + b",".join([row] * n_rows) + b"]"


def problem(n_in: int, n_out: int, number: bytes = b"1") -> bytes:
    layer = b'{"weights":%b,"activation":"softmax"}' % rows(n_in, n_out, number)
    inputs = rows(1, n_in, number)
    return b'"network":{"layers":[%b]},"inputs":%b,"targets":[0],"loss":"cross_entropy"' % (layer, inputs)


LARGE = problem(1000, 1990)


def marked(answer: bytes, quantity: bytes = b"dL_dW", asked: bytes = LARGE) -> bytes:
    return b'{"problem":{%b},"feedback":"full","answers":{"%b":%b}}' % (asked, quantity, answer)


def text(unit: bytes, most: int = LARGEST, end: bytes = b"") -> bytes:
    """Repeat what a text is made of, as often as there is room for it beside the problem."""
    room = LARGEST - len(LARGE) - len(end) - 200
    return b'"' + unit * min(most, room // len(unit)) + end + b'"'


WIDE = "\N{GRINNING FACE}".encode()
"""A character that makes each of its text's take four bytes."""

TEXTS = [
    marked(text(rb"1\n")),
    marked(text(rb"1\n", most=1_000_000, end=b" " * 20_000_000 + WIDE)),
    marked(text(rb"1\n", most=1_000_000)),
    marked(text(rb"\u005b1\u005d ", most=250_000)),
    marked(text(b"<tr><td>1", most=900_000)),
    marked(text(b"- 1.5 ", end=WIDE)),
]
ANSWERS = [
    marked(b"[" + b",".join([b"1.2345678"] * 1_990_000) + b"]"),
    marked(b"[" + b",".join([b"NaN"] * 3_990_000) + b"]", asked=problem(1, 1)),
    marked(rows(1000, 1990)),
]
# all that is required is missing, and around it there are as many numbers as there may be
WRONG = b'{"network":{"layers":[{"weights":[%b]}],"y":0},"z":1}' % rows(1, 3_990_000, b"1.5")[1:-1]
LONG_LINES = (marked(b"[1]", b"dS_dW", problem(2000, 40, b"0.0123")) + b"\n") * 5
GRADIENTS = b"{%b}" % problem(1990, 1990)


def grow_old(server: Server, ended: threading.Event, address: int, ask: Ask) -> None:
    """Ask again and again."""
    while not ended.is_set():
        with suppress(OSError), connect(server, f"127.0.0.{address}") as connection:
            connection.settimeout(60)
            ask(connection)
        ended.wait(0.1)


def take(
    answered: Counter[str], path: bytes, bodies: list[bytes], media_type: bytes, connection: socket.socket
) -> None:
    """Read replies as fast as they come."""
    for body in bodies:
        connection.sendall(HEAD % (path, media_type, len(body)) + body)
        head, _, rest = connection.recv(65536).partition(b"\r\n\r\n")
        answered[f"{path.decode()} {head[9:12].decode()}"] += 1
        if head[9:12] == b"503":
            time.sleep(1)
        lengths = [line.split()[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
        left = sum(map(int, lengths)) - len(rest)
        while left > 0 and (piece := connection.recv(min(left, MIB))):
            left -= len(piece)


def take_slowly(path: bytes, body: bytes, media_type: bytes, connection: socket.socket) -> None:
    connection.sendall(HEAD % (path, media_type, len(body)) + body)
    while connection.recv(SLOW_RATE // 4):
        time.sleep(0.25)


def stop_before_the_end(connection: socket.socket) -> None:
    connection.sendall(HEAD % (b"/v1/gradients", JSON, LARGEST) + b" " * (LARGEST - 1))
    connection.recv(1)


def leave_unread(connection: socket.socket) -> None:
    connection.sendall(b"GET /static-offline-docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n")
    time.sleep(20)


class Peaks(Counter[str]):
    """The most bytes of the server's processes, each page counted once, and of the kernel for TCP."""

    def look(self, server: Server) -> None:
        held = {"serving": read_share(server.process.pid), "kernel": read_kernel()}
        held["workers"] = sum(map(read_share, find_children(server.process.pid)))
        held["processes"] = held["serving"] + held["workers"]
        for name, size in held.items():
            self[name] = max(self[name], size)

    def __str__(self) -> str:
        return ", ".join(f"{name} {size // MIB} MiB" for name, size in self.items())


def read_share(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def find_children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text(encoding="ascii").split()]


def read_kernel() -> int:
    [line] = [
        line for line in Path("/proc/net/sockstat").read_text(encoding="ascii").splitlines() if line[:4] == "TCP:"
    ]
    return int(line.split()[-1]) * 4096


@contextmanager
def clients(server: Server, *asks: Ask) -> Iterator[None]:
    """Let each ask again and again, every three of them from an address of their own."""
    ended = threading.Event()
    threads = [
        threading.Thread(target=grow_old, args=(server, ended, 2 + number // 3, ask), daemon=True)
        for number, ask in enumerate(asks)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()


def test_the_worst_mixes_of_requests_within_the_limits_hold_at_most_a_gibibyte_and_a_half() -> None:
    answered: Counter[str] = Counter()
    grades: list[Ask] = [partial(take, answered, b"/v1/grades", bodies, JSON) for bodies in (TEXTS, ANSWERS)]
    wrong = partial(take, answered, b"/v1/steps", [WRONG], JSON)
    slow_lines = partial(take_slowly, b"/v1/grades/bulk", LONG_LINES, LINES)
    slow_reply = partial(take_slowly, b"/v1/gradients", GRADIENTS, JSON)
    acts: dict[str, list[Ask]] = {
        "texts": grades[:1],
        "texts and wrong bodies": [*grades, wrong],
        "replies in bulk, taken slowly": [*[slow_lines] * 24, wrong],
        "replies and uploads": [*[slow_reply] * 6, *[stop_before_the_end] * 6, *grades],
        "unread files": [*[leave_unread] * 250, *grades],
    }
    every = Peaks()
    for name, asks in acts.items():
        with run_server() as server:
            idle = sum(read_memory(pid, "VmRSS") for pid in [server.process.pid, *find_children(server.process.pid)])
            peaks = Peaks()
            with clients(server, *asks):
                end = time.monotonic() + ACT_SECONDS
                while time.monotonic() < end:
                    peaks.look(server)
                    time.sleep(0.05)
            sys.stdout.write(f"{name}: {peaks}; idle {idle // MIB} MiB\n")
            assert server.process.poll() is None
            assert peaks["processes"] < MOST, str(peaks)
            every |= peaks
    sys.stdout.write(f"all: {every}; {dict(answered)}\n")
    assert answered["/v1/grades 200"]
    assert answered["/v1/steps 422"]
    # what the serving process holds and what the worker does may come together
    assert every["serving"] + every["workers"] < MOST, str(every)
