"""Marking over HTTP in process: a submission and its parts, and answers that may be anything."""

import json
from typing import Any

import httpx
import pytest

from app.examples import ARTICLE_PROBLEM, TWO_LAYER_PROBLEM
from core.answers.assembly import MOST_AXES

Json = dict[str, Any]

UNSTATED = {key: value for key, value in TWO_LAYER_PROBLEM.items() if key != "conventions"}


async def grade(client: httpx.AsyncClient, **body: object) -> Json:
    """Post a submission that has to be marked; Python's json writes NaN and Infinity as bare words."""
    return read(await client.post("/v1/grades", content=json.dumps(body), headers={"Content-Type": "application/json"}))


def read(reply: httpx.Response) -> Json:
    """Read a reply that has to be JSON, with no NaN in it."""
    assert reply.status_code == 200, reply.text
    document: Json = json.loads(reply.content, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    return document


async def mark(client: httpx.AsyncClient, answer: object, quantity: str = "dL_dW", **body: object) -> Json:
    """Mark one answer, of the article's problem unless another one is given; return its part."""
    [part] = (await grade(client, **{"problem": ARTICLE_PROBLEM} | body, answers={quantity: answer}))["parts"]
    assert part["quantity"] == quantity, part
    found: Json = part
    return found


async def compute(client: httpx.AsyncClient, problem: Json, *ids: str) -> dict[str, Any]:
    """Compute quantities by their ids."""
    reply = await client.post("/v1/jacobians", json=problem | {"jacobians": ids})
    return {name: entry["value"] for name, entry in reply.json()["jacobians"].items()}


DEEPEST = 5000
"""Elsewhere a body is no JSON that is read here long before."""

# as it stands in the body, with its verdict
ANY_ANSWERS = [
    # right: the loss is 1.52788…
    ("1.5279", "correct"),
    ('"1.5279"', "correct"),
    ('"L = 1.5279"', "correct"),
    ('"1,5279"', "correct"),
    ("15279e-4", "correct"),
    ("1.52790000000000000000000000000000000000000000", "correct"),
    ("0." + "0" * 5000 + "1e5001", "incorrect"),
    # numbers that are none
    ("NaN", "not_finite"),
    ("Infinity", "not_finite"),
    ("-Infinity", "not_finite"),
    ("[NaN, 1]", "not_finite"),
    ('"nan"', "not_finite"),
    ('"[inf 1.0]"', "not_finite"),
    ("1e400", "not_finite"),
    ("[[-1e999, 2]]", "not_finite"),
    ("9" * 400, "not_finite"),
    ("9" * 5000, "not_finite"),
    ("-" + "9" * 5000, "not_finite"),
    ("9" * 5000 + ".5e1", "not_finite"),
    ("[NaN, " + "9" * 5000 + "e-5000]", "not_finite"),
    ('["' + "9" * 5000 + '", ' + "9" * 5000 + "]", "not_finite"),
    # shapes
    ("[[1, 2], [3, 4]]", "wrong_shape"),
    ("[1.5279]", "correct"),
    ("[" * MOST_AXES + "1.5279" + "]" * MOST_AXES, "correct"),
    ("[[[[1]]]]", "incorrect"),
    ("[1.5279, 1.5279]", "wrong_shape"),
    ('["1.5279", "1"]', "wrong_shape"),
    # what no reader makes numbers of
    ("null", "unreadable"),
    ("true", "unreadable"),
    ("[]", "unreadable"),
    ("[[], []]", "unreadable"),
    ("[1, null]", "unreadable"),
    ("[[1], [2, 3]]", "unreadable"),
    ("[1, [2]]", "unreadable"),
    ('["1", "x"]', "unreadable"),
    ("{}", "unreadable"),
    ('{"value": [NaN, {"L": null}]}', "unreadable"),
    ('"null"', "unreadable"),
    ('""', "unreadable"),
    ('"1,528"', "unreadable"),
    ('"about 1.5"', "unreadable"),
    ('"__import__(\\"os\\")"', "unreadable"),
    ('"' + "[" * 100_000 + '"', "unreadable"),
    ('"' + "9 " * 100_000 + '"', "wrong_shape"),
    ("[" * (MOST_AXES + 1) + "1" + "]" * (MOST_AXES + 1), "unreadable"),
    ("[" * DEEPEST + "NaN" + "]" * DEEPEST, "unreadable"),
    ("[" + "1," * 50_000 + "1]", "wrong_shape"),
]
