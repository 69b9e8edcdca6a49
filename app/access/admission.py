"""Who asks, and whether they are admitted."""

import logging
import secrets
from collections.abc import Collection
from dataclasses import dataclass

from starlette.requests import Request

from app.access.keys import RANDOM_BYTES, Key, find_key, read_keys
from app.access.refusals import SCOPES, forbidden, unauthorized
from app.access.tokens import Tokens
from app.settings import SettingError, Settings
from core.errors import counted

logger = logging.getLogger("gradmark.access")
# of its own, so that the start says who is let in whatever the log level is
logger.setLevel(logging.WARNING)

TOKEN = "token"  # noqa: S105 - the word, no token
"""Named by a route beside scopes: admits somebody without a key, and whatever else they bring has to be a token."""

SHORTEST_SECRET = 32  # characters: what ``openssl rand -hex 16`` gives, 128 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: the scopes of their key, none for somebody without a key, and what opens the tokens that they bring."""

    scopes: frozenset[str]
    tokens: Tokens

    def may(self, scope: str) -> bool:
        """Tell whether the caller has a scope."""
        return scope in self.scopes


class Access:
    """The keys and secrets of a service; a `SettingError` where it cannot be started with them."""

    def __init__(self, settings: Settings) -> None:
        self._keys = _read_keys(settings)
        own = _read_secrets(settings)
        self._has_own_secrets = bool(own)
        self.tokens = Tokens(
            own or (secrets.token_urlsafe(RANDOM_BYTES),), settings.max_token_seconds, is_open=self.is_open
        )
        # of an open service, and at its console
        self.everybody = Caller(scopes=frozenset(SCOPES), tokens=self.tokens)

    @property
    def is_open(self) -> bool:
        """Whether there are no keys, and everybody may do everything."""
        return not self._keys

    def warn(self) -> None:
        """Say in the log what is not configured."""
        if self.is_open:
            logger.warning("no keys are configured: the service is open, everybody may do everything")
        if not self._has_own_secrets:
            logger.warning("no token secrets are configured: tokens are of this process alone, and end with it")

    def admit(self, request: Request, admitted: Collection[str]) -> Caller:
        """Admit the sender of a request who has one of some scopes, or no key where `TOKEN` is among those.

        A key that is missing or wrong is 401, one of other scopes 403. Its name is then in the request's state.
        """
        if self.is_open:
            return self.everybody
        given = request.headers.getlist("authorization")
        if not given and TOKEN in admitted:
            return Caller(scopes=frozenset(), tokens=self.tokens)
        key = find_key(self._keys, _read_bearer(given))
        if key is None:
            raise unauthorized()
        request.state.key = key.name
        if key.scopes.isdisjoint(admitted):
            raise forbidden()
        return Caller(scopes=key.scopes, tokens=self.tokens)


def _read_bearer(given: list[str]) -> str:
    scheme, _, key = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return key.strip() if scheme.lower() == "bearer" else ""


def _read_keys(settings: Settings) -> tuple[Key, ...]:
    text, file = settings.keys.get_secret_value(), settings.keys_file
    if text and file:
        raise SettingError("GRADMARK_KEYS and GRADMARK_KEYS_FILE are both set; needed one of them")
    if not (text or file):
        return ()
    try:
        return read_keys(file.read_text(encoding="utf-8") if file else text)
    except SettingError as error:
        said = str(error)
    except OSError as error:
        said = f"{file}: {error.strerror}"
    except UnicodeDecodeError:
        said = "the file is not UTF-8"
    raise SettingError(f"{'GRADMARK_KEYS_FILE' if file else 'GRADMARK_KEYS'}: {said}")


def _read_secrets(settings: Settings) -> tuple[str, ...]:
    text = settings.token_secrets.get_secret_value()
    found = tuple(text.replace(",", " ").split())
    if text and not found:
        raise SettingError("GRADMARK_TOKEN_SECRETS: found no secret; needed at least one, or no such variable")
    for number, secret in enumerate(found, start=1):
        if len(secret) < SHORTEST_SECRET:
            raise SettingError(
                f"GRADMARK_TOKEN_SECRETS: secret {number} has {counted(len(secret), 'character')}; needed "
                f"{SHORTEST_SECRET} or more, random ones"
            )
    return found
