"""The two refusals, each the same whatever its cause: what is missing shall not help to find it."""

from app.errors import BodyError

SCOPES = {
    "compute": "forward passes, gradients, Jacobians, descent, and worked solutions of problems of one's own",
    "grade": "marking up to the feedback level location within the default tolerance, and reading exercises",
    "author": "audits, reading exercises and minting their tokens; with grade also the level full and any tolerance",
}
"""What a key can be for, and what it then allows; none includes another."""

EVERY_KEY = tuple(SCOPES)  # admits every key: each has a scope

UNAUTHORIZED = (
    "found no key or token, or one that does not hold here; needed a key in the header Authorization: Bearer <key>, "
    "or, where an exercise is read or marked, a token for it that is whole, has not expired and was signed here"
)
UNAUTHORIZED_WHERE_OPEN = (
    "the token is not whole, has expired, or was signed with another secret; needed one that holds, or the exercise "
    "itself in its place: this service is open to all"
)
FORBIDDEN = (
    "this key or token does not allow what was asked: "
    + "".join(f"{scope} allows {what}; " for scope, what in SCOPES.items())
    + "a token allows reading its exercise, having it marked up to its level, without tolerance and policy, and "
    "reading its solution, whose numbers the level full shows"
)


def unauthorized(*, is_open: bool = False) -> BodyError:
    """Return the error for a key or token that is missing, wrong or expired; an open service takes tokens only."""
    said = UNAUTHORIZED_WHERE_OPEN if is_open else UNAUTHORIZED
    return BodyError(401, "unauthorized", said, headers={"WWW-Authenticate": "Bearer"})


def forbidden() -> BodyError:
    """Return the error for a key or token that is known and does not allow what is asked."""
    return BodyError(403, "forbidden", FORBIDDEN)
