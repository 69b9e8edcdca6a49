"""Heads of requests: which are taken, and how one is written again."""

import re
from collections.abc import Sequence

from app.serving.refusals import no_proxy, not_a_host, not_http, not_one_host, too_large_a_head, too_many_headers
from app.settings import Settings

Headers = Sequence[tuple[bytes, bytes]]

OLD_VERSION = "1.0"
"""The one of HTTP that is read here, too; it needs no Host, and knows no `100 Continue`."""

HOST = re.compile(rb"(\[[\w.~!$&'()*+,;=:-]+\]|[\w.~!$&'()*+,;=%-]*)(:[0-9]*)?")
"""Address or name, and port (RFC 3986, 3.2.2)."""


def measure(headers: Headers) -> int:
    """Count the bytes of headers, or trailers, with one space each, as they are usually written.

    Parameters
    ----------
    headers : sequence of tuple of bytes

    Returns
    -------
    int
    """
    return sum(len(name) + len(value) + len(": \r\n") for name, value in headers)


def write_head(method: bytes, url: bytes, version: str, headers: Headers) -> bytes:
    """Write a head.

    Parameters
    ----------
    method, url : bytes
    version : str
        Of HTTP.
    headers : sequence of tuple of bytes

    Returns
    -------
    bytes
    """
    lines = [b"%b: %b\r\n" % header for header in headers]
    return b"".join([b"%b %b HTTP/%b\r\n" % (method, url, version.encode("ascii")), *lines, b"\r\n"])


def check_head(method: bytes, version: str, headers: Headers, settings: Settings) -> None:
    """Refuse what cannot be, or is too much.

    Parameters
    ----------
    method : bytes
    version : str
        Of HTTP.
    headers : sequence of tuple of bytes
        Names in lower case.
    settings : Settings

    Raises
    ------
    BodyError
        431 for too many headers; 400 for another version, where there is not one Host, for a method that only proxies
        have, and for a body that is coded on its way.
    """
    if version not in {"1.1", OLD_VERSION}:
        raise not_http(f"found version {version}, needed 1.1")
    if len(headers) > settings.max_headers:
        raise too_many_headers(settings)
    hosts = [value.strip() for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (not hosts and version != OLD_VERSION):
        raise not_one_host(len(hosts))
    if hosts and not HOST.fullmatch(hosts[0]):
        raise not_a_host()
    if method == b"CONNECT":
        raise no_proxy()
    if any(name == b"transfer-encoding" and value.strip().lower() != b"chunked" for name, value in headers):
        raise not_http("a body may be chunked, once, and is coded in no other way")


def check_size(method: bytes, url: bytes, headers: Headers, settings: Settings) -> None:
    """Refuse a head that is too large, where its bytes were not counted as they came.

    Parameters
    ----------
    method, url : bytes
    headers : sequence of tuple of bytes
    settings : Settings

    Raises
    ------
    BodyError
        431.
    """
    size = len(method) + len(url) + len("  HTTP/1.1\r\n\r\n") + measure(headers)
    if size > settings.max_header_bytes:
        raise too_large_a_head(settings)
