"""The server: it watches over its connections, and stops so that nobody notices."""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from types import FrameType
from typing import NoReturn

import uvicorn
from fastapi import FastAPI

from app.errors import stopping
from app.listening import listen
from app.serving.connections import Connections
from app.serving.phases import Phase
from app.serving.protocol import Connection
from app.settings import Settings

logger = logging.getLogger("gradmark")

TICK_SECONDS = 0.1
WATCH_TICKS = 5
"""Over the connections it is looked once in so many ticks: with thousands of them, that takes milliseconds."""

LONGEST_SECONDS = 1.0
"""What is counted as waited at most: where this process itself was stopped for long, no client is to blame."""

HEAD_SECONDS = 1.0
"""How long a head may still take to arrive once no connections are taken any more."""

LAST_SECONDS = 0.5
"""How long it may take at the very end to tell those that are still waiting for an answer."""

CLEAN_SECONDS = 1.0
"""How long what belongs to the service may take to end."""


class Server(uvicorn.Server):
    """A server that is told to stop by SIGTERM, and goes on for a while.

    Parameters
    ----------
    app : FastAPI
    settings : Settings
    """

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                http=Connection,
                ws="none",
                lifespan="on",
                interface="asgi3",
                proxy_headers=False,
                server_header=False,
            )
        )
        self._app = app
        self._settings = settings
        self._watched = time.monotonic()
        self._leaves = float("inf")
        self.server_state = self.connections = Connections(settings)
        app.state.connections = self.connections

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal's handler gets it
        """Take a signal: SIGTERM lets requests come for a while, SIGINT or a second signal does not, a third ends all.

        Parameters
        ----------
        sig : int
        frame : frame or None
        """
        if self.should_exit:
            self.force_exit = True
        elif sig == signal.SIGTERM and not self.connections.is_draining:
            self._leaves = time.monotonic() + self._settings.drain_seconds
        else:
            self.should_exit = True
        self.connections.is_draining = True
        self._app.state.readiness = "draining"

    async def on_tick(self, counter: int) -> bool:
        """Watch over the connections.

        Parameters
        ----------
        counter : int
            Of ticks.

        Returns
        -------
        bool
            Whether to stop.
        """
        if counter % WATCH_TICKS == 0:
            self._watch()
        if self.connections.is_draining:
            for connection in self.connections.all():
                connection.end_after_reply()
        self.should_exit = self.should_exit or time.monotonic() >= self._leaves
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is in flight, as far as there is time, and stop.

        Parameters
        ----------
        sockets : list of socket, optional
        """
        # what was sent at the end of the interval may have been waiting to be accepted or read
        await asyncio.sleep(TICK_SECONDS)
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        self.connections.is_draining = True
        await self._wait_until_quiet(min(HEAD_SECONDS, self._settings.stop_seconds))
        for connection in self.connections.all():
            if connection.phase in {Phase.SILENT, Phase.HEAD}:
                connection.refuse(stopping())
        await self._wait_until_quiet(self._settings.stop_seconds - HEAD_SECONDS)
        for task in self.connections.tasks:
            task.cancel("the service is stopping")
        self.force_exit = False
        await self._wait_until_quiet(LAST_SECONDS)
        for connection in self.connections.all():
            connection.transport.abort()
        try:
            await asyncio.wait_for(self.lifespan.shutdown(), CLEAN_SECONDS)
        except TimeoutError:
            logger.warning("not all that belongs to the service has ended in time")

    async def _wait_until_quiet(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (self.connections.connections or self.connections.tasks) and time.monotonic() < end:
            if self.force_exit:
                return
            for connection in self.connections.all():
                connection.shutdown()
            self._watch()
            await asyncio.sleep(TICK_SECONDS)

    def _watch(self) -> None:
        now = time.monotonic()
        seconds, self._watched = min(now - self._watched, LONGEST_SECONDS), now
        for connection in self.connections.all():
            connection.watch(seconds)


def run_server(app: FastAPI, settings: Settings) -> NoReturn:
    """Serve until a signal ends it, and end the process with status 0.

    Parameters
    ----------
    app : FastAPI
    settings : Settings
    """
    server = Server(app, settings)
    server.run(listen(server.config))
    logging.shutdown()
    sys.stdout.flush()
    # threads may still compute for those who have been told that the service stops
    os._exit(0)
