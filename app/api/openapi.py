"""The OpenAPI documents: of everything as JSON, and of the binary form of bodies and replies.

The binary form has a document of its own, because generators of clients make of a second media type a second type of
every reply, or leave it out with a warning.
"""

from collections.abc import Callable, Iterable
from copy import copy
from functools import cache
from inspect import getdoc
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from app.access.admission import TOKEN
from app.access.refusals import SCOPES
from app.api.reply_examples import compute_reply_examples
from app.errors import MEDIA_TYPE, PROBLEMS, ProblemDocument
from app.operations import OPERATIONS
from app.wire.tensors import TENSORS_TYPE
from app.work.computation import JSON_TYPE

Responses = dict[int | str, dict[str, Any]]
Document = dict[str, Any]

DESCRIPTION = """
Computes, explains and marks gradients: the forward pass, the loss, every Jacobian of the chain and the weight
gradients of softmax layers and feed-forward networks; and why an answer is wrong.

Arrays are nested lists, samples first. Weights are (n_in, n_out): Z = X·W + b. Jacobians stack weights by
columns. Numbers are strict: nothing is converted, nothing that is not finite is taken or given. Every reply
of status 400 and above is a problem document (RFC 9457) with JSON pointers.

Large arrays can also be sent and received as they lie in memory: openapi-tensors.json describes that form.
"""

SERVERS = [{"url": ".", "description": "Where this document is."}]
"""A relative URL: a proxy may put a prefix before the document and the operations."""

TENSORS_PATH = "/openapi-tensors.json"
TENSORS_DOCS = {"url": TENSORS_PATH.removeprefix("/"), "description": "The binary form of bodies and replies."}
TENSORS_CONTENT = {
    TENSORS_TYPE: {
        "schema": {
            "type": "string",
            "format": "binary",
            "description": "The head's length in 8 bytes, little-endian; the JSON with a description in each array's "
            "place; the arrays' bytes, one after the other. The README has clients in Python and JavaScript.",
        }
    }
}

PROBLEM_RESPONSE = {
    "description": "A problem document",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
}

KEY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key, for one or more of the scopes: "
    + "; ".join(f"{scope} for {what}" for scope, what in SCOPES.items())
    + ".",
}


def problems(*statuses: int) -> Responses:
    """Describe the problem documents of these statuses, as FastAPI's ``responses``."""
    return {
        status: {"$ref": "#/components/responses/Problem", "description": PROBLEMS[status][1]} for status in statuses
    }


def add_openapi(app: FastAPI) -> None:
    """Serve the documents, each of which is written once for all."""

    def openapi() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = write_document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the framework's documented way to extend the document
    # the framework's own route writes the document anew for everybody who asks
    app.router.routes[:] = [route for route in app.routes if getattr(route, "path", None) != app.openapi_url]
    _serve(app, str(app.openapi_url), openapi)
    _serve(app, TENSORS_PATH, lambda: write_tensors_document(openapi()))


def _serve(app: FastAPI, path: str, make: Callable[[], Document]) -> None:
    write = cache(lambda: orjson.dumps(make()))

    async def read_document(_: Request) -> Response:
        return Response(write(), media_type=JSON_TYPE)

    app.add_route(path, read_document, include_in_schema=False)


def write_document(app: FastAPI) -> Document:
    """Write the document of everything but the binary form."""
    routes = [_describe(one) for one in app.routes if isinstance(one, APIRoute) and one.include_in_schema]
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=DESCRIPTION,
        routes=routes,
        tags=app.openapi_tags,
        license_info=app.license_info,
        servers=SERVERS,
    )
    document["externalDocs"] = TENSORS_DOCS
    problem = TypeAdapter(ProblemDocument).json_schema(ref_template="#/components/schemas/{model}")
    document["components"]["schemas"] |= problem.pop("$defs") | {"ProblemDocument": problem}
    document["components"]["responses"] = {"Problem": PROBLEM_RESPONSE}
    for route, operation in _operations_of(document, routes):
        if examples := compute_reply_examples(OPERATIONS[route.name]):
            [content] = operation["responses"]["200"]["content"].values()
            content["examples"] = examples
    if not app.state.access.is_open:
        _add_security(document, routes)
    return document


def write_tensors_document(document: Document) -> Document:
    """Write the document of the binary form from the document of everything else."""
    success = {"description": "The reply, with its arrays as bytes", "content": TENSORS_CONTENT}
    paths: dict[str, Any] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if JSON_TYPE in operation.get("requestBody", {}).get("content", ()):
                paths[path] = {
                    method: operation
                    | {
                        "requestBody": {"required": True, "content": TENSORS_CONTENT},
                        "responses": operation["responses"] | {"200": success},
                    }
                }
    about = {"url": "openapi.json", "description": "What the JSON in a body or reply holds."}
    return document | {"paths": paths, "externalDocs": about}


def _describe(route: APIRoute) -> APIRoute:
    described = copy(route)
    # HEAD goes without saying where there is GET
    described.methods = (route.methods or set()) - {"HEAD"}
    described.operation_id = route.name
    reply = OPERATIONS[route.name].reply
    described.response_description = str(getdoc(reply)) if reply else "Text."
    # the summary is the first line of what the handler says of itself
    described.summary, _, described.description = str(getdoc(route.endpoint)).partition("\n\n")
    return described


def _operations_of(document: Document, routes: Iterable[APIRoute]) -> Iterable[tuple[APIRoute, dict[str, Any]]]:
    for route in routes:
        for method in route.methods or ():
            yield route, document["paths"][route.path_format][method.lower()]


def _add_security(document: Document, routes: Iterable[APIRoute]) -> None:
    """Say which scopes an operation takes: one of them is enough, and none where a token will do."""
    document["components"]["securitySchemes"] = {"key": KEY_SCHEME}
    for route, operation in _operations_of(document, routes):
        if admitted := OPERATIONS[route.name].admits:
            operation["security"] = [{} if scope == TOKEN else {"key": [scope]} for scope in admitted]
            operation["responses"] |= {str(status): said for status, said in problems(401, 403).items()}
