"""The server: it listens, watches over its connections, and stops so that nobody notices."""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from email.utils import formatdate
from importlib import import_module
from importlib.util import find_spec
from types import FrameType
from typing import Any, NoReturn

from fastapi import FastAPI

from app.errors import stopping
from app.serving.guard import Connection, Connections, Phase
from app.serving.refusals import Overload, QueueFinder
from app.settings import Settings

logger = logging.getLogger("gradmark")

# not everywhere
uvloop: Any = import_module("uvloop") if find_spec("uvloop") else None

# The loop accepts one connection for each socket and round. When there is much to do, rounds are long, and with a
# single socket a new client, such as a probe of health, would wait a round for each that came before it.
LISTENERS = 64
BACKLOG = 2048
# Of one reply in the kernel that are not sent yet: without this limit, megabytes for a client that does not read. Bytes
# on their way to the client do not count, so the kernel still fits its buffer to the round trip. Measured at 100 ms:
# 8 to 30 MB/s, as without a limit, where a fixed SO_SNDBUF of this size gave 2.5.
UNSENT_BYTES = 131_072

TICK_SECONDS = 0.1
WATCH_TICKS = 5  # to look over thousands of connections takes milliseconds
SECOND_TICKS = 10

LONGEST_SECONDS = 1.0  # is counted as waited: where this process itself was stopped for long, no client is to blame
HEAD_SECONDS = 1.0  # for heads to arrive once no connections are taken any more
LAST_SECONDS = 0.5  # at the very end, to tell those that still wait for an answer
CLEAN_SECONDS = 1.0  # for what belongs to the service to end


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen on an address: the same socket several times."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    # those that are accepted inherit it; not every system has it
    with suppress(AttributeError, OSError):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    name = f"[{host}]" if family is socket.AF_INET6 else host
    logger.info("listening on http://%s:%d", name, listener.getsockname()[1])
    return [listener, *(listener.dup() for _ in range(LISTENERS - 1))]


class Server:
    """A server that is told to stop by SIGTERM, and goes on for a while."""

    def __init__(self, app: FastAPI, settings: Settings, overload: Overload) -> None:
        self._app, self._settings = app, settings
        self.connections = app.state.connections = Connections(app, settings, overload)
        self._watched = time.monotonic()
        self._leaves = float("inf")
        self._must_end = self._must_hurry = False

    async def serve(self, listeners: list[socket.socket]) -> None:
        """Serve until a signal ends it."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._take_signal)
        lifespan = self._app.router.lifespan_context(self._app)
        await lifespan.__aenter__()
        loop = asyncio.get_running_loop()
        self._write_date()
        servers = [
            await loop.create_server(lambda: Connection(self.connections), sock=listener, backlog=BACKLOG)
            for listener in listeners
        ]
        ticks = 0
        while not self._must_end and time.monotonic() < self._leaves:
            ticks += 1
            self._tick(ticks)
            await asyncio.sleep(TICK_SECONDS)
        # what came at the end of the interval may still wait to be accepted or read; what waited when the listeners are
        # closed would be reset, so that no more is let in
        for listener in listeners:
            listener.listen(0)
        await asyncio.sleep(TICK_SECONDS)
        for server in servers:
            server.close()
        await self.finish()
        try:
            await asyncio.wait_for(lifespan.__aexit__(None, None, None), CLEAN_SECONDS)
        except TimeoutError:
            logger.warning("not all that belongs to the service has ended in time")

    def _take_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal's handler gets it
        """SIGTERM lets requests come for a while, SIGINT or a second signal does not, a third ends all."""
        if self._must_end:
            self._must_hurry = True
        elif number == signal.SIGTERM and not self.connections.is_draining:
            self._leaves = time.monotonic() + self._settings.drain_seconds
        else:
            self._must_end = True
        self.connections.is_draining = True
        self._app.state.readiness = "draining"

    def _tick(self, ticks: int) -> None:
        self.connections.let_some_go()
        if ticks % WATCH_TICKS == 0:
            self._watch()
        if ticks % SECOND_TICKS == 0:
            self._write_date()
            self.connections.overload.tell()
        if self.connections.is_draining:
            self.connections.let_all_go()
            for connection in list(self.connections.connections):
                connection.end_after_reply()

    def _write_date(self) -> None:
        self.connections.headers = [(b"date", formatdate(usegmt=True).encode("ascii"))]

    async def finish(self) -> None:
        """Finish what is in flight, as far as there is time, and end all connections."""
        self._must_end = self.connections.is_draining = True
        self.connections.let_all_go()
        await self._wait_until_quiet(min(HEAD_SECONDS, self._settings.stop_seconds))
        for connection in list(self.connections.connections):
            if connection.phase in {Phase.SILENT, Phase.HEAD}:
                connection.refuse(stopping())
        await self._wait_until_quiet(self._settings.stop_seconds - HEAD_SECONDS)
        for task in self.connections.tasks:
            task.cancel("the service is stopping")
        self._must_hurry = False
        await self._wait_until_quiet(LAST_SECONDS)
        for connection in list(self.connections.connections):
            connection.transport.abort()
        self.connections.overload.tell()

    async def _wait_until_quiet(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (self.connections.connections or self.connections.tasks) and time.monotonic() < end:
            if self._must_hurry:
                return
            for connection in list(self.connections.connections):
                connection.shutdown()
            self._watch()
            await asyncio.sleep(TICK_SECONDS)

    def _watch(self) -> None:
        now = time.monotonic()
        seconds, self._watched = min(now - self._watched, LONGEST_SECONDS), now
        for connection in list(self.connections.connections):
            connection.watch(seconds)


def run_server(app: FastAPI, settings: Settings, find_queue: QueueFinder) -> NoReturn:
    """Serve until a signal ends it, and end the process with status 0.

    Parameters
    ----------
    find_queue : callable
        Returns a request's route and the queue that it will wait in, by its head; None where that is not known.
    """
    try:
        listeners = listen(settings.host, settings.port)
    except OSError as error:
        logger.error("cannot listen on %s, port %d: %s", settings.host, settings.port, error.strerror)  # noqa: TRY400 - it says why
        sys.exit(1)
    server = Server(app, settings, Overload(find_queue, app.state.metrics.count_refused))
    asyncio.Runner(loop_factory=uvloop and uvloop.new_event_loop).run(server.serve(listeners))
    # whoever read the log may have left
    with suppress(AttributeError, OSError, ValueError):
        logging.shutdown()
        sys.stdout.flush()
    # threads may still compute for those who have been told that the service stops
    os._exit(0)
