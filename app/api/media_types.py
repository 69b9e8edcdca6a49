"""Which media types bodies and replies have: JSON, its binary form, and lines of JSON."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import mimeparse
from fastapi import Request

from app.errors import BodyError
from app.wire.tensors import TENSORS_TYPE
from app.work.computation import JSON_TYPE

# possessive quantifiers read a header once; email.message takes quadratic time for parameters
PLAIN = r"[!#$%&'*+.^_`|~0-9a-z-]++"
QUOTED = r'"(?:[^"\\]|\\.)*+"'
PARAMETERS = (
    rf'(\s*+;\s*+(charset=("utf-?8"|utf-?8)|(?!charset[*=]){PLAIN}=({PLAIN}(/{PLAIN})*+|{QUOTED})))*+\s*+;?\s*+'
)
BODY_TYPES = {
    JSON_TYPE: re.compile("application/json" + PARAMETERS, re.IGNORECASE),
    TENSORS_TYPE: re.compile(re.escape(TENSORS_TYPE) + r"\s*+", re.IGNORECASE),
}
LINES_TYPE = "application/jsonl"
LINES_NAMES = r"application/((x-)?ndjson|(x-)?jsonl|(x-)?jsonlines|octet-stream)"
"""Lines of JSON have no registered name. Clients generated from OpenAPI send them as bytes."""
LINES_TYPES = {LINES_TYPE: re.compile(LINES_NAMES + PARAMETERS, re.IGNORECASE)}


class MediaTypes(NamedTuple):
    """The media types of a body and of its reply."""

    reads: str
    writes: str


def choose_media_types(request: Request) -> MediaTypes:
    """Choose how a request is read and answered: 406 where no media type of the reply is acceptable, 415 as below."""
    writes = choose_reply_type(",".join(request.headers.getlist("accept")))
    if not writes:
        raise BodyError(406, "accept", f"the reply can be {JSON_TYPE} or {TENSORS_TYPE}; Accept allows neither")
    return MediaTypes(reads=require_media_type(request, BODY_TYPES), writes=writes)


@lru_cache(maxsize=256)
def choose_reply_type(accept: str) -> str:
    """Choose by the Accept header: JSON where both media types are as good; empty where neither is acceptable."""
    try:
        # the last of those that are as good
        return str(mimeparse.best_match([TENSORS_TYPE, JSON_TYPE], accept or "*/*"))
    except mimeparse.MimeTypeParseException:
        return ""


def require_media_type(request: Request, known: Mapping[str, re.Pattern[str]]) -> str:
    """Return which of the media types a body says that it has: 415 for another one, or for a compressed body.

    Each is known by how it is written, in UTF-8 where it is text.
    """
    said = request.headers.get("content-type", "")
    found = next((name for name, pattern in known.items() if pattern.fullmatch(said)), None)
    if found is None:
        needed = " or ".join(known)
        raise BodyError(415, "media_type", f"the body has to be sent with Content-Type: {needed}, text in UTF-8")
    codings = ",".join(request.headers.getlist("content-encoding")).lower().split(",")
    if {coding.strip() for coding in codings} - {"", "identity"}:
        raise BodyError(
            415,
            "content_encoding",
            "the body is compressed; it has to be sent as it is",
            headers={"Accept-Encoding": "identity"},
        )
    return found
