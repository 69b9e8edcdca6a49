"""What never gets to the application: in which words it is refused, which heads, and requests whose queue is full."""

import asyncio
import logging
import re
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

import orjson
from starlette.types import Scope

from app.errors import MEDIA_TYPE, BodyError, describe_error
from app.logs import current_request_id
from app.settings import Settings
from app.watch.exchange import choose_request_id
from app.watch.headers import protect
from app.work.dispatch import Place

logger = logging.getLogger("gradmark")

Headers = Sequence[tuple[bytes, bytes]]
QueueFinder = Callable[[Scope], tuple[str, Place] | None]
CLOSE = (b"connection", b"close")

MAX_HEADERS = 64
MAX_PIPELINED = 16
MAX_TINY_CHUNKS = 10_000
TINY_BYTES = 16
"""A smaller chunk has more bytes of its own than of the body."""

OLD_VERSION = "1.0"
"""It needs no Host, and knows neither `100 Continue` nor chunks."""

HOST = re.compile(rb"(\[[\w.~!$&'()*+,;=:-]+\]|[\w.~!$&'()*+,;=%-]*)(:[0-9]*)?")
"""Address or name, and port (RFC 3986, 3.2.2)."""


# status, code, and words with what was found
REFUSALS: Mapping[str, tuple[int, str, str]] = {
    "syntax": (400, "not_http", "found what is not HTTP/1.1 as it is read here: {found}"),
    "version": (400, "not_http", "found version {found} of HTTP, needed 1.1"),
    "coding": (400, "not_http", "found another transfer coding than `chunked`, once, which is all that is read here"),
    "target": (400, "not_http", "found a target without a path, needed at least /"),
    "hosts": (400, "host", "found {found} Host headers, needed one: whoever passes the request on goes by it"),
    "host": (400, "host", "found a Host header that is no name or address, with or without a port"),
    "types": (400, "content_type", "found {found} Content-Type headers, needed one: readers could differ in theirs"),
    "connect": (400, "connect", "found the method CONNECT, which asks a proxy to pass bytes on; this is none"),
    "headers": (431, "too_many_headers", f"found more than {MAX_HEADERS} headers, the most that are read here"),
    "head": (431, "header_too_large", "request line and headers have more than {limits.max_header_bytes} bytes"),
    "pipelined": (400, "pipelined", f"more than {MAX_PIPELINED} requests wait on this connection, the most that may"),
    "tiny": (400, "chunk_flood", f"more than {MAX_TINY_CHUNKS} of the body's chunks have less than {TINY_BYTES} bytes"),
    "around": (400, "chunk_flood", "more than twice {limits.max_header_bytes} bytes stand around the body's chunks"),
    "slow": (408, "too_slow", "the client stalled for {limits.client_seconds} s before the request had arrived"),
}


def refusal(name: str, found: object = None, limits: Settings | None = None) -> BodyError:
    """Return one of the errors above."""
    status, code, words = REFUSALS[name]
    return BodyError(status, code, words.format(found=found, limits=limits))


def measure(headers: Headers) -> int:
    """Count the bytes of headers, or trailers, with one space each, as they are usually written."""
    return sum(len(name) + len(value) + len(": \r\n") for name, value in headers)


def check_head(version: str, method: bytes, headers: Headers) -> None:
    """Refuse what is not clear, or not HTTP/1.1 of an origin server."""
    if version not in {"1.1", OLD_VERSION}:
        raise refusal("version", version)
    if len(headers) > MAX_HEADERS:
        raise refusal("headers")
    if method == b"CONNECT":
        raise refusal("connect")
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (not hosts and version != OLD_VERSION):
        raise refusal("hosts", len(hosts))
    if hosts and not HOST.fullmatch(hosts[0].strip()):
        raise refusal("host")
    types = sum(name == b"content-type" for name, _ in headers)
    if types > 1:
        raise refusal("types", types)
    if any(name == b"transfer-encoding" and value.strip().lower() != b"chunked" for name, value in headers):
        raise refusal("coding")


def write_refusal(error: BodyError, more: Headers, *, has_body: bool = True) -> bytes:
    """Write the last reply to a client whose request never gets to the application; replies to HEAD have no body."""
    request_id = secrets.token_hex(16)
    logger.info("refused before there was a request: %s", error.code, extra={"request_id": request_id})
    content = _write_content(error, request_id)
    head = _write_head(error) % (request_id.encode("ascii"), len(content))
    return head + _write_lines([*more, CLOSE]) + b"\r\n" + (content if has_body else b"")


def _write_content(error: BodyError, request_id: str) -> bytes:
    token = current_request_id.set(request_id)
    try:
        return orjson.dumps(describe_error(error))
    finally:
        current_request_id.reset(token)


def _write_head(error: BodyError) -> bytes:
    """Write the head of a reply, but for its end; the request's id and the length are still to be filled in."""
    said = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in error.headers.items()]
    headers = protect([(b"content-type", MEDIA_TYPE.encode("ascii")), *said])
    status = b"HTTP/1.1 %d %b\r\n" % (error.status, HTTPStatus(error.status).phrase.encode("ascii"))
    return status + _write_lines(headers) + b"x-request-id: %b\r\ncontent-length: %d\r\n"


def _write_lines(headers: Headers) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])


class Overload:
    """Refuses requests whose queue is full before they are routed, with replies made ready.

    Clients that come again at once would otherwise take the time in which others are served: to route a request and
    to refuse it then takes as long as a small computation.
    """

    def __init__(self, find_queue: QueueFinder, count: Callable[[str, str, BodyError], None]) -> None:
        self._find_queue, self._count = find_queue, count
        # the queues get to know of requests when the loop's round is over
        self._begun: Counter[Place] = Counter()
        self._ready: dict[Place, tuple[BodyError, bytes, bytes, bytes]] = {}
        self._untold = 0

    def refuse(self, scope: Scope, more: Headers, *, is_whole: bool) -> bytes | None:
        """Return the reply, with these headers, to a request that there is no room for, else None."""
        found = self._find_queue(scope)
        if found is None:
            return None
        route, queue = found
        if queue.room > self._begun[queue]:
            if not self._begun:
                asyncio.get_running_loop().call_soon(self._begun.clear)
            # where the body is still to come, nobody knows when it will need room
            self._begun[queue] += is_whole
            return None
        if queue not in self._ready:
            busy = queue.busy()
            before, after = _write_content(busy, "\0").split(b"\\u0000")
            self._ready[queue] = busy, _write_head(busy), before, after
        error, head, before, after = self._ready[queue]
        self._count(route, scope["method"], error)
        self._untold += 1
        request_id = choose_request_id(scope).encode("ascii")
        content = b"".join((before, request_id, after))
        return b"".join((head % (request_id, len(content)), _write_lines(more), b"\r\n", content))

    def tell(self) -> None:
        """Log how many were refused since the last time, in one line."""
        if self._untold:
            logger.info("refused %d requests for which there was no room", self._untold)
            self._untold = 0
