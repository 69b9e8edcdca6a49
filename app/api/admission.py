"""Who is admitted to an operation, for the framework."""

from collections.abc import Collection
from typing import Annotated

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from app.access import TOKEN, Access, Caller


def admit(scopes: Collection[str]) -> Dependency:
    """Return the dependency of a route that admits these scopes."""

    async def require_admission(request: Request) -> None:
        access: Access = request.app.state.access
        caller = access.admit(request, scopes)
        if not caller.scopes:
            # a route that has a body of its own reads the token there; here it is in the query
            caller.tokens.open(request.query_params.get(TOKEN, ""))
        request.state.caller = caller

    return Dependency(require_admission)


def read_caller(request: Request) -> Caller:
    """Return who was admitted."""
    caller: Caller = request.state.caller
    return caller


RequestCaller = Annotated[Caller, Depends(read_caller)]
