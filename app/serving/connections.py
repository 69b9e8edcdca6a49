"""All connections of a server, and how many there may be."""

import heapq
import math
from collections import Counter
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from uvicorn.server import ServerState

from app.settings import Settings

if TYPE_CHECKING:
    from app.serving.waiting import WaitingProtocol

# not everywhere
resource: Any = import_module("resource") if find_spec("resource") else None

SPARE_FILES = 256
"""Open files beside the connections: listeners, pipes to workers, temporary files of bulk requests."""

ROOM = 32
"""Where there are too many connections one of so many is closed, so that looking for them costs each little."""


class Connections(ServerState):
    """What the connections of a server share.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.most = int(min(settings.max_connections, max(1, raise_file_limit() - SPARE_FILES)))
        self.is_draining = False
        self.turned_away: Counter[str] = Counter()
        """How many clients were refused or left before there was a request, by reason."""

    def all(self) -> list["WaitingProtocol"]:
        """Return the connections there are now."""
        return cast("list[WaitingProtocol]", list(self.connections))

    def make_room(self, newcomer: "WaitingProtocol") -> None:
        """Where there are too many connections, close those that have kept the service waiting for longest.

        Parameters
        ----------
        newcomer : Connection
            Closed where it is the service that keeps all others waiting.
        """
        if len(self.connections) <= self.most:
            return
        waited_for = [one for one in self.all() if one is not newcomer and one.kept_waiting is not None]
        longest = heapq.nlargest(max(1, self.most // ROOM), waited_for, key=lambda one: one.kept_waiting or 0.0)
        for connection in longest or [newcomer]:
            connection.cut("no_room")


def raise_file_limit() -> float:
    """Let this process open as many files as it may.

    Returns
    -------
    float
        How many; infinite where that is not known.
    """
    most = math.inf
    # other systems than Linux may have no such limit, or none that can be raised
    with suppress(AttributeError, OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        most = hard
    return most
