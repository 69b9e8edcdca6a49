"""Settings, health, version, the command line's parts, the page of documentation."""

import gc
import re
import tomllib
from pathlib import Path

import anyio
import httpx
import pytest
from fastapi import FastAPI
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from app import __version__
from app.api.routes import ENDPOINTS
from app.command_line import main
from app.main import create_app
from app.settings import Settings
from core.budget import Budget

pytestmark = pytest.mark.anyio

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

ROOT = Path(__file__).parents[3]


async def test_live_answers_whatever_else_is_going_on(client: httpx.AsyncClient) -> None:
    reply = await client.get("/health/live")
    assert (reply.status_code, reply.json()) == (200, {"status": "live"})


async def test_ready_is_503_until_warmed_up_and_again_while_draining() -> None:
    app = create_app(Settings.model_construct())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        cold = await client.get("/health/ready")
        assert (cold.status_code, cold.json()["detail"]) == (503, "the service is warming up")
        assert cold.headers["retry-after"] == "1"
        async with app.router.lifespan_context(app):
            with anyio.fail_after(30):
                while (reply := await client.get("/health/ready")).status_code == 503:  # noqa: ASYNC110 - seen over HTTP only
                    await anyio.sleep(0.01)
            assert (reply.status_code, reply.json()) == (200, {"status": "ready"})
        assert (await client.get("/health/ready")).json()["detail"] == "the service is draining"


async def test_a_service_that_stops_does_not_get_warm_first() -> None:
    app = create_app(Settings.model_construct(processes=0))
    async with app.router.lifespan_context(app):
        assert app.state.readiness == "warming up"
    assert app.openapi_schema is None


async def test_what_is_there_once_it_is_warm_is_not_looked_at_by_the_collector_any_more() -> None:
    app = create_app(Settings.model_construct(processes=0))
    gc.unfreeze()
    async with app.router.lifespan_context(app):
        with anyio.fail_after(30):
            while app.state.readiness != "ready":  # noqa: ASYNC110 - set by a task of the application
                await anyio.sleep(0.01)
        assert gc.get_freeze_count() > 10_000
    gc.unfreeze()


async def test_the_version_is_the_projects(client: httpx.AsyncClient) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert (await client.get("/version")).json()["version"] == __version__


@pytest.mark.parametrize(
    ("prefix", "root_path", "is_stripped"),
    [
        ("", "", True),
        ("/gradmark", "", True),
        ("/courses/ml", "", True),
        ("/courses/ml", "/courses/ml", True),
        ("/gradmark", "/gradmark", False),
        ("/courses/ml", "/courses/ml", False),
    ],
)
async def test_people_find_the_documentation_and_it_what_it_needs_behind_any_prefix(
    prefix: str, root_path: str, is_stripped: bool
) -> None:
    app = create_app(Settings.model_construct(root_path=root_path))

    async def proxied(scope: Scope, receive: Receive, send: Send) -> None:
        """Forward what stands under the prefix, without it or as it is, as a proxy does."""
        path: str = scope["path"]
        assert path.startswith(f"{prefix}/"), path
        await app(dict(scope) | {"path": path.removeprefix(prefix) if is_stripped else path}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(proxied), follow_redirects=True) as client:
        reply = await client.get(f"http://host.example{prefix}/", headers={"Accept": BROWSER})
        assert str(reply.url) == f"http://host.example{prefix}/docs"
        sources = re.findall(r"""(?:(?:src|href)=|\burl: )['"]([^'"]+)['"]""", reply.text)
        assert len(sources) == 4
        for source in sources:
            loaded = await client.get(reply.url.join(source))
            assert (loaded.url.host, loaded.status_code) == ("host.example", 200), source
        document = reply.url.join("openapi.json")
        [server] = (await client.get(document)).json()["servers"]
        live = str(document.join(server["url"])).removesuffix("/") + "/health/live"
        assert (await client.get(live)).status_code == 200


async def test_the_prefix_itself_leads_to_the_documentation() -> None:
    transport = httpx.ASGITransport(create_app(Settings.model_construct(root_path="/courses/ml")))
    async with httpx.AsyncClient(transport=transport, base_url="http://test", follow_redirects=True) as client:
        reply = await client.get("/courses/ml", headers={"Accept": BROWSER})
        assert (reply.status_code, reply.url.path) == (200, "/courses/ml/docs")
        assert (await client.get("/courses/mlx/docs")).status_code == 404


async def test_programs_that_open_the_service_itself_read_where_its_documents_are(client: httpx.AsyncClient) -> None:
    reply = await client.get("/")
    found = reply.json()
    assert found.pop("name") == "gradmark"
    for path in found.values():
        assert (await client.get(reply.url.join(path))).status_code == 200


@pytest.mark.parametrize("root_path", ["gradmark", "/", "/gradmark/", "/a//b", "/%67", "/../x", "/a b", "/a\n"])
def test_a_prefix_that_no_proxy_would_pass_on_is_refused(monkeypatch: pytest.MonkeyPatch, root_path: str) -> None:
    monkeypatch.setenv("GRADMARK_ROOT_PATH", root_path)
    with pytest.raises(ValidationError, match="GRADMARK_ROOT_PATH"):
        Settings()


@pytest.mark.parametrize("names", [[], ["read_ready", "no_operation"]])
def test_a_service_that_would_not_answer_an_operation_does_not_start(
    monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    endpoint = ENDPOINTS["read_ready"]
    monkeypatch.delitem(ENDPOINTS, "read_ready")
    for name in names:
        monkeypatch.setitem(ENDPOINTS, name, endpoint)
    with pytest.raises(ValueError, match="read_ready"):
        create_app(Settings.model_construct())


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADMARK_PORT", "9001")
    monkeypatch.setenv("GRADMARK_MAX_NUMBERS", "10")
    monkeypatch.setenv("GRADMARK_HOST", "")
    settings = Settings()
    assert (settings.port, settings.host) == (9001, "127.0.0.1")
    assert settings.budget == Budget(numbers=10)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "70000"), ("MAX_BODY_BYTES", "0"), ("LOG_LEVEL", "loud"), ("CLIENT_HEADER", "X-Forwarded-For: canary")],
)
def test_a_wrong_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"GRADMARK_{name}", value)
    with pytest.raises(ValidationError, match=f"GRADMARK_{name}"):
        Settings()


async def test_limits_are_settings(app: FastAPI) -> None:
    small = create_app(Settings.model_construct(max_numbers=100))
    body = {"weights": [[1.0] * 20], "inputs": [1.0], "target": 0}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(small), base_url="http://test") as client:
        reply = await client.post("/v1/softmax-layer", json=body)
    assert reply.status_code == 422
    assert "the limit is 100" in reply.json()["detail"]


def test_the_command_line_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert "serve" in capsys.readouterr().err
