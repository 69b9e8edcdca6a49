"""API keys: made here once, kept as hashes, compared in constant time."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from app.access.refusals import SCOPES
from app.settings import SettingError
from core.errors import counted

PREFIX = "gradmark_"  # lets a key that got lost be recognised for what it is

RANDOM_BYTES = 32

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
HASH = re.compile("sha256:[0-9a-f]{64}")


MEANT = {
    "GRADMARK_KEYS": "a service open to all",
    "GRADMARK_KEYS_FILE": "a service open to all",
    "GRADMARK_TOKEN_SECRETS": "a random secret at each start",
}
"""Variables that are not set to nothing on purpose, and what a service is like without them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is kept of a key: a name for logs, what it is for, and its SHA-256.

    A key is 32 random bytes, which nobody guesses, so that a slow hash would add nothing.
    """

    name: str
    scopes: frozenset[str]
    digest: bytes

    def write(self) -> str:
        """Return the line that keeps it."""
        scopes = ",".join(scope for scope in SCOPES if scope in self.scopes)
        return f"{self.name} {scopes} sha256:{self.digest.hex()}"


def require_meant(environment: Mapping[str, str]) -> None:
    """Check that no variable for keys or secrets is there and empty: it was meant to hold some."""
    for name, without in MEANT.items():
        if environment.get(name) == "":
            raise SettingError(f"{name} is empty; needed something in it, or no such variable for {without}")


def make_key(name: str, scopes: Collection[str]) -> tuple[str, Key]:
    """Make a new random key: itself, which is nowhere else, and what is kept of it."""
    text = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    return text, _require_key(name, scopes, _digest(text))


def read_keys(text: str) -> tuple[Key, ...]:
    """Read keys, one a line: ``name scope[,scope] sha256:<hex>``; what follows # is a comment."""
    found: list[Key] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            found.append(_read_key(words, found))
        except SettingError as error:
            raise SettingError(f"line {number}: {error}") from None
    if not found:
        raise SettingError("found no key; needed at least one, because without any the service would be open")
    return tuple(found)


def find_key(keys: Sequence[Key], text: str) -> Key | None:
    """Find the key that a text is."""
    digest, found = _digest(text), None
    # every one is compared to its end: how long it takes tells nothing of which was nearly met
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def _read_key(words: Sequence[str], others: Sequence[Key]) -> Key:
    if len(words) != 3:
        raise SettingError(f"found {counted(len(words), 'word')}; needed three, name scope[,scope] sha256:<hash>")
    name, scopes, digest = words
    if not HASH.fullmatch(digest):
        raise SettingError("the third word is no hash; needed sha256: and 64 hexadecimal digits in lower case")
    key = _require_key(name, scopes.split(","), bytes.fromhex(digest.partition(":")[2]))
    if any(key.name == other.name or key.digest == other.digest for other in others):
        raise SettingError("its name or its hash stands on a line before; each key needs its own")
    return key


def _require_key(name: str, scopes: Collection[str], digest: bytes) -> Key:
    if not NAME.fullmatch(name):
        raise SettingError("this is no name; needed 1 to 64 letters, digits, dots, hyphens and underscores")
    if not set(scopes) <= set(SCOPES) or len(set(scopes)) != len(scopes):
        raise SettingError(f"found a scope that is unknown or stands twice; there are {', '.join(SCOPES)}")
    return Key(name=name, scopes=frozenset(scopes), digest=digest)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
