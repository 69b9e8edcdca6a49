"""The routes: one for each operation of the table, in its order."""

from collections.abc import Iterator, Mapping

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api import bulk, service
from app.api.route import OperationRoute
from app.operations import OPERATIONS

ENDPOINTS = {
    endpoint.__name__: (endpoint, options) for endpoint, options in (bulk.ENDPOINTS | service.ENDPOINTS).items()
}
"""What answers the operations that are more than one core call, by the operation's name."""


def make_routes() -> Iterator[APIRoute]:
    """Make a route for each operation; a `ValueError` where an endpoint is missing, or belongs to none."""
    needed = {operation.endpoint for operation in OPERATIONS.values()} - {""}
    if needed != ENDPOINTS.keys():
        raise ValueError(f"found endpoints {sorted(ENDPOINTS)}, needed {sorted(needed)}, which operations name")
    for operation in OPERATIONS.values():
        endpoint, options = ENDPOINTS.get(operation.name, (None, {}))
        yield OperationRoute(operation, endpoint, **options)


def add_shortcut(app: FastAPI) -> None:
    """Answer the operations by method and path; templates of paths, and all that is refused, are the framework's."""
    app.add_middleware(
        Shortcut,
        routes={
            (method, route.path): route
            for route in app.routes
            if isinstance(route, OperationRoute) and not route.param_convertors
            for method in route.methods or ()
        },
    )


class Shortcut:
    """Finds a route at once: asking each in turn, inside of two further layers, took as long as reading a body."""

    def __init__(self, app: ASGIApp, *, routes: Mapping[tuple[str, str], OperationRoute]) -> None:
        self._app, self._routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
        else:
            scope.update(route=route, endpoint=route.endpoint, path_params={})
            await route.answer(scope, receive, send)


def add_head(app: FastAPI) -> None:
    """Answer HEAD wherever there is GET; the server leaves the body out."""
    for route in app.routes:
        if isinstance(route, APIRoute) and route.methods and "GET" in route.methods:
            route.methods.add("HEAD")
