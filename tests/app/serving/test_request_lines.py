"""The log has one line a request: how it went, and nothing of what it held."""

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from app.examples import ARTICLE, ARTICLE_PROBLEM, TWO_LAYER_PROBLEM
from app.main import create_app
from app.operations import service
from app.settings import Settings
from app.watch.line import ALWAYS, FIELDS
from tests.support.dispatching import started
from tests.support.keyed import template
from tests.support.log_lines import Line, collected

pytestmark = pytest.mark.anyio

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
JSON = {"Content-Type": "application/json"}


async def line_of(client: httpx.AsyncClient, method: str, path: str, **options: Any) -> tuple[httpx.Response, Line]:
    """Send a request; return the reply and the line, which has to be the only one."""
    with collected() as lines:
        reply = await client.request(method, path, **options)
    [line] = lines
    return reply, line


async def test_a_computation_has_a_line_with_its_shapes(client: httpx.AsyncClient) -> None:
    reply, line = await line_of(client, "POST", "/v1/gradients", json=TWO_LAYER_PROBLEM)
    assert reply.status_code == 200
    assert line.pop("time").endswith("+00:00")
    assert 0 < line.pop("ms") < 10_000
    assert line == {
        "level": "INFO",
        "logger": "gradmark.requests",
        "message": "request",
        "request_id": reply.headers["x-request-id"],
        "method": "POST",
        "route": "/v1/gradients",
        "status": 200,
        "received_bytes": len(reply.request.content),
        "sent_bytes": len(reply.content),
        "n_samples": len(TWO_LAYER_PROBLEM["inputs"]),
        "widths": [
            len(TWO_LAYER_PROBLEM["inputs"][0]),
            *(len(layer["weights"][0]) for layer in TWO_LAYER_PROBLEM["network"]["layers"]),
        ],
    }


GRADE = {"problem": ARTICLE_PROBLEM, "answers": {"L": 1.5}}
SHAPES: dict[str, tuple[str, Any, int, list[int]]] = {
    "one sample": ("softmax-layer", ARTICLE, 1, [3, 5]),
    "a problem to mark": ("grades", GRADE, 1, [3, 5]),
    "a refusal by shapes": ("softmax-layer", ARTICLE | {"quantities": ["dS_dZ", "dS_dW", "dZ_dW"]}, 1, [3, 5]),
    "an audit": ("exercises/audit", {"problem": ARTICLE_PROBLEM, "asks": ["S"]}, 1, [3, 5]),
}


@pytest.mark.parametrize(("path", "body", "n_samples", "widths"), SHAPES.values(), ids=SHAPES)
async def test_shapes_are_those_of_the_problem(path: str, body: Any, n_samples: int, widths: list[int]) -> None:
    app = create_app(Settings.model_construct(max_numbers=60 if "quantities" in body else 4_000_000))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        reply, line = await line_of(client, "POST", f"/v1/{path}", json=body)
    assert reply.status_code == (422 if "quantities" in body else 200)
    assert (line["n_samples"], line["widths"]) == (n_samples, widths)
    assert line.get("reason", "") == ("too_large" if "quantities" in body else "")


async def test_of_a_deep_network_the_first_widths_are_said(client: httpx.AsyncClient) -> None:
    layers = [{"weights": [[1]], "activation": "identity"}] * 100
    _, line = await line_of(client, "POST", "/v1/forward", json={"network": {"layers": layers}, "inputs": [[1]]})
    assert line["widths"] == [1] * 16


async def test_an_exercise_has_no_shapes_of_its_own(client: httpx.AsyncClient) -> None:
    body = {"exercise": {"kind": "softmax_forward", "seed": 1}, "answers": {}}
    reply, line = await line_of(client, "POST", "/v1/grades", json=body)
    assert reply.status_code == 200
    assert "n_samples" not in line
    assert "widths" not in line


async def test_a_bulk_request_says_how_many_lines_it_had(client: httpx.AsyncClient) -> None:
    content = (json.dumps(GRADE) + "\n") * 3 + "wrong\n"
    headers = {"Content-Type": "application/jsonl"}
    _, line = await line_of(client, "POST", "/v1/grades/bulk", content=content, headers=headers)
    assert (line["lines"], line["status"]) == (4, 200)


REASONS: dict[str, tuple[str, str, dict[str, Any], int, str]] = {
    "not JSON": ("POST", "/v1/forward", {"content": b"{", "headers": JSON}, 400, "json"),
    "no media type": ("POST", "/v1/forward", {"content": b"{}"}, 415, "media_type"),
    "wrong values": ("POST", "/v1/forward", {"json": {}}, 422, "missing"),
    "in the query": ("GET", "/v1/exercises/softmax_forward?seed=x", {}, 422, "int_parsing"),
    "no path": ("GET", "/nothing", {}, 404, "not_found"),
    "another method": ("PUT", "/v1/forward", {}, 405, "method_not_allowed"),
    "not ready": ("GET", "/health/ready", {}, 503, "unavailable"),
}


@pytest.mark.parametrize(("method", "path", "options", "status", "reason"), REASONS.values(), ids=REASONS)
async def test_a_refusal_says_why_in_one_word(
    client: httpx.AsyncClient, method: str, path: str, options: dict[str, Any], status: int, reason: str
) -> None:
    reply, line = await line_of(client, method, path, **options)
    assert (reply.status_code, line["status"]) == (status, status)
    if reply.json()["errors"]:
        reason = reply.json()["errors"][0]["code"]
    assert line["reason"] == reason


@pytest.mark.parametrize("number", range(len(create_app(Settings.model_construct()).routes)))
async def test_every_route_is_named_by_its_template(client: httpx.AsyncClient, app: FastAPI, number: int) -> None:
    expected, path = template(app.routes[number])
    assert expected
    for method in (*(getattr(app.routes[number], "methods", None) or {"GET"}), "DELETE"):
        _, line = await line_of(client, method, path + "?secret=1")
        assert (line["route"], line["method"]) == (expected, method)


@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v1/exercises/a/b", "/v1/forward/", "/static-offline-docss"])
async def test_a_path_that_there_is_not_is_not_named(client: httpx.AsyncClient, path: str) -> None:
    _, line = await line_of(client, "GET", path)
    assert line["route"] == "unmatched"


async def test_a_method_that_there_is_not_is_not_named(client: httpx.AsyncClient) -> None:
    _, line = await line_of(client, "PROPFIND", "/v1/forward")
    assert line["method"] == "other"


async def test_of_a_reply_to_head_no_body_is_counted(client: httpx.AsyncClient) -> None:
    reply, line = await line_of(client, "HEAD", "/version")
    assert (reply.status_code, line["sent_bytes"]) == (200, 0)


async def test_the_trace_that_a_request_belongs_to_is_named(client: httpx.AsyncClient) -> None:
    _, line = await line_of(client, "GET", "/version", headers={"traceparent": TRACEPARENT, "X-Request-ID": "a.b"})
    assert (line["trace_id"], line["request_id"]) == (TRACE, "a.b")


NO_TRACES = ["", "x", TRACEPARENT.upper(), TRACEPARENT + "-more", f"00-{'0' * 32}-00f067aa0ba902b7-01", "00-" * 300]


@pytest.mark.parametrize("given", NO_TRACES)
async def test_what_names_no_trace_is_left_out(client: httpx.AsyncClient, given: str) -> None:
    _, line = await line_of(client, "GET", "/version", headers={"traceparent": given})
    assert "trace_id" not in line


async def test_ids_that_are_sent_twice_are_none(client: httpx.AsyncClient) -> None:
    headers = [("traceparent", TRACEPARENT), ("traceparent", TRACEPARENT), ("X-Request-ID", "a"), ("X-Request-ID", "b")]
    reply, line = await line_of(client, "GET", "/version", headers=headers)
    assert "trace_id" not in line
    assert line["request_id"] == reply.headers["x-request-id"] not in {"a", "b"}


def scope_of(path: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}


async def send_pieces(
    app: FastAPI, path: str, content_type: bytes, body: bytes, *, is_whole: bool, pieces: int = 0
) -> Line:
    """Send a body, or half of it, and leave: at once, or after the reply's head and so many pieces."""
    begun, bodies = asyncio.Event(), [{"type": "http.request", "body": body, "more_body": not is_whole}]
    sent: list[Message] = []

    async def receive() -> dict[str, Any]:
        if bodies:
            return bodies.pop()
        if is_whole:
            await begun.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) > pieces:
            begun.set()
        await asyncio.sleep(0.01)

    with collected() as lines:
        await app(scope_of(path, [(b"content-type", content_type)]), receive, send)
    [line] = lines
    return line


async def test_a_client_that_leaves_within_its_body_has_a_line(app: FastAPI) -> None:
    line = await send_pieces(app, "/v1/forward", b"application/json", b"{", is_whole=False)
    assert (line["route"], line["received_bytes"], line["reason"]) == ("/v1/forward", 1, "incomplete")


@pytest.mark.parametrize("pieces", [0, 2])
async def test_a_client_that_leaves_within_the_reply_has_a_line_that_says_so(app: FastAPI, pieces: int) -> None:
    body = (json.dumps(GRADE) + "\n").encode() * 10_000
    line = await send_pieces(app, "/v1/grades/bulk", b"application/jsonl", body, is_whole=True, pieces=pieces)
    assert (line["route"], line["status"], line["cut_off"]) == ("/v1/grades/bulk", 200, True)


PROBED = [operation.path for operation in service.OPERATIONS]


@pytest.mark.parametrize("path", PROBED)
async def test_asking_how_the_service_is_fills_no_log_while_it_is_well(path: str) -> None:
    app = create_app(Settings.model_construct(processes=0))
    app.state.readiness = "ready"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        _, line = await line_of(client, "GET", path)
        assert (line["route"], line["status"], line["level"]) == (path, 200, "DEBUG")
        with collected(level=logging.INFO) as lines:
            await client.get(path)
            refused = await client.post(path)
    assert [line["status"] for line in lines] == [refused.status_code] == [405]


async def test_a_service_that_is_not_ready_says_so_in_the_log(client: httpx.AsyncClient) -> None:
    _, line = await line_of(client, "GET", "/health/ready")
    assert (line["status"], line["level"]) == (503, "INFO")


async def test_a_bug_has_its_line_like_everything_else() -> None:
    app = create_app(Settings.model_construct())

    @app.get("/bug")
    async def raise_bug() -> None:
        raise RuntimeError

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        _, line = await line_of(client, "GET", "/bug")
    assert (line["route"], line["status"], line["reason"]) == ("/bug", 500, "internal_error")


async def test_a_bug_after_the_reply_has_begun_cuts_it_off() -> None:
    app = create_app(Settings.model_construct())

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    app.mount("/broken", broken)
    line = await send_pieces(app, "/broken/", b"", b"", is_whole=True)
    assert (line["route"], line["status"], line["cut_off"]) == ("/broken", 200, True)


async def test_what_is_known_comes_from_another_process_as_well(app: FastAPI) -> None:
    with started() as dispatcher:
        app = create_app(Settings.model_construct())
        app.state.dispatcher = dispatcher
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            _, line = await line_of(client, "POST", "/v1/grades", json=GRADE)
    assert (line["n_samples"], line["widths"]) == (1, [3, 5])


async def test_a_line_has_no_field_that_is_not_documented(client: httpx.AsyncClient) -> None:
    _, line = await line_of(client, "POST", "/v1/softmax-layer", json=ARTICLE, headers={"traceparent": TRACEPARENT})
    assert set(ALWAYS) <= set(line) <= set(FIELDS)
