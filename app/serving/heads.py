"""Heads of requests: which are taken, and how one is written again."""

from collections.abc import Sequence

from app.serving.refusals import no_proxy, not_one_host, too_large_a_head, too_many_headers
from app.settings import Settings

Headers = Sequence[tuple[bytes, bytes]]

OLD_VERSIONS = {"0.9", "1.0"}
"""Those of HTTP that need no Host, and know no `100 Continue`."""


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
        431 for too many headers; 400 where there is not one Host, and for a method that only proxies have.
    """
    if len(headers) > settings.max_headers:
        raise too_many_headers(settings)
    hosts = sum(name == b"host" for name, _ in headers)
    if hosts > 1 or (hosts == 0 and version not in OLD_VERSIONS):
        raise not_one_host(hosts)
    if method == b"CONNECT":
        raise no_proxy()


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
