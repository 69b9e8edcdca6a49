"""Requests over HTTP, beside a bare ASGI application with orjson and beside idiomatic FastAPI.

Both peers (`peers.py`) make the same call of our core, and run under uvicorn. All three have uvloop and httptools, and
one process that serves. A client that only copies bytes asks them in turn, over one kept connection each. Ours is
started as users start it, and validates everything.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import numpy as np
import orjson

from app.examples import ARTICLE
from benchmarks.harness import Goal, Row, measure, require_equal
from benchmarks.problems import describe, draw_problem, write_json
from benchmarks.servers import Connection, serve_ours, serve_peer, write_request
from core.arrays import Array
from tests.support.tensor_client import MEDIA_TYPE, from_tensors, to_tensors

BARE, FASTAPI = "bare ASGI + orjson", "idiomatic FastAPI"
WIDTH = 1000

ARTICLE_ROW = "the article's example over HTTP"
ADDED_ROW = f"{ARTICLE_ROW}: what is added to {BARE}"
JSON_ROW = f"{WIDTH}×{WIDTH} round trip, JSON"
TENSORS_ROW = f"{WIDTH}×{WIDTH} round trip, binary"
ADDED_GOAL = Goal(0.33)
GOALS = {(JSON_ROW, FASTAPI): Goal(0.3), (TENSORS_ROW, FASTAPI): Goal(0.06)}

WHY = (
    "An empty request takes our server 31 µs, and uvicorn 37. What is added is Python: admission, media types and the "
    "budget of memory (50 µs), the log line and the metrics (35), the framework's layers (15), the reply's fields and "
    "labels (15), the body's checks (5 beside those of the core, which both make). Gained: routing at once, the head "
    "sent with the body, fields read in one call. Tried without gain: no telemetry hooks, no thread, fewer garbage "
    "collections."
)


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
    reply = orjson.loads(content) if content.startswith(b"{") else from_tensors(content)
    return [np.array(reply["layers"][0]["grad_weights"]), np.array(reply["grad_inputs"]), np.array(reply["loss"])]


def asks() -> dict[str, dict[str, Ask]]:
    """Return what each row asks whom for."""
    small = Ask(write_request("/v1/softmax-layer", write_json(ARTICLE)), numbers_of_layer)
    problem = describe(draw_problem(1, (WIDTH, WIDTH)))
    large = Ask(write_request("/v1/gradients", write_json(problem)), numbers_of_gradients)
    binary = write_request("/v1/gradients", to_tensors(problem), media_type=MEDIA_TYPE)
    return {
        ARTICLE_ROW: {"ours": small, BARE: small, FASTAPI: small},
        JSON_ROW: {"ours": large, BARE: large, FASTAPI: large},
        TENSORS_ROW: {"ours": Ask(binary, numbers_of_gradients), BARE: large, FASTAPI: large},
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
            if what == ARTICLE_ROW:
                added = timings.above(BARE)
                yield added.row(ADDED_ROW, FASTAPI, ADDED_GOAL, why=WHY)
            for peer in (BARE, FASTAPI):
                yield timings.row(what, peer, GOALS.get((what, peer)))
