"""Headers that every reply has: they keep what it holds from being run, framed, passed on or kept."""

from collections.abc import Iterable

Header = tuple[bytes, bytes]

PROTECTION: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    # nothing is loaded by a reply that is opened as a page; the one that is a page says itself what it needs
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)

NO_STORE: Header = (b"cache-control", b"no-store")


def protect(headers: Iterable[Header]) -> list[Header]:
    """Add to a reply's headers, with names in lower case, those of the above that it has not got itself."""
    found = list(headers)
    names = {name for name, _ in found}
    found += [header for header in PROTECTION if header[0] not in names]
    # a file, told by its ETag, may be kept; a computation, a grade or the state of the service may not
    if names.isdisjoint((b"etag", b"cache-control")):
        found.append(NO_STORE)
    return found
