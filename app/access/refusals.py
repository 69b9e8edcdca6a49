"""The two refusals, each the same whatever its cause: what is missing shall not help to find it."""

from app.errors import BodyError

SCOPES = {
    "compute": "forward passes, gradients, Jacobians and descent",
    "grade": "marking up to the feedback level location within the default tolerance, and reading exercises",
    "author": "audits, reading exercises and minting their tokens; with grade also the level full and any tolerance",
}
"""What a key can be for, and what it then allows; none includes another."""

UNAUTHORIZED = (
    "found no key that is known here; needed one in the header Authorization: Bearer <key>, or, where an exercise is "
    "read or marked, a token for it that is whole and has not expired"
)
FORBIDDEN = (
    "this key or token does not reach that far: "
    + "".join(f"{scope} allows {what}; " for scope, what in SCOPES.items())
    + "a token allows to read its exercise and have answers marked up to its level, without tolerance and policy"
)


class AccessError(BodyError):
    """A request of somebody who may not make it."""


def unauthorized() -> AccessError:
    """Return the error for a key or token that is missing, wrong or expired.

    Returns
    -------
    AccessError
        401.
    """
    return AccessError(401, "unauthorized", UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})


def forbidden() -> AccessError:
    """Return the error for a key or token that is known and does not allow what is asked.

    Returns
    -------
    AccessError
        403.
    """
    return AccessError(403, "forbidden", FORBIDDEN)
