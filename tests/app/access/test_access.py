"""Every role at every route, what is said to those who are not admitted, and when it is decided."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import SecretStr

from app.access.admission import TOKEN
from app.access.refusals import SCOPES
from app.examples import ARTICLE
from app.main import create_app
from app.settings import Settings
from tests.support.keyed import (
    EXERCISE,
    KEYS,
    SUBSETS,
    admitted_at,
    bearer,
    client_of,
    keyed_app,
    mint,
    routes_of,
    without_id,
)

pytestmark = pytest.mark.anyio

APP = keyed_app()
ROUTES = list(routes_of(APP))
PROTECTED = [(route, method) for route, method in ROUTES if admitted_at(route)]
REFUSED = {401, 403}

every_route = pytest.mark.parametrize(
    ("route", "method"), ROUTES, ids=[f"{method} {route.path}" for route, method in ROUTES]
)


async def ask(
    route: APIRoute, method: str, headers: Mapping[str, str], *, body: Mapping[str, object] | None = None, **query: str
) -> httpx.Response:
    async with client_of(APP) as client:
        path = route.path.format(kind=EXERCISE["kind"])
        types = {"Content-Type": "application/jsonl" if path.endswith("/bulk") else "application/json"}
        content = json.dumps(body or {}).encode() if method == "POST" else b""
        sent = httpx.Headers(types | dict(headers), encoding="latin-1")
        return await client.request(method, path, params=query, headers=sent, content=content)


@every_route
async def test_every_set_of_scopes_opens_the_routes_that_name_one_of_them_and_no_others(
    route: APIRoute, method: str
) -> None:
    admitted = set(admitted_at(route))
    for scopes in SUBSETS:
        reply = await ask(route, method, bearer(*scopes))
        if admitted and not scopes & admitted:
            assert reply.status_code == 403, scopes
        else:
            assert reply.status_code not in REFUSED, scopes


@every_route
async def test_without_a_key_or_with_a_wrong_one_only_public_routes_are_open(route: APIRoute, method: str) -> None:
    is_public = not admitted_at(route)
    [key, *_] = KEYS.values()
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {key}"}, {"Authorization": key}):
        reply = await ask(route, method, headers)
        assert (reply.status_code != 401) == is_public, headers


@every_route
async def test_a_token_opens_what_names_it_and_nothing_else(route: APIRoute, method: str) -> None:
    admitted = admitted_at(route)
    token = await mint(APP)
    body = {"token": token, "answers": {}}
    reply = await ask(route, method, {}, body=body, token=token)
    assert (reply.status_code == 401) == (bool(admitted) and TOKEN not in admitted), reply.text
    # it is no key
    reply = await ask(route, method, {"Authorization": f"Bearer {token}"}, body=body, token=token)
    assert (reply.status_code == 401) == bool(admitted), reply.text


def test_every_route_of_the_api_says_whom_it_admits() -> None:
    silent = {route.path for route, _ in routes_of(APP) if not admitted_at(route)}
    assert all(not path.startswith("/v1") for path in silent), silent
    assert {"/health/live", "/health/ready", "/version"} <= silent


def test_every_scope_that_a_route_names_is_one() -> None:
    named = {scope for route, _ in routes_of(APP) for scope in admitted_at(route)}
    assert named == {*SCOPES, TOKEN}


CAUSES: list[dict[str, str]] = [
    {},
    {"Authorization": ""},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer " + "x" * 1000},
    {"Authorization": "Bearer \xe9\xff"},
    {"Authorization": "Basic abc"},
    {"Authorization": f"Bearer {KEYS[SUBSETS[0]]}x"},
    {"Authorization": f"Bearer {KEYS[SUBSETS[0]][:-1]}"},
    {"Authorization": f"Bearer {KEYS[SUBSETS[0]].upper()}"},
]


async def test_a_key_that_is_missing_or_wrong_is_one_document_whatever_the_cause() -> None:
    said = [without_id(await ask(route, method, headers)) for route, method in PROTECTED for headers in CAUSES]
    assert all(found == said[0] for found in said)
    assert said[0]["headers"]["www-authenticate"] == "Bearer"
    assert [error["code"] for error in said[0]["document"]["errors"]] == ["unauthorized"]


async def test_a_missing_scope_is_one_document_that_says_what_each_allows() -> None:
    said = []
    for route, method in PROTECTED:
        missing = set(SCOPES) - set(admitted_at(route))
        said += [without_id(await ask(route, method, bearer(scope))) for scope in missing]
    assert all(found == said[0] for found in said)
    assert said[0]["status"] == 403
    assert all(scope in said[0]["document"]["detail"] for scope in SCOPES)


async def test_two_keys_at_once_are_none() -> None:
    async with client_of(APP) as client:
        headers = [("Authorization", bearer("compute")["Authorization"])] * 2
        assert (await client.post("/v1/softmax-layer", json=ARTICLE, headers=headers)).status_code == 401


async def unread() -> AsyncIterator[bytes]:
    pytest.fail("the body was read")
    yield b""


@pytest.mark.parametrize("path", ["/v1/softmax-layer", "/v1/grades", "/v1/grades/bulk", "/v1/exercises/audit"])
@pytest.mark.parametrize(("headers", "status"), [({"Authorization": "Bearer wrong"}, 401), (None, 403)])
async def test_a_key_is_looked_at_before_the_body(path: str, headers: dict[str, str] | None, status: int) -> None:
    given = headers or bearer("grade" if path == "/v1/softmax-layer" else "compute")
    async with client_of(APP) as client:
        assert (await client.post(path, content=unread(), headers=given)).status_code == status


async def test_the_scheme_of_the_header_is_read_in_any_case() -> None:
    key = KEYS[frozenset({"compute"})]
    async with client_of(APP) as client:
        for scheme in ("bearer", "BEARER"):
            headers = {"Authorization": f"{scheme} {key}"}
            assert (await client.post("/v1/softmax-layer", json=ARTICLE, headers=headers)).status_code == 200


async def test_the_version_says_whether_keys_are_needed(client: httpx.AsyncClient) -> None:
    assert (await client.get("/version")).json()["access"] == "open"
    async with client_of(APP) as keyed:
        assert (await keyed.get("/version")).json()["access"] == "keys"


async def test_an_open_service_says_so_at_start_and_needs_no_key(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Authorization": "Bearer whatever"}
    assert (await client.post("/v1/softmax-layer", json=ARTICLE, headers=headers)).status_code == 200
    secret = SecretStr("s" * 32)
    for app, said in (
        (create_app(Settings.model_construct()), 2),
        (keyed_app(), 1),
        (keyed_app(token_secrets=secret), 0),
    ):
        caplog.clear()
        async with app.router.lifespan_context(app):
            warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
        assert len(warnings) == said, warnings
        assert any("the service is open" in warning for warning in warnings) == (said == 2)


def test_openapi_says_which_scopes_an_operation_takes_where_keys_are_configured() -> None:
    document: dict[str, Any] = APP.openapi()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for route, method in ROUTES:
        if not route.include_in_schema:
            continue
        operation = document["paths"][route.path][method.lower()]
        admitted = admitted_at(route)
        assert [next(iter(way.values()), [TOKEN])[0] for way in operation.get("security", ())] == list(admitted)
        assert ({"401", "403"} <= set(operation["responses"])) == bool(admitted)


def test_openapi_of_an_open_service_speaks_of_no_keys(app: FastAPI) -> None:
    document = app.openapi()
    assert "securitySchemes" not in document["components"]
    assert not any("security" in operation for item in document["paths"].values() for operation in item.values())
