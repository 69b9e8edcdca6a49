"""The outermost middleware: whatever comes in and goes out passes here, once."""

import asyncio
import time
from dataclasses import replace

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import MEDIA_TYPE, BodyError, describe_error, stopping
from app.logs import current_request_id
from app.record import facts_of, note_facts
from app.watch.exchange import Exchange
from app.watch.line import write_line
from app.watch.metrics import Metrics


class Watch:
    """Gives each request its id and each reply its headers; logs and counts what became of them.

    An exception that nobody foresaw ends here, so that its reply and its line are like all others.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send)
        current_request_id.set(exchange.request_id)
        scope.setdefault("state", {})
        self._metrics.in_flight.inc()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            # only a server that stops cancels a request, when its time to finish is over
            await _answer(exchange, stopping())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered and logged
            await _answer(exchange, error)
        finally:
            seconds = time.perf_counter() - exchange.started
            self._metrics.in_flight.dec()
            self._metrics.count(exchange, seconds)
            write_line(exchange, seconds)


async def _answer(exchange: Exchange, error: Exception) -> None:
    document = describe_error(error)
    note_facts(exchange.scope, replace(facts_of(exchange.scope), reason=document.reason))
    if not exchange.status:
        content = orjson.dumps(document)
        own = error.headers if isinstance(error, BodyError) else {}
        headers = {"content-type": MEDIA_TYPE, "content-length": str(len(content)), **own}
        written = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        await exchange.send({"type": "http.response.start", "status": document.status, "headers": written})
        await exchange.send({"type": "http.response.body", "body": content})
