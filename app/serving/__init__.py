"""HTTP/1.1 over sockets: `guard` reads connections and limits what clients may do, `server` listens, watches and stops.

`request` is one request as the application sees it, `refusals` what never gets to the application. The parser is
httptools, the event loop uvloop. The rest is here and not in an ASGI server, because every limit needs to know what
the parser, the transport and the request are doing at the moment.
"""

from app.serving.server import run_server

__all__ = ["run_server"]
