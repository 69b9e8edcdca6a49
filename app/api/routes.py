"""The routes: one for each operation of the table, in its order."""

from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.routing import APIRoute

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


def add_head(app: FastAPI) -> None:
    """Answer HEAD wherever there is GET; the server leaves the body out."""
    for route in app.routes:
        if isinstance(route, APIRoute) and route.methods and "GET" in route.methods:
            route.methods.add("HEAD")
