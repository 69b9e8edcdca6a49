"""What a route says of who is admitted, once, where it is declared."""

from collections.abc import Iterable
from typing import Annotated, cast

from fastapi import Depends, Request, Security
from fastapi.params import Depends as DependsParameter
from fastapi.params import Security as SecurityParameter
from fastapi.security import SecurityScopes

from app.access.admission import TOKEN, Access, Caller
from app.access.refusals import SCOPES


def allow(*admitted: str) -> DependsParameter:
    """Say of a route who is admitted; for its ``dependencies``.

    Parameters
    ----------
    *admitted : str
        Scopes, of which a key needs one; `TOKEN` where a token admits without a key.
    """
    return cast("DependsParameter", Security(require_admission, scopes=admitted))


async def require_admission(request: Request, admitted: SecurityScopes) -> None:
    """Admit the sender of a request or refuse it; the caller is then in its state.

    Parameters
    ----------
    admitted : SecurityScopes
        As the route names them.

    Raises
    ------
    AccessError
        If they are not admitted.
    """
    access: Access = request.app.state.access
    caller = access.admit(request, admitted.scopes)
    if not caller.scopes:
        # a route that has a body of its own reads the token there; here it is in the query
        caller.tokens.open(request.query_params.get(TOKEN, ""))
    request.state.caller = caller


def read_caller(request: Request) -> Caller:
    """Return who was admitted."""
    caller: Caller = request.state.caller
    return caller


RequestCaller = Annotated[Caller, Depends(read_caller)]


def named_scopes(dependencies: Iterable[DependsParameter]) -> tuple[str, ...]:
    """Return whom a route admits.

    Parameters
    ----------
    dependencies : iterable
        Of the route.

    Returns
    -------
    tuple of str
        As given to `allow`; empty for a route for everybody.
    """
    ours = (d for d in dependencies if isinstance(d, SecurityParameter) and d.dependency is require_admission)
    return tuple(scope for depends in ours for scope in depends.scopes or ())


EVERY_KEY = tuple(SCOPES)
"""Admits every key: each has a scope."""
