"""Pages of other origins: none by default, those of the setting, and what is said to others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from app.errors import MEDIA_TYPE
from app.examples import ARTICLE
from app.main import create_app
from app.settings import Settings
from tests.support.keyed import keyed_app
from tests.support.log_lines import collected

pytestmark = pytest.mark.anyio

ORIGIN, OTHER = "https://course.example", "https://another.example:8443"
ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


@asynccontextmanager
async def client_for(origins: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings.model_construct(cors_origins=origins))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


def allowed_by(reply: httpx.Response) -> str | None:
    origin: str | None = reply.headers.get("access-control-allow-origin")
    return origin


async def test_by_default_no_page_of_another_origin_is_let_in(client: httpx.AsyncClient) -> None:
    reply = await client.post("/v1/softmax-layer", json=ARTICLE, headers={"Origin": ORIGIN})
    assert (reply.status_code, allowed_by(reply)) == (200, None)
    asked = await client.options("/v1/softmax-layer", headers={"Origin": ORIGIN} | ASKED)
    assert (asked.status_code, allowed_by(asked)) == (405, None)


@pytest.mark.parametrize("origins", [ORIGIN, f"{OTHER},{ORIGIN}", "*"])
async def test_pages_of_the_origins_in_the_setting_are_let_in(origins: str) -> None:
    expected = "*" if origins == "*" else ORIGIN
    async with client_for(origins) as client:
        asked = await client.options("/v1/grades", headers={"Origin": ORIGIN} | ASKED)
        assert (asked.status_code, allowed_by(asked)) == (200, expected)
        for path, status in (("/v1/softmax-layer", 200), ("/v1/forward", 422)):
            reply = await client.post(path, json=ARTICLE, headers={"Origin": ORIGIN})
            assert (reply.status_code, allowed_by(reply)) == (status, expected)
            assert {"X-Request-ID", "Retry-After"} <= set(reply.headers["access-control-expose-headers"].split(", "))


@pytest.mark.parametrize(("origin", "status"), [(ORIGIN, 200), (OTHER, 403)])
async def test_a_page_may_ask_a_service_in_a_private_network_if_its_origin_may(origin: str, status: int) -> None:
    async with client_for(ORIGIN) as client:
        asked = {"Origin": origin, "Access-Control-Request-Private-Network": "true"} | ASKED
        reply = await client.options("/v1/forward", headers=asked)
    assert reply.status_code == status
    if status == 200:
        assert reply.headers["access-control-allow-private-network"] == "true"


async def test_pages_of_other_origins_get_a_problem_document_when_they_ask() -> None:
    async with client_for(ORIGIN) as client:
        for headers in (
            {"Origin": OTHER} | ASKED,
            {"Origin": ORIGIN} | ASKED | {"Access-Control-Request-Method": "DELETE"},
            {"Origin": ORIGIN} | ASKED | {"Access-Control-Request-Headers": "x-canary"},
        ):
            refused = await client.options("/v1/grades", headers=headers)
            assert (refused.status_code, refused.headers["content-type"]) == (403, MEDIA_TYPE)
            assert refused.json()["request_id"] == refused.headers["x-request-id"]
            assert [error["code"] for error in refused.json()["errors"]] == ["cors"]
            assert "canary" not in refused.text
        reply = await client.post("/v1/softmax-layer", json=ARTICLE, headers={"Origin": OTHER})
        assert (reply.status_code, allowed_by(reply)) == (200, None)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/exercises/softmax_forward?seed=1", "/v1/exercises/{kind}"),
        ("/static-offline-docs/favicon.png", "/static-offline-docs"),
        ("/nothing", "unmatched"),
    ],
)
@pytest.mark.parametrize("origin", [ORIGIN, OTHER])
async def test_what_a_browser_asks_is_logged_with_the_route_that_it_asks_for(
    path: str, route: str, origin: str
) -> None:
    async with client_for(ORIGIN) as client:
        with collected() as lines:
            await client.options(path, headers={"Origin": origin} | ASKED)
    assert [(line["method"], line["route"]) for line in lines] == [("OPTIONS", route)]


async def test_what_a_browser_asks_under_a_prefix_is_logged_with_the_route_that_it_asks_for() -> None:
    app = create_app(Settings.model_construct(cors_origins=ORIGIN, root_path="/ml"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        with collected() as lines:
            await client.options("/ml/v1/grades", headers={"Origin": ORIGIN} | ASKED)
    assert [line["route"] for line in lines] == ["/v1/grades"]


async def test_a_browser_may_ask_without_a_key_and_read_that_one_is_needed() -> None:
    transport = httpx.ASGITransport(keyed_app(cors_origins=ORIGIN))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.options("/v1/grades", headers={"Origin": ORIGIN} | ASKED)).status_code == 200
        reply = await client.post("/v1/softmax-layer", json=ARTICLE, headers={"Origin": ORIGIN})
        assert (reply.status_code, allowed_by(reply)) == (401, ORIGIN)
