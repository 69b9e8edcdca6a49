"""The real server's log at its most talkative: lines of JSON, and of what requests held not a word in any."""

import json
import socket
from contextlib import suppress

import httpx
import pytest

from app.examples import ARTICLE, ARTICLE_PROBLEM
from app.watch.line import ALWAYS, FIELDS
from app.wire.tensors import TENSORS_TYPE
from tests.support.log_lines import Line
from tests.support.server import Server, dump, run_server
from tests.support.tensor_client import to_tensors, with_arrays

WORD = "c4n4ry"
NUMBER = 271.828459045
"""Neither is anywhere but in what is sent."""

JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/jsonl"}
PADDING = b" " * 600_000
"""Makes a body one for a process of its own."""

PROBLEM = ARTICLE_PROBLEM | {"inputs": [[NUMBER, 0.5, 0.4]]}
GRADE = {"problem": PROBLEM, "answers": {"L": WORD, "Z": [[NUMBER] * 5]}}

BODIES: dict[str, tuple[str, bytes]] = {
    "good": ("softmax-layer", dump(ARTICLE | {"inputs": [NUMBER, 0.5, 0.4]})),
    "gradients": ("gradients", dump(PROBLEM | {"check": True})),
    "no JSON": ("forward", f"{{{WORD}".encode()),
    "no UTF-8": ("forward", f'{{"{WORD}\xff'.encode("latin-1")),
    "a key that is not known": ("forward", dump(PROBLEM | {WORD: NUMBER})),
    "a key twice": ("forward", f'{{"{WORD}": 1, "{WORD}": 2}}'.encode()),
    "text for a number": ("forward", dump(PROBLEM | {"inputs": [[WORD]]})),
    "a name that is not known": ("forward", dump(PROBLEM | {"loss": WORD})),
    "an id that names nothing": ("jacobians", dump(PROBLEM | {"jacobians": [f"d{WORD}_dX"]})),
    "a number that does not fit": ("forward", b'{"inputs": [[271.828459045e999]]}'),
    "nested deep": ("forward", b"[" * 100_000 + WORD.encode()),
    "shapes that do not fit": ("forward", dump(PROBLEM | {"inputs": [[NUMBER]]})),
    "an answer of words": ("grades", dump(GRADE)),
    "an answer to nothing": ("grades", dump(GRADE | {"answers": {WORD: NUMBER}})),
    "a kind that there is not": ("grades", dump({"exercise": {"kind": WORD, "seed": 1}, "answers": {}})),
    "a large one": ("gradients", dump(PROBLEM) + PADDING),
    "a large wrong one": ("grades", dump(GRADE | {WORD: 1}) + PADDING),
}


def send_bodies(client: httpx.Client) -> None:
    for path, content in BODIES.values():
        client.post(f"/v1/{path}", content=content, headers=JSON)
        client.post(f"/v1/{path}", content=content, headers=LINES)
    client.post("/v1/forward", content=to_tensors(with_arrays(PROBLEM)), headers={"Content-Type": TENSORS_TYPE})
    client.post("/v1/forward", content=WORD.encode(), headers={"Content-Type": TENSORS_TYPE})
    lines = [dump({"defaults": {"problem": PROBLEM}}), dump({"answers": {"L": NUMBER}}), dump({WORD: 1}), WORD.encode()]
    for start in range(len(lines)):
        client.post("/v1/grades/bulk", content=b"\n".join(lines[start:]), headers=LINES)


def send_heads(client: httpx.Client) -> None:
    for path in (
        f"/{WORD}",
        f"/v1/exercises/{WORD}?seed=1",
        f"/v1/exercises/softmax_forward?seed={WORD}&{WORD}={WORD}",
    ):
        client.get(path)
    client.get(f"/version?token={WORD}#{WORD}")
    for name in ("X-Request-ID", "traceparent", "tracestate", "Authorization", "Cookie", "User-Agent", "Accept", WORD):
        client.get("/version", headers={name: f"Bearer {WORD}"})
        client.post("/v1/forward", content=b"{}", headers=JSON | {name: f"Bearer {WORD}"})
    client.post("/v1/forward", content=b"{}", headers={"Content-Type": WORD, "Content-Encoding": WORD})
    client.request(
        "OPTIONS", "/v1/forward", headers={"Origin": f"http://{WORD}", "Access-Control-Request-Method": WORD}
    )


RAW = [
    f"{WORD} / HTTP/1.1\r\n\r\n",
    f"GET /{WORD}\xff HTTP/1.1\r\nHost: {WORD}\r\n\r\n",
    f"GET /version HTTP/1.1\r\nHost: {WORD}\r\nUpgrade: {WORD}\r\nConnection: Upgrade\r\n\r\n",
    f"GET /{WORD} HTTP/1.1\r\nHost: x\r\n{WORD}: {WORD * 20_000}\r\n\r\n",
    f"POST /v1/forward HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{WORD}\r\n",
    f'POST /v1/forward HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{{"{WORD}',
]


def send_raw(server: Server) -> None:
    for text in RAW:
        with socket.create_connection(("127.0.0.1", server.port), timeout=0.5) as connection, suppress(OSError):
            connection.sendall(text.encode("latin-1"))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass


@pytest.fixture(scope="module")
def logged() -> bytes:
    """What the server wrote from its start to its end; two of its computations fail wherever they are done."""
    with run_server("tests.support.faulty_server", log_level="debug") as server:
        send_bodies(server.client)
        send_heads(server.client)
        send_raw(server)
        for path, content in (
            ("gradients", dump(PROBLEM) + PADDING),
            ("gradients", dump(PROBLEM)),
            ("forward", dump(PROBLEM)),
        ):
            assert server.client.post(f"/v1/{path}", content=content, headers=JSON).status_code == 500
        server.process.terminate()
        server.process.wait(20)
        return server.logged()


def lines_of(logged: bytes) -> list[Line]:
    return [json.loads(line) for line in logged.splitlines()]


def test_every_line_is_json_and_the_requests_are_all_there(logged: bytes) -> None:
    lines = lines_of(logged)
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    requests = [line for line in lines if line["logger"] == "gradmark.requests"]
    assert len(requests) > 2 * len(BODIES) + 20
    assert all(set(ALWAYS) <= set(line) <= set(FIELDS) for line in requests)
    assert len({line["request_id"] for line in requests}) == len(requests)


def test_no_line_holds_anything_of_what_requests_held(logged: bytes) -> None:
    text = logged.decode().lower()
    for canary in (WORD, WORD.encode().hex(), str(NUMBER)[:9], "271828"):
        assert canary not in text, text[max(0, text.index(canary) - 2000) :][:2100]


def test_a_bug_is_logged_with_where_it_is_and_which_request_met_it(logged: bytes) -> None:
    lines = lines_of(logged)
    failed = [line for line in lines if line["logger"] == "gradmark.requests" and line["status"] == 500]
    bugs = [line for line in lines if "unforeseen" in line["message"]]
    assert [line["request_id"] for line in bugs] == [line["request_id"] for line in failed]
    for line in bugs:
        assert "faulty_server.py" in line["traceback"]
        assert all(kind in line["traceback"] for kind in ("core.errors.DomainError", "KeyError", "ValueError"))
