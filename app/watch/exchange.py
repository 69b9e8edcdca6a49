"""A request and its reply as they pass, and the ids that came with it."""

import re
import secrets
import time

from opentelemetry.trace import format_trace_id, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Message, Receive, Scope, Send

from app.errors import name_reason
from app.operations import service
from app.record import facts_of
from app.watch.headers import protect

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
TRACE_CONTEXT = TraceContextTextMapPropagator()

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})

UNMATCHED = "unmatched"  # the route of a request for a path that there is not
OTHER = "other"  # the method of a request with one that no route could have


class Exchange:
    """A request and its reply, as they pass."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.started = time.perf_counter()
        self._receive, self._send = receive, send
        self.scope = scope
        self.request_id = choose_request_id(scope)
        self.status = 0
        self.received_bytes = self.sent_bytes = 0
        self.is_whole = False

    async def receive(self) -> Message:
        """Receive a piece of the body."""
        message = await self._receive()
        self.received_bytes += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Send a piece of the reply."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = protect(message.get("headers", ()))
            headers.append((b"x-request-id", self.request_id.encode("ascii")))
            message = {**message, "headers": headers}
        else:
            if self.scope["method"] != "HEAD":
                # the server sends none of it
                self.sent_bytes += len(message.get("body", b""))
            self.is_whole = not message.get("more_body", False)
        await self._send(message)

    @property
    def route(self) -> str:
        """The template of the path: never the path itself, which may hold anything."""
        scope, route = self.scope, self.scope.get("route")
        if route is None:
            # the framework names its own routes alone, not those of files, and what a browser asks first meets none
            route = next((one for one in scope["app"].routes if _is_met(one, scope)), None)
        return UNMATCHED if route is None else str(route.path)

    @property
    def is_routine(self) -> bool:
        """Whether somebody who runs the service asked how it is, and it is well."""
        return self.status == 200 and service.TAG["name"] in getattr(self.scope.get("route"), "tags", ())

    @property
    def method(self) -> str:
        """The method, where it is one of those there are."""
        method: str = self.scope["method"]
        return method if method in METHODS else OTHER

    @property
    def reason(self) -> str:
        """Why the request was refused, in one word; empty if it was not."""
        return (facts_of(self.scope).reason or name_reason(self.status)) if self.status >= 400 else ""


def _is_met(route: BaseRoute, scope: Scope) -> bool:
    if "endpoint" not in scope:
        return route.matches(scope)[0] is not Match.NONE
    return scope["endpoint"] is (route.app if isinstance(route, Mount) else getattr(route, "endpoint", None))


def choose_request_id(scope: Scope) -> str:
    """Choose the id of a request: the one that came with it, where that is one."""
    given = find_header(scope, b"x-request-id")
    return given.decode("ascii") if REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


def find_trace_id(scope: Scope) -> str:
    """Return the trace that a request says it belongs to (W3C Trace Context), in hexadecimal; empty without one."""
    given = find_header(scope, b"traceparent")
    if not given:
        return ""
    context = TRACE_CONTEXT.extract({"traceparent": given.decode("latin-1")})
    span = get_current_span(context).get_span_context()
    return format_trace_id(span.trace_id) if span.is_valid else ""


def find_header(scope: Scope, name: bytes) -> bytes:
    """Return the value of a header that a request has once, by its name in lower case; else nothing."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0] if len(values) == 1 else b""
