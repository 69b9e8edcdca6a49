"""Which form a body has and a reply takes: what a client says decides, and what cannot be is refused."""

import json
import time
from typing import Any

import httpx
import pytest

from app.api.route import PIECE_BYTES, send_reply
from app.errors import MEDIA_TYPE as PROBLEM_TYPE
from app.examples import TWO_LAYER_PROBLEM
from app.work.computation import Reply
from tests.support.tensor_client import MEDIA_TYPE, to_tensors, with_arrays

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        ("application/*", "application/json"),
        ("application/json", "application/json"),
        (MEDIA_TYPE, MEDIA_TYPE),
        (f"{MEDIA_TYPE}, application/json;q=0.5", MEDIA_TYPE),
        (f"{MEDIA_TYPE};q=0.5, application/json", "application/json"),
        (f"{MEDIA_TYPE};q=0.5, */*;q=0.1", MEDIA_TYPE),
        ("text/html, */*;q=0.8", "application/json"),
    ],
)
async def test_the_client_chooses_the_form_of_the_reply(client: httpx.AsyncClient, accept: str, form: str) -> None:
    reply = await client.post("/v1/forward", json=TWO_LAYER_PROBLEM, headers={"Accept": accept})
    assert (reply.status_code, reply.headers["content-type"]) == (200, form)


async def test_what_several_lines_accept_is_accepted(client: httpx.AsyncClient) -> None:
    headers = [("Accept", "text/html"), ("Accept", MEDIA_TYPE), ("Content-Type", "application/json")]
    reply = await client.post("/v1/forward", content=json.dumps(TWO_LAYER_PROBLEM), headers=headers)
    assert (reply.status_code, reply.headers["content-type"]) == (200, MEDIA_TYPE)


@pytest.mark.parametrize("accept", ["text/html", "application/xml, text/*", "application/json;q=0", "nonsense"])
async def test_no_acceptable_form_is_406(client: httpx.AsyncClient, accept: str) -> None:
    reply = await client.post("/v1/forward", json=TWO_LAYER_PROBLEM, headers={"Accept": accept})
    assert (reply.status_code, reply.headers["content-type"]) == (406, PROBLEM_TYPE)
    assert "Accept allows neither" in reply.json()["detail"]


@pytest.mark.parametrize(
    "media_type", ["application/octet-stream", "application/x-npz", MEDIA_TYPE + "; charset=utf-8"]
)
async def test_other_binary_forms_are_415(client: httpx.AsyncClient, media_type: str) -> None:
    content = to_tensors(with_arrays(TWO_LAYER_PROBLEM))
    reply = await client.post("/v1/forward", content=content, headers={"Content-Type": media_type})
    assert (reply.status_code, reply.headers["content-type"]) == (415, PROBLEM_TYPE)
    assert MEDIA_TYPE in reply.json()["detail"]


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
async def test_a_reply_goes_out_in_pieces_and_whole(size: int) -> None:
    content, messages = bytes(range(256)) * (size // 256) + b"x" * (size % 256), []

    async def send(message: Any) -> None:
        messages.append(message)

    await send_reply(Reply(content=content, media_type=MEDIA_TYPE), send)
    start, *pieces = messages
    assert (b"content-length", str(size).encode()) in start["headers"]
    assert b"".join(piece["body"] for piece in pieces) == content
    assert all(len(piece["body"]) <= PIECE_BYTES for piece in pieces)
    assert [piece.get("more_body", False) for piece in pieces] == [True] * (len(pieces) - 1) + [False]


@pytest.mark.parametrize("path", ["/v1/forward", "/v1/grades/bulk"])
@pytest.mark.parametrize("filler", [" ", " ;", ";a=b", "; ", ';a="b"', '"', ';a="', '\\"'])
async def test_a_long_media_type_is_gone_over_once(client: httpx.AsyncClient, path: str, filler: str) -> None:
    started = time.monotonic()
    for _ in range(10):
        said = "application/json" + filler * (16_000 // len(filler)) + "?"
        reply = await client.post(path, content=b"{}", headers={"Content-Type": said})
        assert reply.status_code == 415
    # gone over for each of its characters, it would take some seconds
    assert time.monotonic() - started < 2
