"""The routes: one for each operation of the table, in its order."""

from collections.abc import Iterator

from fastapi.routing import APIRoute

from app.api import bulk, exercises, service
from app.api.admission import admit
from app.api.openapi import problems
from app.api.route import Endpoints, OperationRoute
from app.operations import OPERATIONS, Operation

ENDPOINTS: Endpoints = bulk.ENDPOINTS | exercises.ENDPOINTS | service.ENDPOINTS
"""What answers the operations that are more than one core call."""


def make_routes() -> Iterator[APIRoute]:
    """Make a route for each operation."""
    for operation in OPERATIONS.values():
        yield _make_route(operation) if operation.name in ENDPOINTS else OperationRoute(operation)


def _make_route(operation: Operation) -> APIRoute:
    options = dict(ENDPOINTS[operation.name])
    further = [admit(operation.admits)] if operation.admits else []
    return APIRoute(
        operation.path,
        options.pop("endpoint"),
        name=operation.name,
        methods=[operation.method],
        tags=[operation.tag],
        response_model=operation.reply,
        responses=options.pop("responses", {}) | problems(*operation.problems),
        dependencies=further + options.pop("dependencies", []),
        **options,
    )
