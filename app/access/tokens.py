"""Exercise tokens: signed words of an author, for whoever holds them and for so long."""

import hashlib
import math
import re
import time
from dataclasses import dataclass, field

from itsdangerous import BadData, URLSafeSerializer

from app.access.refusals import unauthorized
from core.errors import DomainError
from core.grading import LEVELS

SALT = "gradmark exercise token"

# 48 bytes fill 64 characters, so that no bit of them is without meaning; the library would skip other characters
FORM = re.compile(r"[A-Za-z0-9_-]{1,512}\.[A-Za-z0-9_-]{64}")

PLACE = re.compile(rb'"token"[ \t\r\n]*+:[ \t\r\n]*+"(%b)"' % FORM.pattern.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a token stands for: an exercise, marked up to a feedback level, until a time in seconds since 1970."""

    kind: str
    seed: int
    version: int
    feedback: str
    expires: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """Mints tokens, signed with the last secret, and opens those that were signed with any."""

    secrets: tuple[str, ...] = field(repr=False)
    most_seconds: int
    is_open: bool = False

    def mint(self, grant: Grant) -> str:
        """Write a token, of letters that a URL takes as they are."""
        return self._serializer().dumps([grant.kind, grant.seed, grant.version, grant.feedback, grant.expires])

    def expire(self, seconds: int) -> int:
        """Return when a token ends that is minted now, in seconds since 1970."""
        if not 1 <= seconds <= self.most_seconds:
            raise DomainError(
                f"found {seconds} seconds; needed 1 to {self.most_seconds}, the longest that a token holds here",
                path=("expires_in",),
            )
        return math.ceil(time.time()) + seconds

    def open(self, token: str) -> Grant:
        """Open a token that was signed here and has not expired; anything else is 401."""
        try:
            found = self._serializer().loads(token) if FORM.fullmatch(token) else None
        except BadData:
            found = None
        match found:
            case [str(kind), int(seed), int(version), str(feedback), int(expires)] if (
                feedback in LEVELS and time.time() < expires
            ):
                return Grant(kind=kind, seed=seed, version=version, feedback=feedback, expires=expires)
        raise unauthorized(is_open=self.is_open)

    def _serializer(self) -> URLSafeSerializer:
        signing = {"key_derivation": "hmac", "digest_method": hashlib.sha384}
        return URLSafeSerializer(list(self.secrets), salt=SALT, signer_kwargs=signing)


def find_token(raw: bytes | bytearray) -> str:
    """Find the first token in a body that may be anything, as text: JSON has no need to escape a letter of it.

    So it costs little, whoever sent it, and who holds a token is told what is wrong with a body that is not sound.
    """
    found = PLACE.search(raw)
    return found[1].decode("ascii") if found else ""
