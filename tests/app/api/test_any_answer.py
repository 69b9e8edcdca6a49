"""An answer may be anything: under /answers whatever JSON can hold, and more, is a verdict and never an error."""

import json
import math
from typing import Any

import httpx
import pytest

from app.examples import ARTICLE_PROBLEM
from tests.support.grades import ANY_ANSWERS

pytestmark = pytest.mark.anyio


async def mark(client: httpx.AsyncClient, answers: str) -> dict[str, dict[str, Any]]:
    """Mark answers to the article's problem that are given as they stand in the body; return parts by quantity."""
    body = f'{{"problem": {json.dumps(ARTICLE_PROBLEM)}, "answers": {answers}}}'
    reply = await client.post("/v1/grades", content=body.encode(), headers={"Content-Type": "application/json"})
    assert reply.status_code == 200, reply.text
    assert len(reply.content) < 3000
    document = json.loads(reply.content, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    return {part["quantity"]: part for part in document["parts"]}


@pytest.mark.parametrize(
    ("answer", "verdict"), ANY_ANSWERS, ids=[f"{answer[:20]} {verdict}" for answer, verdict in ANY_ANSWERS]
)
async def test_whatever_an_answer_is_it_has_a_verdict(client: httpx.AsyncClient, answer: str, verdict: str) -> None:
    part = (await mark(client, f'{{"L": {answer}}}'))["L"]
    assert part["verdict"] == verdict
    assert part["score"] == (verdict == "correct")
    assert ("reading" in part) == (verdict == "unreadable")
    if verdict == "unreadable":
        assert set(part["reading"]) == {"row", "column", "message"}
        assert min(part["reading"]["row"], part["reading"]["column"]) >= 1


async def test_what_cannot_be_read_is_located_in_text_and_in_arrays(client: httpx.AsyncClient) -> None:
    parts = await mark(client, '{"S": "[[0.1 0.2]\\n [0.3 x]]", "dL_dW": [[1, 2], [3, null]]}')
    places = {name: (part["reading"]["row"], part["reading"]["column"]) for name, part in parts.items()}
    assert places == {"S": (2, 7), "dL_dW": (2, 2)}


async def test_one_bad_answer_leaves_the_others_as_they_are(client: httpx.AsyncClient) -> None:
    parts = await mark(client, '{"S": null, "dL_dW": NaN, "Z": {"NaN": NaN}, "L": 1.5279}')
    verdicts = {name: part["verdict"] for name, part in parts.items()}
    assert verdicts == {"S": "unreadable", "dL_dW": "not_finite", "Z": "unreadable", "L": "correct"}


async def test_a_message_with_the_word_null_breaks_no_reply(client: httpx.AsyncClient) -> None:
    part = (await mark(client, '{"L": null}'))["L"]
    assert "null" in part["reading"]["message"]


@pytest.mark.parametrize("number", ["NaN", "1e400"])
@pytest.mark.parametrize("place", ["beside", "within"])
async def test_what_is_not_finite_anywhere_else_is_refused(client: httpx.AsyncClient, number: str, place: str) -> None:
    problem = json.dumps(ARTICLE_PROBLEM)
    if place == "within":
        problem = problem.replace("0.11", number)
    extra = f', "answers2": {number}' if place == "beside" else ""
    body = f'{{"problem": {problem}, "answers": {{"L": NaN}}{extra}}}'
    reply = await client.post("/v1/grades", content=body.encode(), headers={"Content-Type": "application/json"})
    assert reply.status_code == (400 if number == "NaN" else 422)
    assert reply.json()["errors"][0]["pointer"] == (
        "/problem/network/layers/0/weights/2/0" if place == "within" else "/answers2"
    )


def test_the_cases_hold_the_number_that_they_say() -> None:
    assert math.isclose(float("0." + "0" * 5000 + "1e5001"), 1.0)
