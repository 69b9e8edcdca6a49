"""Who may do what: keys with scopes, and signed tokens that stand for one exercise.

The table of operations says who is admitted; `Access` decides, before a body is read. Without
keys the service is open, and everybody may do everything.
"""

from app.access.admission import TOKEN, Access, Caller
from app.access.keys import AccessSettingError, Key, make_key, read_keys, require_meant
from app.access.refusals import EVERY_KEY, SCOPES, AccessError, forbidden, unauthorized
from app.access.tokens import Grant, Tokens, find_token

__all__ = [
    "EVERY_KEY",
    "SCOPES",
    "TOKEN",
    "Access",
    "AccessError",
    "AccessSettingError",
    "Caller",
    "Grant",
    "Key",
    "Tokens",
    "find_token",
    "forbidden",
    "make_key",
    "read_keys",
    "require_meant",
    "unauthorized",
]
