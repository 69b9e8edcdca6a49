"""Inputs of people who run or use graders, each with what it has to come to."""

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from tests.support.server import ROOT, environment

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

REPORTED = [json.loads(line) for line in (Path(__file__).parent / "reported_faults.jsonl").read_text().splitlines()]

JSON, LINES = "application/json", "application/jsonl"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SOFTMAX_OF_FIVE: Json = REPORTED[0]["body"]["problem"]
FORWARD = json.dumps({key: SOFTMAX_OF_FIVE[key] for key in ("network", "inputs")}).encode()
TWO_ANSWERS = b"\n".join(
    json.dumps(line).encode()
    for line in ({"defaults": {"problem": SOFTMAX_OF_FIVE, "feedback": "hint"}}, *[{"answers": {"L": "1.5279"}}] * 2)
)


def named(path: str) -> list[Any]:
    return [
        pytest.param(reported["body"], reported["right"], id=reported["name"])
        for reported in REPORTED
        if reported["path"] == path
    ]


@pytest.mark.parametrize(("body", "right"), named("/v1/grades"))
async def test_a_reported_answer_is_marked_right(client: httpx.AsyncClient, body: Json, right: Json) -> None:
    reply = await client.post("/v1/grades", json=body)
    assert reply.status_code == 200, reply.text
    [part] = reply.json()["parts"]
    hints = " ".join(part.get("hints", ()))
    assert part["verdict"] in right["verdicts"] or right.get("or_hint", "\0") in hints, part
    assert part.get("convention") == right.get("convention")
    named_mistakes = {name for diagnosis in part.get("diagnoses", ()) for name in diagnosis["mistakes"]}
    assert right.get("not_named") not in named_mistakes
    if part["verdict"] == "correct":
        assert not named_mistakes
    if part["verdict"] == "unreadable":
        assert part["reading"]["message"]


@pytest.mark.parametrize(("body", "right"), named("/v1/gradients"))
async def test_a_reported_problem_is_computed(client: httpx.AsyncClient, body: Json, right: Json) -> None:
    assert (await client.post("/v1/gradients", json=body)).status_code == right["status"]


async def test_a_compressed_body_is_refused_with_the_coding_that_is_read(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}
    reply = await client.post("/v1/forward", content=gzip.compress(FORWARD), headers=headers)
    assert (reply.status_code, reply.headers.get("accept-encoding")) == (415, "identity")


@pytest.mark.parametrize(
    ("media_type", "mark"),
    [(JSON, BYTE_ORDER_MARK), ('application/json; profile="https://example.org/p"', b"")],
    ids=["byte order mark", "quoted parameter"],
)
async def test_a_body_is_read_whatever_stands_before_or_beside_it(
    client: httpx.AsyncClient, media_type: str, mark: bytes
) -> None:
    reply = await client.post("/v1/forward", content=mark + FORWARD, headers={"Content-Type": media_type})
    assert reply.status_code == 200, reply.text


@pytest.mark.parametrize(
    ("media_type", "mark"),
    [(LINES, BYTE_ORDER_MARK), ("application/x-jsonlines", b""), ("application/ndjson", b"")],
    ids=["byte order mark", "one other name of JSON lines", "another"],
)
async def test_lines_are_read_whatever_stands_before_them(
    client: httpx.AsyncClient, media_type: str, mark: bytes
) -> None:
    reply = await client.post("/v1/grades/bulk", content=mark + TWO_ANSWERS, headers={"Content-Type": media_type})
    assert reply.status_code == 200, reply.text
    *lines, last = [json.loads(line) for line in reply.text.splitlines()]
    assert [line["grade"]["verdict"] for line in lines] == ["correct", "correct"]
    assert last["summary"]["lines"] == 2


async def test_the_documentation_loads_behind_a_prefix(client: httpx.AsyncClient) -> None:
    # a proxy takes the prefix away, so what the page asks for has to be relative to the page
    page = await client.get("/docs")
    addresses = re.findall(r"""(?:src|href)="([^"]+)"|url: ?['"]([^'"]+)['"]""", page.text)
    wanted = [urljoin("http://test/gradmark/docs", one or other) for one, other in addresses]
    assert any(address.endswith("openapi.json") for address in wanted)
    for address in wanted:
        assert address.startswith("http://test/gradmark/")
        assert (await client.get(address.replace("/gradmark/", "/"))).status_code == 200


async def test_a_preflight_from_a_public_page_to_a_private_network_is_answered() -> None:
    origin = "https://course.example"
    app = create_app(Settings.model_construct(cors_origins=origin))
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Private-Network": "true",
    }
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        reply = await client.options("/v1/forward", headers=asked)
    assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (200, origin)


def enums_in(node: object) -> Iterator[list[object]]:
    if isinstance(node, list):
        for each in node:
            yield from enums_in(each)
    if isinstance(node, dict):
        if isinstance(node.get("enum"), list):
            yield node["enum"]
        for each in node.values():
            yield from enums_in(each)


async def test_generators_of_clients_can_read_every_enum(client: httpx.AsyncClient) -> None:
    # they write an enum as a class of texts or of whole numbers, never of both
    document = (await client.get("/openapi.json")).json()
    enums = list(enums_in(document))
    assert enums
    for values in enums:
        assert {type(value) for value in values} in ({str}, {int}), values


def test_the_command_marks_what_comes_through_a_pipe(tmp_path: Path) -> None:
    target = tmp_path / "grades.jsonl"
    command = [sys.executable, "-m", "app", "grade", "/dev/stdin", str(target)]
    reply = subprocess.run(
        command, cwd=ROOT, env=environment(), input=TWO_ANSWERS, capture_output=True, timeout=60, check=False
    )
    assert reply.returncode == 0, reply.stderr.decode()
    *lines, _ = [json.loads(line) for line in target.read_text().splitlines()]
    assert [line["grade"]["verdict"] for line in lines] == ["correct", "correct"]
