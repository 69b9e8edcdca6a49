"""Every reply of status 400 and above has one shape, whatever raised it."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, get_args

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from pydantic_core.core_schema import ErrorType

from app.errors import CORE_ERRORS, MEDIA_TYPE, PYDANTIC_ERRORS, describe, to_pointer
from app.examples import ARTICLE, ARTICLE_PROBLEM
from app.main import create_app
from app.settings import Settings
from core import errors

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}


def require_problem(reply: httpx.Response, status: int) -> dict[str, Any]:
    assert reply.status_code == status
    assert reply.headers["content-type"] == MEDIA_TYPE
    document: dict[str, Any] = reply.json()
    assert list(document) == ["type", "title", "status", "detail", "errors", "request_id"]
    assert document["status"] == status
    assert document["request_id"] == reply.headers["x-request-id"]
    return document


async def test_an_unknown_path_is_a_problem(client: httpx.AsyncClient) -> None:
    document = require_problem(await client.get("/v1/nothing"), 404)
    assert "/docs" in str(document["detail"])


async def test_a_trailing_slash_is_not_redirected(client: httpx.AsyncClient) -> None:
    require_problem(await client.post("/v1/forward/", json={}), 404)


async def test_another_method_is_a_problem_that_names_the_right_one(client: httpx.AsyncClient) -> None:
    reply = await client.get("/v1/gradients")
    document = require_problem(reply, 405)
    assert reply.headers["allow"] == "POST"
    assert "needed POST" in str(document["detail"])


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/problem+json"},
        {"Content-Type": "application/json; charset*=a; charset*0=b"},
        {"Content-Type": "application/json; charset*x=1"},
        {"Content-Type": "application/json; charset*99999999999=utf-8"},
        {"Content-Type": ""},
        {},
        {"Content-Type": 'application/json; charset="utf-8'},
        {"Content-Type": 'application/json; profile="https://example.org/p'},
        {"Content-Type": 'application/json; profile="a" "b"'},
        {"Content-Type": 'application/json; profile="a"; charset=utf-16'},
        {"Content-Type": "application/json; profile=https://example.org/p?q"},
    ],
)
async def test_another_media_type_is_a_problem(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    require_problem(await client.post("/v1/softmax-layer", content=b"{}", headers=headers), 415)


@pytest.mark.parametrize("path", ["/v1/softmax-layer", "/v1/grades/bulk"])
@pytest.mark.parametrize("codings", [["gzip"], ["identity, br"], ["identity", "x-gzip"]])
async def test_a_content_coding_is_refused_and_the_reply_names_what_is_taken(
    client: httpx.AsyncClient, path: str, codings: list[str]
) -> None:
    media_type = "application/jsonl" if path.endswith("bulk") else "application/json"
    headers = [("Content-Type", media_type), *(("Content-Encoding", coding) for coding in codings)]
    reply = await client.post(path, content=b"{}", headers=headers)
    document = require_problem(reply, 415)
    assert reply.headers["accept-encoding"] == "identity"
    assert [error["code"] for error in document["errors"]] == ["content_encoding"]


async def test_the_coding_that_codes_nothing_is_taken(client: httpx.AsyncClient) -> None:
    reply = await client.post("/v1/softmax-layer", json=ARTICLE, headers={"Content-Encoding": "Identity"})
    assert reply.status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        'application/json; profile="https://example.org/p"',
        'application/json; profile="a \\" ; b, c"; charset=utf-8;',
        "application/json; version=1.0+draft",
    ],
)
async def test_json_may_be_announced_in_several_ways(client: httpx.AsyncClient, content_type: str) -> None:
    body = httpx.Request("POST", "http://test", json=ARTICLE).content
    reply = await client.post("/v1/softmax-layer", content=body, headers={"Content-Type": content_type})
    assert reply.status_code == 200


async def test_a_byte_order_mark_before_a_body_is_skipped(client: httpx.AsyncClient) -> None:
    body = b"\xef\xbb\xbf" + httpx.Request("POST", "http://test", json=ARTICLE).content
    reply = await client.post("/v1/softmax-layer", content=body, headers=JSON)
    assert reply.status_code == 200


def small_app(limit: int) -> httpx.AsyncClient:
    app = create_app(Settings.model_construct(max_body_bytes=limit))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_the_body_limit_holds_at_its_boundary_by_length_and_by_chunks() -> None:
    body = httpx.Request("POST", "http://test", json=ARTICLE).content

    async def chunks(content: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(content), 10):
            yield content[start : start + 10]

    async with small_app(limit=len(body)) as client:
        for content in (body, chunks(body)):
            assert (await client.post("/v1/softmax-layer", content=content, headers=JSON)).status_code == 200
        for content in (body + b" ", chunks(body + b" ")):
            reply = await client.post("/v1/softmax-layer", content=content, headers=JSON)
            document = require_problem(reply, 413)
            assert f"more than {len(body)} bytes" in str(document["detail"])


async def test_a_body_that_stops_halfway_is_a_problem(app: FastAPI) -> None:
    sent: list[dict[str, object]] = []
    received: Iterator[dict[str, object]] = iter(
        [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> dict[str, object]:
        return next(received)

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/forward",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    await app(scope, receive, send)  # type: ignore[arg-type] # plain dictionaries are what a server sends
    assert sent[0]["status"] == 400


async def test_a_bug_is_a_problem_without_detail_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(Settings.model_construct())

    @app.get("/bug")
    async def raise_bug() -> None:
        raise RuntimeError("secret")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        reply = await client.get("/bug")
    document = require_problem(reply, 500)
    assert "secret" not in reply.text
    assert str(document["request_id"]) in caplog.text
    assert "secret" in caplog.text


@pytest.mark.parametrize("given", ["abc-123", "4bf92f3577b34da6a3ce929d0e0e4736"])
async def test_a_request_id_that_is_given_is_kept(client: httpx.AsyncClient, given: str) -> None:
    reply = await client.get("/v1/nothing", headers={"X-Request-ID": given})
    assert require_problem(reply, 404)["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, '"><script>'])
async def test_a_request_id_that_could_do_harm_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    reply = await client.get("/v1/nothing", headers={"X-Request-ID": given})
    assert require_problem(reply, 404)["request_id"] != given


async def test_requests_at_once_keep_their_own_ids(client: httpx.AsyncClient) -> None:
    replies = await asyncio.gather(*(client.get("/v1/nothing", headers={"X-Request-ID": f"id-{n}"}) for n in range(50)))
    assert [reply.json()["request_id"] for reply in replies] == [f"id-{n}" for n in range(50)]


def test_every_core_error_has_a_status() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.CoreError)}
    assert set(CORE_ERRORS) == kinds - {errors.CoreError}


SEEDED = "exercises/softmax_forward?seed="
DRAWN = {"exercise": {"kind": "softmax_forward", "seed": 1}, "answers": {}}
CAUSES: dict[str, tuple[str, Any]] = {
    "float_type": ("softmax-layer", ARTICLE | {"weights": [["1"]]}),
    "finite_number": ("softmax-layer", ARTICLE | {"weights": [[10**400]]}),
    "int_type": ("softmax-layer", ARTICLE | {"target": 0.5}),
    "greater_than_equal": (SEEDED + "-1", None),
    "less_than_equal": (SEEDED + "2147483648", None),
    "bool_type": ("grades", DRAWN | {"follow_through": 1}),
    "string_type": ("jacobians", ARTICLE_PROBLEM | {"jacobians": [1]}),
    "list_type": ("softmax-layer", ARTICLE | {"weights": 1}),
    "tuple_type": ("jacobians", ARTICLE_PROBLEM | {"jacobians": "dL_dW"}),
    "too_short": ("softmax-layer", ARTICLE | {"weights": []}),
    "literal_error": ("grades", DRAWN | {"feedback": "all"}),
    "dataclass_type": ("grades", DRAWN | {"policy": []}),
    "int_parsing": (SEEDED + "one", None),
    "int_parsing_size": (SEEDED + "1" * 5000, None),
    "dict_type": ("grades", DRAWN | {"answers": []}),
    "extra_forbidden": (SEEDED + "1&key=1", None),
    "missing": (SEEDED.partition("?")[0], None),
    "unexpected_keyword_argument": ("grades", DRAWN | {"key": 1}),
}


@pytest.mark.parametrize("kind", PYDANTIC_ERRORS)
async def test_every_message_of_ours_is_one_that_a_request_can_get(client: httpx.AsyncClient, kind: str) -> None:
    assert kind in get_args(ErrorType)
    path, body = CAUSES[kind]
    reply = await client.request("GET" if body is None else "POST", f"/v1/{path}", json=body)
    [error] = require_problem(reply, 422)["errors"]
    code, message = PYDANTIC_ERRORS[kind]
    assert error["code"] == code
    parts = re.split(r"\{\w+\}", message)
    assert re.fullmatch(".*".join(map(re.escape, parts)), error["message"])


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ((), ""),
        (("weights", 0, 2), "/weights/0/2"),
        (("targets", "<labels>", 1), "/targets/1"),
        (("a/b", "c~d"), "/a~1b/c~0d"),
        (("ok", "x" * 65, "never"), "/ok"),
        (("ok", "\n"), "/ok"),
        (("defaults", "path"), "/defaults/path"),
    ],
)
def test_paths_become_json_pointers(path: tuple[str | int, ...], pointer: str) -> None:
    assert to_pointer(path) == pointer


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "null"),
        (True, "a boolean"),
        (1, "a number"),
        (np.pi, "a number"),
        ("x", "a string"),
        ([1], "an array"),
        ({}, "an object"),
    ],
)
def test_a_value_is_described_by_its_kind_alone(value: object, said: str) -> None:
    assert describe(value) == said
