"""What is refused before there is a request: in which words, and how it is written."""

import logging
from collections.abc import Iterable
from http import HTTPStatus
from uuid import uuid4

import orjson
from asgi_correlation_id import correlation_id

from app.errors import MEDIA_TYPE, BodyError, describe_error
from app.settings import Settings
from app.watch.headers import protect

logger = logging.getLogger("gradmark")

TINY_BYTES = 16
"""A chunk of fewer bytes has more of its own than of the body."""


def too_slow(settings: Settings) -> BodyError:
    """Return the error for a request that does not arrive."""
    return BodyError(
        408,
        "too_slow",
        f"the request took too long to arrive: it may keep waiting for {settings.receive_seconds} s, and for one more "
        f"with every {settings.receive_rate} bytes that come meanwhile, so that slow clients hold nobody up",
    )


def too_large_a_head(settings: Settings) -> BodyError:
    """Return the error for a request line and headers over the limit."""
    limit = settings.max_header_bytes
    return BodyError(431, "header_too_large", f"request line and headers have more than {limit} bytes, the most here")


def too_many_headers(settings: Settings) -> BodyError:
    """Return the error for headers over the limit."""
    limit = settings.max_headers
    return BodyError(431, "too_many_headers", f"the request has more than {limit} headers, the most that are read here")


def not_one_host(count: int) -> BodyError:
    """Return the error for a request without a Host header, or with several."""
    return BodyError(400, "host", f"found {count} Host headers, needed one: whoever passes the request on goes by it")


def not_a_host() -> BodyError:
    """Return the error for a Host header that names none."""
    return BodyError(
        400, "host", "found a Host header that is no name or address with or without a port: nobody could go by it"
    )


def not_http(reason: str) -> BodyError:
    """Return the error for bytes that are no request, or no body."""
    return BodyError(400, "not_http", f"what was sent is not HTTP/1.1 as it is read here: {reason}")


def no_proxy() -> BodyError:
    """Return the error for a request that only a proxy can answer."""
    return BodyError(400, "connect", "found the method CONNECT, which asks a proxy to pass bytes on; this is none")


def too_many_pipelined(settings: Settings) -> BodyError:
    """Return the error for requests over the limit that come before those ahead of them are answered."""
    limit = settings.max_pipelined
    return BodyError(400, "pipelined", f"more than {limit} requests wait on this connection, the most that may")


def too_many_chunks(settings: Settings) -> BodyError:
    """Return the error for tiny chunks over the limit."""
    return BodyError(
        400,
        "chunk_flood",
        f"the body has more than {settings.max_tiny_chunks} chunks of less than {TINY_BYTES} bytes, the most that are "
        "read here; needed larger ones, or a Content-Length",
    )


def too_much_around_chunks(settings: Settings) -> BodyError:
    """Return the error for extensions and trailers over the limit."""
    return BodyError(
        400,
        "chunk_flood",
        f"the head, and the extensions and trailers of the body's chunks, have more than "
        f"{2 * settings.max_header_bytes} bytes together, {TINY_BYTES} bytes for each chunk not counted",
    )


def write_refusal(error: BodyError, headers: Iterable[tuple[bytes, bytes]], *, has_body: bool = True) -> bytes:
    """Write the reply to a client whose request never gets to the application.

    Parameters
    ----------
    error : BodyError
    headers : iterable of tuple of bytes
        Further headers.
    has_body : bool
        Replies to HEAD have none.

    Returns
    -------
    bytes
    """
    request_id = uuid4().hex
    token = correlation_id.set(request_id)
    content = orjson.dumps(describe_error(error))
    logger.info("refused before there was a request: %s", error.code)
    correlation_id.reset(token)
    said = {
        "content-type": MEDIA_TYPE,
        "content-length": str(len(content)),
        "x-request-id": request_id,
        "connection": "close",
        **error.headers,
    }
    written = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in said.items()]
    status = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}".encode("ascii")
    lines = [b"%b: %b" % header for header in protect([*written, *headers])]
    return b"\r\n".join([status, *lines, b"", content if has_body else b""])
