"""A service with keys: one for every set of scopes, and clients that send them."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import chain, combinations
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import SecretStr
from starlette.routing import BaseRoute, Mount

from app.access.keys import make_key
from app.access.refusals import SCOPES
from app.main import create_app
from app.operations import OPERATIONS
from app.settings import Settings

SUBSETS = tuple(frozenset(chosen) for size in range(1, len(SCOPES) + 1) for chosen in combinations(SCOPES, size))
MADE = {scopes: make_key("-".join(sorted(scopes)), scopes) for scopes in SUBSETS}
KEYS = {scopes: text for scopes, (text, _) in MADE.items()}
LINES = "\n".join(key.write() for _, key in MADE.values())

EXERCISE: dict[str, Any] = {"kind": "weight_gradients", "seed": 7}


def keyed_app(**settings: Any) -> FastAPI:
    """Build the service with a key for every set of scopes."""
    return create_app(Settings.model_construct(keys=SecretStr(LINES), **settings))


def bearer(*scopes: str) -> dict[str, str]:
    """Return the header of the key for exactly these scopes."""
    return {"Authorization": f"Bearer {KEYS[frozenset(scopes)]}"}


@asynccontextmanager
async def client_of(app: FastAPI, *scopes: str) -> AsyncIterator[httpx.AsyncClient]:
    """Ask a service in process, with the key for exactly these scopes or with none."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = bearer(*scopes) if scopes else {}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client


async def mint(app: FastAPI, *, kind: str = EXERCISE["kind"], **changes: object) -> str:
    """Have an author mint a token."""
    body = {"seed": EXERCISE["seed"], "feedback": "hint", "expires_in": 600} | changes
    async with client_of(app, "author") as client:
        reply = await client.post(f"/v1/exercises/{kind}/tokens", json=body)
    assert reply.status_code == 200, reply.text
    token: str = reply.json()["token"]
    return token


def admitted_at(route: APIRoute) -> tuple[str, ...]:
    """Return whom a route admits; nobody in particular where it is a page."""
    operation = OPERATIONS.get(route.name)
    return operation.admits if operation else ()


def routes_of(app: FastAPI) -> Iterable[tuple[APIRoute, str]]:
    """List the routes of a service, each with its method; HEAD stands nowhere without GET."""
    return chain.from_iterable(
        ((route, method) for method in sorted((route.methods or set()) - {"HEAD"}))
        for route in app.routes
        if isinstance(route, APIRoute)
    )


def without_id(reply: httpx.Response) -> dict[str, Any]:
    """Return a problem document and its headers without what is each request's own."""
    document = {name: value for name, value in reply.json().items() if name != "request_id"}
    headers = {name: value for name, value in reply.headers.items() if name != "x-request-id"}
    return {"status": reply.status_code, "document": document, "headers": headers}


def template(route: BaseRoute) -> tuple[str, str]:
    """Return a route's template, and a path that it matches."""
    path = str(getattr(route, "path", ""))
    return path, path.replace("{kind}", "softmax_forward") + ("/favicon.png" if isinstance(route, Mount) else "")
