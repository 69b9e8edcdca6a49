"""Requests over HTTP, beside a bare ASGI application with orjson and beside idiomatic FastAPI.

The article's example is set beside peers that make the same call of the core, so that the ways to it and back are
compared; and beside peers that compute it in a page of NumPy, which has neither table nor checks. All three run under
uvicorn with uvloop and httptools, one worker each, and are asked in turn over one kept connection each by a client that
only copies bytes. Ours is started as users start it, and validates everything; the peers are in `peers.py`.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import orjson

from app.examples import ARTICLE
from benchmarks.environment import describe_threads
from benchmarks.harness import Goal, Row, hand_over, measure, require_equal
from benchmarks.servers import Connection, serve_ours, serve_peer, write_request
from core.arrays import Array
from tests.app.tensor_client import MEDIA_TYPE, from_tensors, to_tensors

BARE, FASTAPI = "bare ASGI + orjson", "idiomatic FastAPI"
WIDTH = 1000

ARTICLE_ROW = "the article's example over HTTP"
PLAIN_ROW = "the same, the peers in straight lines of NumPy"
JSON_ROW = f"{WIDTH}×{WIDTH} round trip, JSON"
TENSORS_ROW = f"{WIDTH}×{WIDTH} round trip, binary"
GOALS = {
    (ARTICLE_ROW, BARE): Goal(1.5),
    (ARTICLE_ROW, FASTAPI): Goal(0.55),
    (JSON_ROW, FASTAPI): Goal(0.3),
    (TENSORS_ROW, FASTAPI): Goal(0.06),
}

WHY = (
    "From run to run it is 0.50 to 0.62. Of some 330 µs the core's call, which the peer makes as well, takes 150 "
    "(87 where nothing else runs in between), uvicorn and the kernel 60, reading and checking the body 55, "
    "routing 30, writing 25. Tried: the route's own ASGI application, one flat list of routes, telemetry hooks "
    "off, no thread, plans of the table kept, one kernel for the whole sample. Fewer collections of garbage gain "
    "another 4 %, which was not worth a setting."
)
"""What was tried for rows that miss their goal, and why it stops there."""


@dataclass(frozen=True)
class Ask:
    """A request, and how to read its reply."""

    request: bytes
    numbers: Callable[[bytes], list[Array]]


def numbers_of_layer(content: bytes) -> list[Array]:
    """Return the numbers of a softmax layer's reply, labels checked on the way."""
    reply = orjson.loads(content)
    quantities = reply["quantities"]
    assert quantities["dS_dW"]["columns"] == [f"W{d}{k}" for k in range(1, 6) for d in range(1, 4)]
    assert quantities["dS_dW"]["rows"] == quantities["dS_dZ"]["rows"] == [f"S{k}" for k in range(1, 6)]
    values = [np.array(quantities[name]["value"]) for name in sorted(quantities)]
    assert len(values) == 10
    return [*values, np.array(reply["chain"]["row"]), np.array(reply["loss"])]


def numbers_of_gradients(content: bytes) -> list[Array]:
    """Return the numbers of a reply with gradients."""
    reply = orjson.loads(content)
    return [np.array(reply["layers"][0]["grad_weights"]), np.array(reply["grad_inputs"]), np.array(reply["loss"])]


def make_large_problem() -> dict[str, Any]:
    """Make a problem with a large matrix, whose gradient is as large."""
    source = np.random.default_rng(0)
    layer = {"weights": source.standard_normal((WIDTH, WIDTH)) / np.sqrt(WIDTH), "activation": "softmax"}
    return {
        "network": {"layers": [layer]},
        "inputs": source.standard_normal((1, WIDTH)),
        "targets": [0],
        "loss": "cross_entropy",
    }


def numbers_of_tensors(content: bytes) -> list[Array]:
    """Return the numbers of a binary reply with gradients."""
    reply = from_tensors(content)
    return [reply["layers"][0]["grad_weights"], reply["grad_inputs"], np.array(reply["loss"])]


def asks() -> dict[str, dict[str, Ask]]:
    """Return what each row asks whom for."""
    article, problem = json.dumps(ARTICLE).encode(), make_large_problem()
    small = Ask(write_request("/v1/softmax-layer", article), numbers_of_layer)
    same = Ask(write_request("/v1/softmax-layer-by-core", article), numbers_of_layer)
    content = orjson.dumps(problem, option=orjson.OPT_SERIALIZE_NUMPY)
    large = Ask(write_request("/v1/gradients", content), numbers_of_gradients)
    request = write_request("/v1/gradients", to_tensors(problem), media_type=MEDIA_TYPE)
    return {
        ARTICLE_ROW: {"ours": small, BARE: same, FASTAPI: same},
        PLAIN_ROW: {"ours": small, BARE: small, FASTAPI: small},
        JSON_ROW: {"ours": large, BARE: large, FASTAPI: large},
        TENSORS_ROW: {"ours": Ask(request, numbers_of_tensors), BARE: large, FASTAPI: large},
    }


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
        for what, asked in asks().items():
            replies = {name: ask.numbers(connections[name].exchange(ask.request)) for name, ask in asked.items()}
            require_equal(replies, relative=1e-12)
            timings = measure({name: partial(connections[name].exchange, ask.request) for name, ask in asked.items()})
            for peer in list(asked)[1:]:
                yield timings.row(what, peer, GOALS.get((what, peer)), why=WHY)


if __name__ == "__main__":
    hand_over(rows(), describe_threads)
