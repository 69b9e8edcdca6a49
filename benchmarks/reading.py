"""A request's body from bytes to checked arrays, beside bare simdjson and beside what FastAPI does by default.

A part of a request: the service's rows have the whole. The body is a layer of n×n and one sample. Ours checks
everything that the service checks. Bare simdjson parses and copies each array out, and checks nothing. FastAPI's
default is json.loads, a pydantic model of lists, and np.array.
"""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import simdjson
from pydantic import TypeAdapter

from app.schemas.compute_bodies import ForwardBody
from app.wire.reading import parse_body
from benchmarks.harness import Goal, Row, measure, require_equal
from benchmarks.peers import ProblemRequest
from benchmarks.problems import describe, draw_problem, write_json
from core.arrays import Array

WIDTHS = (50, 200, 1000)
GOALS = {"bare simdjson": Goal(1.5), "FastAPI's default": Goal(0.15)}

WHY = (
    "simdjson takes 33 µs for a body of 50 kB. The checks take 30 µs for any small body: each row's length, the count "
    "of brackets, how long numbers are, the names, and whether the shapes fit. From about 70×70 on the row is within "
    "the goal. Looking for long numbers took another 30 µs at 50×50, and a quarter of the time at 1000×1000, until it "
    "went by hops from comma to comma."
)
"""Why a row misses its goal."""

BODY: TypeAdapter[ForwardBody] = TypeAdapter(ForwardBody)
PARSER = simdjson.Parser()


def write_body(width: int) -> bytes:
    """Write a body with numbers of full precision."""
    problem = describe(draw_problem(1, (width, width)))
    return write_json({"network": problem["network"], "inputs": problem["inputs"]})


def ours(raw: bytes) -> list[Array]:
    """Read as the service does."""
    body = parse_body(BODY, raw)
    return [body.network.layers[0].weights, body.inputs]


def by_simdjson(raw: bytes) -> list[Array]:
    """Parse and copy, and check nothing."""
    document: Any = PARSER.parse(raw)
    inputs = np.frombuffer(document.at_pointer("/inputs").as_buffer(of_type="d"))
    weights = np.frombuffer(document.at_pointer("/network/layers/0/weights").as_buffer(of_type="d"))
    return [weights.reshape(len(inputs), -1), inputs.reshape(1, -1)]


def by_fastapi(raw: bytes) -> list[Array]:
    """Read as FastAPI does where nobody says how, and make arrays of it as a handler does."""
    body = ProblemRequest.model_validate(json.loads(raw))
    return [np.array(body.network.layers[0].weights), np.array(body.inputs)]


def rows() -> Iterator[Row]:
    """Measure each size."""
    for width in WIDTHS:
        raw = write_body(width)
        readers = {"ours": ours, "bare simdjson": by_simdjson, "FastAPI's default": by_fastapi}
        require_equal({name: read(raw) for name, read in readers.items()}, relative=0.0)
        timings = measure({name: partial(read, raw) for name, read in readers.items()})
        what = f"reading alone: validated JSON → array, {width}×{width}"
        for peer, goal in GOALS.items():
            yield timings.row(what, peer, goal, why=WHY)
