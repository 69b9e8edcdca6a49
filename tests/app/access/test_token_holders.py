"""What whoever holds a token is told of a request that is wrong: the same as with a key, and others nothing."""

import json
from collections.abc import Mapping

import httpx
import pytest

from app.serving.refusals import MAX_TINY_CHUNKS
from app.wire.limits import MOST_PARTS
from app.wire.skeletons import MOST_KEYS
from tests.support.grades import ANY_ANSWERS
from tests.support.keyed import LINES, client_of, keyed_app, mint, without_id
from tests.support.server import run_server
from tests.support.sockets import connect, read_all, read_metric, wait_for_metric

pytestmark = pytest.mark.anyio

APP = keyed_app(max_keyless_bytes=2**20, max_numbers=400_000)
JSON = {"Content-Type": "application/json"}
MOST_DEPTH, MOST_DIGITS = 64, 1000

Fault = tuple[int, Mapping[str, str], bytes]

# the status, headers, and what stands behind the answers in the body
FAULTS: dict[str, Fault] = {
    "another media type": (415, {"Content-Type": "text/plain"}, b"}"),
    "a form of the reply that there is not": (406, {"Accept": "text/html"}, b"}"),
    "a content coding": (415, {"Content-Encoding": "gzip"}, b"}"),
    "as deep as may be": (422, {}, b',"x":' + b"[" * (MOST_DEPTH - 1) + b"]" * (MOST_DEPTH - 1) + b"}"),
    "too deep": (400, {}, b',"x":' + b"[" * MOST_DEPTH + b"]" * MOST_DEPTH + b"}"),
    "as long a number as may be": (422, {}, b',"x":' + b"1" * MOST_DIGITS + b"}"),
    "too long a number": (400, {}, b',"x":' + b"1" * (MOST_DIGITS + 1) + b"}"),
    "too many lists": (422, {}, b',"x":[' + b"[]," * MOST_PARTS + b"[]]}"),
    "too many keys": (422, {}, b',"x":{' + b",".join(b'"%d":1' % n for n in range(MOST_KEYS)) + b"}}"),
    "too many values": (422, {}, b',"x":[' + b"1," * 400_000 + b"1]}"),
    "a key twice": (400, {}, b',"answers":{}}'),
    "no JSON": (400, {}, b""),
    "no UTF-8": (400, {}, b',"x":"\xff"}'),
    "half a character": (400, {}, b',"x":"\\ud800"}'),
    "a key that is not known": (422, {}, b',"x":1}'),
}


@pytest.mark.parametrize(("status", "headers", "rest"), FAULTS.values(), ids=FAULTS)
async def test_a_holder_is_told_what_is_wrong_as_if_by_key(
    status: int, headers: Mapping[str, str], rest: bytes
) -> None:
    token = await mint(APP)
    body, forged = (b'{"token":"%b","answers":{}%b' % (text.encode(), rest) for text in (token, token[:-1] + "~"))
    async with client_of(APP) as client, client_of(APP, "grade") as grader:
        held, keyed, nobodys = [
            await sender.post("/v1/grades", content=content, headers=JSON | dict(headers))
            for sender, content in ((client, body), (grader, body), (client, forged))
        ]
        missing = await client.post("/v1/grades", json={})
    assert held.status_code == status, held.text
    assert without_id(held) == without_id(keyed)
    assert without_id(nobodys) == without_id(missing)
    assert missing.status_code == 401


@pytest.mark.parametrize(
    "answer", [answer for answer, _ in ANY_ANSWERS], ids=[answer[:20] for answer, _ in ANY_ANSWERS]
)
async def test_whatever_an_answer_is_a_holder_is_told_what_a_key_is(answer: str) -> None:
    body = f'{{"token": {json.dumps(await mint(APP))}, "answers": {{"dL_db": {answer}}}}}'.encode()
    async with client_of(APP) as client, client_of(APP, "grade") as grader:
        held, keyed = [await sender.post("/v1/grades", content=body, headers=JSON) for sender in (client, grader)]
    assert held.status_code == 200, held.text
    assert held.content == keyed.content


async def test_a_token_that_is_not_where_it_belongs_has_nothing_marked() -> None:
    token = await mint(APP)
    async with client_of(APP) as client:
        for body in ({"answers": {"token": token}}, {"answers": {}, "exercise": {"kind": "softmax_layer", "seed": 1}}):
            reply = await client.post("/v1/grades", json=body)
            assert reply.status_code == 401, reply.text


async def test_an_open_service_speaks_of_the_token_and_of_no_key(client: httpx.AsyncClient) -> None:
    path = "/v1/exercises/weight_gradients"
    body = {"seed": 7, "feedback": "hint", "expires_in": 60}
    token = (await client.post(f"{path}/tokens", json=body)).json()["token"]
    assert (await client.post("/v1/grades", json={"token": token, "answers": {}})).status_code == 200
    refused = [await client.post("/v1/grades", json={"token": token + "x", "answers": {}})]
    refused += [await client.get(path, params={"token": text}) for text in ("", "x", await mint(APP))]
    assert [reply.status_code for reply in refused] == [401] * len(refused)
    said = [reply.json()["detail"] for reply in refused]
    assert said == [said[0]] * len(said)
    assert said[0].startswith("the token is not whole, has expired, or was signed with another secret")
    assert "key" not in said[0]


CHUNKED = (
    b"POST /v1/grades HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
BROKEN_OFF = {
    "chunk_flood": CHUNKED + b"1\r\n \r\n" * (MAX_TINY_CHUNKS + 1),
    "not_http": CHUNKED + b"x\r\n",
    "incomplete": CHUNKED + b"1\r\n \r\n",
}


def test_a_body_that_does_not_arrive_is_no_guess_at_a_key() -> None:
    with run_server(keys=LINES, processes=0) as server:
        for reason, sent in BROKEN_OFF.items():
            with connect(server) as connection:
                connection.sendall(sent)
                if reason != "incomplete":
                    status, _, body = read_all(connection)
                    assert (status, json.loads(body)["errors"][0]["code"]) == (400, reason)
            wait_for_metric(server, f'gradmark_refusals_total{{reason="{reason}"}}', 1)
        assert read_metric(server, 'gradmark_refusals_total{reason="unauthorized"}') == 0
