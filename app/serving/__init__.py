"""Sockets: what is refused before there is a request, whom nobody waits for, and how the service stops.

Built on uvicorn's protocol and server, which are no public interface: its version is pinned exactly. `protocol`
reads one connection and `waiting` ends it, `connections` knows them all, `server` watches over them and drains.
"""

from app.serving.server import run_server

__all__ = ["run_server"]
