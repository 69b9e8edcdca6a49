"""Requests over HTTP, beside a bare ASGI application with orjson and beside idiomatic FastAPI.

All three run under uvicorn with uvloop and httptools, one worker each, and are asked in turn over one kept connection
each by a client that only copies bytes. Ours is started as users start it, and validates everything; the peers are in
`peers.py`.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import orjson

from app.examples import ARTICLE
from benchmarks.environment import describe_threads
from benchmarks.harness import Call, Goal, Row, Timings, hand_over, measure, require_equal
from benchmarks.servers import Connection, serve_ours, serve_peer, write_request
from core.arrays import Array

BARE, FASTAPI = "bare ASGI + orjson", "idiomatic FastAPI"
WIDTH = 1000

ARTICLE_ROW = "the article's example over HTTP"
JSON_ROW = f"{WIDTH}×{WIDTH} round trip, JSON"
GOALS = {(ARTICLE_ROW, BARE): Goal(1.5), (ARTICLE_ROW, FASTAPI): Goal(0.55), (JSON_ROW, FASTAPI): Goal(0.3)}

WHY: dict[tuple[str, str], str] = {}
"""Of rows that miss their goal, by row and peer: what was tried and why it stops there."""


def numbers_of_layer(reply: Mapping[str, Any]) -> list[Array]:
    """Return the numbers of a softmax layer's reply, labels checked on the way."""
    quantities = reply["quantities"]
    assert quantities["dS_dW"]["columns"] == [f"W{d}{k}" for k in range(1, 6) for d in range(1, 4)]
    assert quantities["dS_dW"]["rows"] == quantities["dS_dZ"]["rows"] == [f"S{k}" for k in range(1, 6)]
    values = [np.array(quantities[name]["value"]) for name in sorted(quantities)]
    assert len(values) == 10
    return [*values, np.array(reply["chain"]["row"]), np.array(reply["loss"])]


def numbers_of_gradients(reply: Mapping[str, Any]) -> list[Array]:
    """Return the numbers of a reply with gradients."""
    return [np.array(reply["layers"][0]["grad_weights"]), np.array(reply["grad_inputs"]), np.array(reply["loss"])]


def write_large_body() -> bytes:
    """Write a problem with a large matrix, whose gradient is as large."""
    source = np.random.default_rng(0)
    layer = {"weights": source.standard_normal((WIDTH, WIDTH)) / np.sqrt(WIDTH), "activation": "softmax"}
    problem = {
        "network": {"layers": [layer]},
        "inputs": source.standard_normal((1, WIDTH)),
        "targets": [0],
        "loss": "cross_entropy",
    }
    return orjson.dumps(problem, option=orjson.OPT_SERIALIZE_NUMPY)


def exchange(connection: Connection, request: bytes) -> Call:
    """Return one exchange."""
    return lambda: connection.exchange(request)


def rows() -> Iterator[Row]:
    """Measure the small request and the large ones."""
    with ExitStack() as stack:
        ports = {
            "ours": stack.enter_context(serve_ours()),
            BARE: stack.enter_context(serve_peer("bare")),
            FASTAPI: stack.enter_context(serve_peer("idiomatic")),
        }
        connections = {name: Connection(port) for name, port in ports.items()}
        for connection in connections.values():
            stack.callback(connection.close)
        small = write_request("/v1/softmax-layer", json.dumps(ARTICLE).encode())
        large = write_request("/v1/gradients", write_large_body())
        for what, request, numbers in (
            (ARTICLE_ROW, small, numbers_of_layer),
            (JSON_ROW, large, numbers_of_gradients),
        ):
            contestants = {name: exchange(connection, request) for name, connection in connections.items()}
            replies = {name: numbers(orjson.loads(c.exchange(request))) for name, c in connections.items()}
            require_equal(replies, relative=1e-12)
            yield from _rows_of(what, measure(contestants))


def _rows_of(what: str, timings: Timings) -> Iterator[Row]:
    for peer in (BARE, FASTAPI):
        yield timings.row(what, peer, GOALS.get((what, peer)), why=WHY.get((what, peer), ""))


if __name__ == "__main__":
    hand_over(rows(), describe_threads())
