"""A client that costs little: prepared requests out over kept connections, each answer noted, nothing else done.

Closed, so many connections ask again as soon as they are answered; open, requests come when they come, however the
service does.
"""

import asyncio
import os
import random
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import uvloop

from benchmarks.servers import END_OF_HEAD, LAST_CHUNK, LENGTH

MOST_CONNECTIONS = 1000
LAST_SECONDS = 20.0
"""How long answers may take that are missing at the end."""

CODE = re.compile(rb'"code":"(\w+)"')
RETRY = re.compile(rb"\r\nretry-after: *\d+\r\n", re.IGNORECASE)

NO_ANSWER, NOT_SENT = "no answer", "not sent"


@dataclass(frozen=True)
class Ask:
    """A kind of request, whole, and how often it comes beside others."""

    kind: str
    request: bytes
    weight: float


@dataclass(frozen=True)
class Outcome:
    """What became of a request."""

    kind: str
    what: str
    """The status with the reason of a refusal, or that there was no answer."""
    seconds: float

    @property
    def is_accepted(self) -> bool:
        """Whether it was answered with what it asked for."""
        return self.what == "200"

    @property
    def is_refused(self) -> bool:
        """Whether it was told to come again, and when."""
        return self.what.startswith("503") and self.what.endswith("Retry-After")


class Connection(asyncio.Protocol):
    """A connection that carries one request at a time."""

    def __init__(self, on_answer: Callable[["Connection", bytes | None], None]) -> None:
        self._on_answer = on_answer
        self._received = bytearray()
        self._missing = -1
        self._transport: asyncio.Transport | None = None
        self.is_open = False
        self.is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    @property
    def has_received(self) -> bool:
        """Whether some of the reply has come."""
        return bool(self._received)

    def send(self, request: bytes) -> None:
        """Send a request."""
        assert self._transport is not None
        self._received.clear()
        self._missing, self.is_busy = -1, True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Collect the reply."""
        self._received += data
        if self._missing < 0:
            end = self._received.find(END_OF_HEAD)
            if end < 0:
                return
            length = LENGTH.search(self._received, 0, end + 2)
            self._missing = int(length[1]) + end + len(END_OF_HEAD) if length else 0
        # what has no length comes in chunks, of JSON, in which that end cannot be
        if len(self._received) >= self._missing if self._missing else self._received.endswith(LAST_CHUNK):
            self.is_busy = False
            self._on_answer(self, bytes(self._received))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as a protocol has it
        """End, in the middle of a reply perhaps."""
        self.is_open = False
        if self.is_busy:
            self.is_busy = False
            self._on_answer(self, None)

    def close(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.close()


def read_outcome(reply: bytes) -> str:
    """Read the status, the reason of a refusal, and that a 503 says when to come again."""
    status = reply[9:12].decode("ascii")
    code = CODE.search(reply) if status != "200" else None
    parts = [status, code[1].decode("ascii") if code else "", "Retry-After" if RETRY.search(reply) else ""]
    return " ".join(filter(None, parts))


class Client:
    """Sends requests over as many connections as it takes."""

    def __init__(self, port: int) -> None:
        self.outcomes: list[Outcome] = []
        self._port = port
        self._idle: list[Connection] = []
        self._asked: dict[Connection, tuple[Ask, float, bool]] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self.on_idle: Callable[[], None] = lambda: None

    @property
    def pending(self) -> int:
        """How many are not answered yet."""
        return len(self._asked) + len(self._opening)

    def send(self, ask: Ask, start: float) -> None:
        """Send a request over a connection that is idle, or over a new one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                self._asked[connection] = ask, start, True
                connection.send(ask.request)
                return
        if self.pending >= MOST_CONNECTIONS:
            self.outcomes.append(Outcome(ask.kind, NOT_SENT, 0.0))
            return
        task = asyncio.get_running_loop().create_task(self._open(ask, start))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, ask: Ask, start: float) -> None:
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._take), "127.0.0.1", self._port
            )
        except OSError:
            self._note(ask, NO_ANSWER, start)
            return
        self._asked[connection] = ask, start, False
        connection.send(ask.request)

    def _take(self, connection: Connection, reply: bytes | None) -> None:
        ask, start, is_kept = self._asked.pop(connection)
        if reply is None and is_kept and not connection.has_received:
            # the service closed a connection that was idle just when it was used: any client asks again
            self.send(ask, start)
            return
        self._note(ask, NO_ANSWER if reply is None else read_outcome(reply), start)
        if connection.is_open:
            self._idle.append(connection)
        self.on_idle()

    def _note(self, ask: Ask, what: str, start: float) -> None:
        self.outcomes.append(Outcome(ask.kind, what, time.perf_counter() - start))

    async def finish(self) -> None:
        """Wait for the answers that are missing, for some time, and close everything."""
        end = time.perf_counter() + LAST_SECONDS
        while self.pending and time.perf_counter() < end:  # noqa: ASYNC110 - many answers, and no hurry
            await asyncio.sleep(0.01)
        for ask, start, _ in self._asked.values():
            self._note(ask, NO_ANSWER, start)
        asked, self._asked = self._asked, {}
        for connection in [*asked, *self._idle]:
            connection.is_busy = False
            connection.close()


def come_first() -> None:
    """Stand for another machine: where it may, this process comes before those of the service."""
    with suppress(PermissionError):
        os.nice(-10)


def ask_closed(port: int, asks: Sequence[Ask], connections: int, seconds: float) -> list[Outcome]:
    """Keep so many requests in flight for some time."""

    async def ask() -> list[Outcome]:
        client, source = Client(port), random.Random(0)
        weights = [ask.weight for ask in asks]
        end = time.perf_counter() + seconds

        def send() -> None:
            now = time.perf_counter()
            if now < end:
                client.send(source.choices(asks, weights)[0], now)

        client.on_idle = send
        for _ in range(connections):
            send()
        await asyncio.sleep(seconds)
        await client.finish()
        return client.outcomes

    return uvloop.run(ask())


def ask_open(port: int, asks: Sequence[Ask], rate: float, seconds: float) -> list[Outcome]:
    """Send so many requests a second, at random times, whatever becomes of those before."""

    async def ask() -> list[Outcome]:
        client, source = Client(port), random.Random(0)
        weights = [ask.weight for ask in asks]
        due = time.perf_counter()
        end = due + seconds
        while due < end:
            # times that have passed are caught up with at once
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            client.send(source.choices(asks, weights)[0], due)
            due += source.expovariate(rate)
        await client.finish()
        return client.outcomes

    return uvloop.run(ask())
