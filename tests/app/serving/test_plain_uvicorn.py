"""The application is plain ASGI: uvicorn runs it as well, without what our server does about slow clients and load."""

import json
import subprocess
import sys

import httpx
import pytest
from starlette.types import Message

from app.examples import ARTICLE, ARTICLE_ANSWER
from app.main import create_app
from app.settings import Settings
from tests.support.server import ROOT, environment, find_free_port, stop, wait_until_ready


def test_uvicorn_runs_the_application() -> None:
    port = find_free_port()
    command = [sys.executable, "-m", "uvicorn", "app.main:create_app", "--factory", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.DEVNULL) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
                wait_until_ready(process, client)
                layer = client.post("/v1/softmax-layer", json=ARTICLE)
                assert layer.status_code == 200
                assert layer.json()["quantities"]["S"]["shape"] == [5]
                lines = client.post(
                    "/v1/grades/bulk",
                    content=json.dumps(ARTICLE_ANSWER).encode(),
                    headers={"Content-Type": "application/jsonl"},
                )
                assert [*map(list, map(json.loads, lines.text.splitlines()))] == [["index", "grade"], ["summary"]]
                assert client.get("/metrics").status_code == 200
                assert client.get("/nothing").status_code == 404
        finally:
            stop(process)


@pytest.mark.anyio
async def test_any_server_is_told_when_the_application_has_started_and_ended() -> None:
    events = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    told: list[Message] = []

    async def receive() -> Message:
        return next(events)

    async def send(message: Message) -> None:
        told.append(message)

    app = create_app(Settings.model_construct(processes=0))
    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    assert [message["type"] for message in told] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
