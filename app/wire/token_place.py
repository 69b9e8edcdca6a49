"""Where a token stands in a body: found before anything else of it is looked at."""

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from app.wire.tensors import find_head


@dataclass(frozen=True)
class _TokenPlace:
    token: str


TOKEN_PLACE: TypeAdapter[_TokenPlace] = TypeAdapter(_TokenPlace)


def find_token(raw: bytes | bytearray, *, is_binary: bool) -> str:
    """Find the token in a body, which may be anything.

    Parameters
    ----------
    raw : bytes or bytearray
    is_binary : bool
        Whether it is in binary form, and JSON at its beginning only.

    Returns
    -------
    str
        Empty where there is none.
    """
    try:
        return TOKEN_PLACE.validate_json((find_head(raw) or b"") if is_binary else raw).token
    except ValidationError:
        return ""
