"""Headers that protect: on every reply, whatever it is, and for the page of documentation what it needs."""

import base64
import hashlib
import re

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.examples import ARTICLE
from app.main import create_app
from app.settings import Settings
from app.watch.headers import PROTECTION

pytestmark = pytest.mark.anyio

REQUESTS = {
    "a computation": ("POST", "/v1/softmax-layer", ARTICLE),
    "wrong values": ("POST", "/v1/softmax-layer", {}),
    "a bulk request": ("POST", "/v1/grades/bulk", None),
    "an exercise": ("GET", "/v1/exercises/softmax_forward?seed=1", None),
    "no path": ("GET", "/nothing", None),
    "no method": ("DELETE", "/v1/forward", None),
    "not ready": ("GET", "/health/ready", None),
    "metadata": ("GET", "/openapi.json", None),
    "a file": ("GET", "/static-offline-docs/favicon.png", None),
    "no file": ("GET", "/static-offline-docs/nothing", None),
}


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS.values(), ids=REQUESTS)
async def test_every_reply_has_the_headers_that_protect(
    client: httpx.AsyncClient, method: str, path: str, body: object
) -> None:
    reply = await client.request(method, path, json=body)
    for name, value in PROTECTION:
        assert reply.headers[name.decode()] == value.decode()
    assert "server" not in reply.headers
    assert (reply.headers.get("cache-control") == "no-store") == ("etag" not in reply.headers)
    assert ("etag" in reply.headers) == path.endswith(".png")


async def test_a_reply_to_a_bug_has_them_too() -> None:
    app = create_app(Settings.model_construct())

    @app.get("/bug")
    async def raise_bug() -> None:
        raise RuntimeError

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        reply = await client.get("/bug", headers={"X-Request-ID": "abc"})
    assert reply.status_code == 500
    assert {name.decode(): reply.headers[name.decode()] for name, _ in PROTECTION}
    assert reply.headers.get_list("x-request-id") == ["abc"]


async def test_a_header_that_a_route_sets_is_not_set_twice(app: FastAPI, client: httpx.AsyncClient) -> None:
    for route in app.routes:
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
            names = [name.lower() for name, _ in (await client.get(route.path)).headers.multi_items()]
            assert len(set(names)) == len(names), route.path


async def test_the_documentation_page_may_load_what_it_needs_and_nothing_else(client: httpx.AsyncClient) -> None:
    reply = await client.get("/docs")
    policy = dict(part.strip().split(" ", 1) for part in reply.headers["content-security-policy"].split(";"))
    [script] = re.findall("<script>(.*?)</script>", reply.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'",
        "script-src": f"'self' 'sha256-{digest}'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    # nothing on the page that this would keep from working
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|https?://", reply.text)
