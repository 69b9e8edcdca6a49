"""Which form a body has and a reply takes: what a client says decides, and what cannot be is refused."""

import json

import httpx
import pytest

from app.errors import MEDIA_TYPE as PROBLEM_TYPE
from app.examples import TWO_LAYER_PROBLEM
from tests.app.tensor_client import MEDIA_TYPE, to_tensors, with_arrays

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
