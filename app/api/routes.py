"""The routes: one for each operation of the table, in its order."""

from collections.abc import Callable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.api import bulk, exercises, service
from app.api.admission import admit
from app.api.openapi import problems
from app.api.route import OperationRoute
from app.operations import OPERATIONS, Operation

ENDPOINTS = {
    endpoint.__name__: (endpoint, options)
    for endpoint, options in (bulk.ENDPOINTS | exercises.ENDPOINTS | service.ENDPOINTS).items()
}
"""What answers the operations that are more than one core call, by the operation's name."""


def make_routes() -> Iterator[APIRoute]:
    """Make a route for each operation."""
    for operation in OPERATIONS.values():
        if operation.name in ENDPOINTS:
            yield _make_route(operation, *ENDPOINTS[operation.name])
        else:
            yield OperationRoute(operation)


def add_head(app: FastAPI) -> None:
    """Answer HEAD wherever there is GET; the server leaves the body out."""
    for route in app.routes:
        if isinstance(route, APIRoute) and route.methods and "GET" in route.methods:
            route.methods.add("HEAD")


def _make_route(operation: Operation, endpoint: Callable[..., Any], options: dict[str, Any]) -> APIRoute:
    return APIRoute(
        operation.path,
        endpoint,
        name=operation.name,
        methods=[operation.method],
        tags=[operation.tag],
        response_model=operation.reply,
        dependencies=[admit(operation.admits)] if operation.admits else [],
        **options | {"responses": options.get("responses", {}) | problems(*operation.problems)},
    )
