"""What the OpenAPI document says beside the signatures: errors, tags, operation ids."""

from collections.abc import Iterable
from copy import copy
from functools import cache
from inspect import getdoc
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from app.access import SCOPES, TOKEN
from app.errors import MEDIA_TYPE, PROBLEMS, ProblemDocument
from app.operations import OPERATIONS
from app.wire import TENSORS_TYPE

Responses = dict[int | str, dict[str, Any]]

SERVERS = [{"url": ".", "description": "Where this document is."}]
"""A relative URL: a proxy may put a prefix before the document and the operations."""


def problems(*statuses: int) -> Responses:
    """Describe the problem documents that a route may answer with.

    Returns
    -------
    dict
        As FastAPI's ``responses``.
    """
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    content = {MEDIA_TYPE: {"schema": schema}}
    return {status: {"description": PROBLEMS[status][1], "content": content} for status in statuses}


TENSORS = {
    TENSORS_TYPE: {
        "schema": {
            "type": "string",
            "format": "binary",
            "description": "The head's length in 8 bytes, little-endian; the JSON with a description in each array's "
            "place; the arrays' bytes, one after the other. The README has clients in Python and JavaScript.",
        }
    }
}
TENSOR_FORMS = {"requestBody": {"content": TENSORS}, "responses": {"200": {"content": TENSORS}}}
"""What a computation's operation says of the binary form of its body and reply."""


def add_openapi(app: FastAPI) -> None:
    """Add the problem document to the components of an OpenAPI document, which is written once for all."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            routes = [_describe(one) for one in app.routes if isinstance(one, APIRoute) and one.include_in_schema]
            document = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=routes,
                tags=app.openapi_tags,
                license_info=app.license_info,
                servers=SERVERS,
            )
            problem = TypeAdapter(ProblemDocument).json_schema(ref_template="#/components/schemas/{model}")
            document["components"]["schemas"] |= problem.pop("$defs") | {"ProblemDocument": problem}
            if not app.state.access.is_open:
                _add_security(document, routes)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the framework's documented way to extend the document
    _serve_once_written(app)


def _serve_once_written(app: FastAPI) -> None:
    @cache
    def write() -> bytes:
        return bytes(JSONResponse(app.openapi()).body)

    async def read_openapi(_: Request) -> Response:
        return Response(write(), media_type="application/json")

    # the framework's own writes it anew for everybody who asks
    app.router.routes[:] = [route for route in app.routes if getattr(route, "path", None) != app.openapi_url]
    app.add_route(str(app.openapi_url), read_openapi, include_in_schema=False)


def _describe(route: APIRoute) -> APIRoute:
    described = copy(route)
    # HEAD goes without saying where there is GET
    described.methods = (route.methods or set()) - {"HEAD"}
    described.operation_id = route.name
    # the summary is the first line of what the handler says of itself
    described.summary, _, described.description = (
        OPERATIONS[route.name].documentation or getdoc(route.endpoint) or ""
    ).partition("\n\n")
    return described


KEY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key, for one or more of the scopes: "
    + "; ".join(f"{scope} for {what}" for scope, what in SCOPES.items())
    + ".",
}


def _add_security(document: dict[str, Any], routes: Iterable[APIRoute]) -> None:
    """Say which scopes an operation takes: one of them is enough, and none where a token will do."""
    document["components"]["securitySchemes"] = {"key": KEY_SCHEME}
    for route in routes:
        admitted = OPERATIONS[route.name].admits
        for method in (route.methods or ()) if admitted else ():
            operation = document["paths"][route.path_format][method.lower()]
            operation["security"] = [{} if scope == TOKEN else {"key": [scope]} for scope in admitted]
            operation["responses"] |= {str(status): said for status, said in problems(401, 403).items()}
