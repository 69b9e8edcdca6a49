"""Which media types bodies and replies have: JSON, its binary form, and lines of JSON."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import mimeparse
from fastapi import Request

from app.errors import BodyError
from app.wire import TENSORS_TYPE
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


class Forms(NamedTuple):
    """The media types of a body and of its reply."""

    reads: str
    writes: str


def choose_forms(request: Request) -> Forms:
    """Choose in which forms a request is read and answered.

    Raises
    ------
    BodyError
        406 where no form of the reply is acceptable; 415 for another media type, charset or content coding.
    """
    writes = choose_form(",".join(request.headers.getlist("accept")))
    if not writes:
        raise BodyError(406, "accept", f"the reply can be {JSON_TYPE} or {TENSORS_TYPE}; Accept allows neither")
    return Forms(reads=require_media_type(request, BODY_TYPES), writes=writes)


@lru_cache(maxsize=256)
def choose_form(accept: str) -> str:
    """Choose the form of a reply.

    Parameters
    ----------
    accept : str
        The header.

    Returns
    -------
    str
        A media type, JSON where both are as good; empty where neither is acceptable.
    """
    try:
        # the last of those that are as good
        return str(mimeparse.best_match([TENSORS_TYPE, JSON_TYPE], accept or "*/*"))
    except mimeparse.MimeTypeParseException:
        return ""


def require_media_type(request: Request, known: Mapping[str, re.Pattern[str]]) -> str:
    """Check that a body says that it is of a media type that is read, and plain.

    Parameters
    ----------
    known : mapping
        How each media type that is read is written, in UTF-8 where it is text.

    Returns
    -------
    str
        The media type.

    Raises
    ------
    BodyError
        415 if it does not.
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
