"""HEAD is answered wherever GET is: with the same head, and without the body."""

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from tests.support.keyed import SUBSETS, client_of, keyed_app, template
from tests.support.server import run_server
from tests.support.sockets import connect, read_rest

pytestmark = pytest.mark.anyio

APP = keyed_app()


def takes(route: BaseRoute, method: str) -> bool:
    """Whether a route has a method; those of files have both."""
    return method in (getattr(route, "methods", None) or {"GET", "HEAD"})


PATHS = [template(route)[1] + "?seed=1" for route in APP.routes if takes(route, "GET")]


def without_what_changes(reply: httpx.Response) -> dict[str, str]:
    # metrics say more with every request
    return {name: value for name, value in reply.headers.items() if name not in {"x-request-id", "content-length"}}


@pytest.mark.parametrize("path", PATHS)
async def test_whoever_asks_head_says_what_get_says(path: str) -> None:
    for scopes in ((), *SUBSETS):
        async with client_of(APP, *scopes) as client:
            head, get = await client.head(path), await client.get(path)
        assert head.status_code == get.status_code
        assert without_what_changes(head) == without_what_changes(get)
        assert "content-length" in head.headers
        assert head.content == b""


async def test_the_server_sends_no_body() -> None:
    with run_server(processes=0) as server, connect(server) as connection:
        *kept, last = (b"HEAD %b HTTP/1.1\r\nHost: localhost\r\n" % path.encode() for path in PATHS)
        connection.sendall(b"".join(head + b"\r\n" for head in kept) + last + b"Connection: close\r\n\r\n")
        *heads, rest = read_rest(connection).split(b"\r\n\r\n")
    assert [head[:12] for head in heads] == [b"HTTP/1.1 200"] * len(PATHS)
    assert rest == b""


@pytest.mark.parametrize(
    "route", [route for route in APP.routes if isinstance(route, APIRoute)], ids=lambda one: one.path
)
async def test_a_method_that_a_route_has_not_is_told_those_that_it_has(route: APIRoute) -> None:
    assert takes(route, "HEAD") == takes(route, "GET")
    async with client_of(APP) as client:
        refused = await client.delete(template(route)[1])
        assert (refused.status_code, set(refused.headers["allow"].split(", "))) == (405, route.methods)
        if not takes(route, "HEAD"):
            assert (await client.head(template(route)[1])).status_code in {401, 405}
