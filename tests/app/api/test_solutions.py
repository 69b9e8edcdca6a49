"""Worked solutions over HTTP: of one's own problem, and of a token's exercise as far as its level shows."""

import re
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import orjson
import pytest

from app.access.admission import Caller
from app.access.tokens import Tokens
from app.errors import BodyError
from app.examples import ARTICLE_PROBLEM, REGRESSION_PROBLEM, SOLUTIONS, TWO_LAYER_PROBLEM
from app.operations import OPERATIONS
from app.wire.reading import parse_body
from core.budget import Budget
from core.formulas import parse_formula, value_of_entry
from core.grading import LEVELS
from tests.support.keyed import EXERCISE, client_of, keyed_app, mint

pytestmark = pytest.mark.anyio

APP = keyed_app()
STEPS = ["Z", "S", "dL_dZ", "dL_dW", "dL_db"]


async def solve(*scopes: str, **body: Any) -> httpx.Response:
    async with client_of(APP, *scopes) as client:
        return await client.post("/v1/solutions", json=body)


async def test_a_step_has_formula_latex_mathml_shapes_value_reason_checks_and_an_entry() -> None:
    reply = await solve("compute", problem=REGRESSION_PROBLEM)
    assert reply.status_code == 200, reply.text
    found = reply.json()
    assert set(found) == {"conventions", "steps", "text"}
    assert [step["quantity"] for step in found["steps"]] == ["Z", "A", "dL_dA", "dL_dZ", "dL_dW", "dL_db"]
    step = next(step for step in found["steps"] if step["quantity"] == "dL_dW")
    assert step | {"mathml": "", "why": ""} == {
        "quantity": "dL_dW",
        "title": "gradient by the weights",
        "inputs": ["X", "dL_dZ"],
        "rule": "grad_weights",
        "formula": "Xᵀ·dL/dZ",
        "latex": r"\frac{\partial L}{\partial W} = X^{\mathsf T} \frac{\partial L}{\partial Z}",
        "mathml": "",
        "shape": [2, 1],
        "shapes": {"Xᵀ": [2, 2], "dL/dZ": [2, 1]},
        "value": step["value"],
        "why": "",
        "checks": [
            {
                "name": "shapes",
                "statement": "Xᵀ·dL/dZ has the shapes (2, 2)·(2, 1), so the result has (2, 1)",
                "holds": True,
            },
            {"name": "shape_of_gradient", "statement": "the gradient has the shape of W, (2, 1)", "holds": True},
        ],
        "entry": {"index": [1, 0], "text": "2·(−0.2) + (−1)·0.175 = −0.575", "value": step["value"][1][0]},
    }
    assert step["value"] == [[pytest.approx(0.325)], [pytest.approx(-0.575)]]


@pytest.mark.parametrize("name", SOLUTIONS)
async def test_mathml_is_well_formed_and_written_entries_give_their_values(name: str) -> None:
    found = (await solve("compute", **SOLUTIONS[name]["value"])).json()
    formulas = [*found["steps"], *found.get("derivation", {}).get("steps", ())]
    assert len(formulas) >= 6
    for one in formulas:
        assert ET.fromstring(one["mathml"]).tag == "{http://www.w3.org/1998/Math/MathML}math"  # noqa: S314 - the service wrote it
    for step in found["steps"]:
        text, _, value = step["entry"]["text"].partition(" = ")
        assert value_of_entry(parse_formula(text)) == pytest.approx(step["entry"]["value"], abs=2e-4)
        assert value_of_entry(parse_formula(value or text)) == pytest.approx(step["entry"]["value"], abs=5.1e-5)


async def test_options_are_taken_as_the_page_says() -> None:
    reply = await solve("compute", **SOLUTIONS["two_layers"]["value"] | {"decimals": 2})
    found = reply.json()
    assert found["steps"][-1]["entry"]["index"] == [0, 1]
    assert found["derivation"]["quantity"] == "dL_dZ2"
    assert [step["rule"] for step in found["derivation"]["steps"]][-2:] == ["targets_sum_to_one", "result"]


@pytest.mark.parametrize("level", LEVELS)
async def test_a_token_shows_numbers_at_its_level_full_only(level: str) -> None:
    token = await mint(APP, feedback=level)
    reply = await solve(token=token, derive=True)
    assert reply.status_code == 200, reply.text
    found = reply.json()
    has_numbers = level == "full"
    assert [step["quantity"] for step in found["steps"]] == (STEPS if has_numbers else STEPS[:1])
    for step in found["steps"]:
        assert {"value", "checks", "entry"} & set(step) == ({"value", "checks", "entry"} if has_numbers else set())
        assert {"formula", "latex", "mathml", "shape", "shapes", "why"} <= set(step)
    assert ("derivation" in found) == has_numbers
    assert bool(re.search(r"\d\.\d", found["text"])) == has_numbers


async def test_right_answers_open_the_next_step_and_no_number() -> None:
    async with client_of(APP, "author") as author:
        exercise = (await author.get(f"/v1/exercises/{EXERCISE['kind']}", params={"seed": EXERCISE["seed"]})).json()
    async with client_of(APP, "compute") as computing:
        body = exercise["problem"] | {"quantities": ["Z", "S", "dL_dZ", "dL_dW"]}
        right = (await computing.post("/v1/gradients", json=body)).json()["quantities"]
    token = await mint(APP)
    answers: dict[str, Any] = {}
    for count, id_ in enumerate(["Z", "S", "dL_dZ", "dL_dW"], start=1):
        # the others may be wrong, or missing
        answers = {"dL_db": "no numbers"} | answers | {id_: right[id_]["value"]}
        found = (await solve(token=token, answers=answers)).json()
        assert [step["quantity"] for step in found["steps"]] == STEPS[: count + 1]
        assert not {"value", "checks", "entry"} & {key for step in found["steps"] for key in step}


async def test_who_may_have_what_solved() -> None:
    token = await mint(APP)
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")
    problem = {"problem": REGRESSION_PROBLEM}
    cases: list[tuple[tuple[str, ...], dict[str, Any], int]] = [
        ((), {}, 401),
        ((), problem, 401),
        ((), {"token": forged}, 401),
        ((), {"token": token}, 200),
        (("compute",), problem, 200),
        (("compute",), {"token": token}, 200),
        (("compute",), {"token": forged}, 401),
        (("grade",), problem, 403),
        (("author",), {"token": token}, 403),
        # below the level full there is no entry
        ((), {"token": token, "entry": {"Z": [0, 0]}}, 403),
        (("compute",), {"token": token, "entry": {"Z": [0, 0]}}, 403),
    ]
    for scopes, body, status in cases:
        reply = await solve(*scopes, **body)
        assert reply.status_code == status, (scopes, body, reply.text)
    at_full = await mint(APP, feedback="full")
    assert (await solve(token=at_full, entry={"Z": [0, 0]})).status_code == 200


def test_a_problem_needs_the_scope_whatever_else_let_its_sender_in() -> None:
    nobody = Caller(scopes=frozenset(), tokens=Tokens(("s" * 32,), 3600))
    body = parse_body(OPERATIONS["solve_problem"].adapter, orjson.dumps({"problem": REGRESSION_PROBLEM}))
    with pytest.raises(BodyError) as caught:
        OPERATIONS["solve_problem"].run({"body": body, "budget": Budget(), "caller": nobody})
    assert caught.value.status == 401


async def test_a_problem_beside_a_token_in_an_answer_is_not_solved_for_somebody_without_a_key() -> None:
    token = await mint(APP)
    # what opens the door is looked for anywhere in the body, what is solved is the problem
    for hidden in ({"entry": {"token": token}}, {"answers": {"token": token}}, {"problem": {"token": token}}):
        reply = await solve(**{"problem": REGRESSION_PROBLEM} | hidden)
        assert reply.status_code == 422
        assert "steps" not in reply.json()


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"quantities": ["dL_dW", "Z2"]}, "/quantities/1", "unknown_name"),
        ({"quantities": []}, "/quantities", "shape"),
        ({"entry": {"Z": [0, 9]}}, "/entry/Z", "domain"),
        ({"entry": {"Z": [0.5, 0]}}, "/entry/Z/0", "type"),
        ({"decimals": 11}, "/decimals", "domain"),
        ({"derive": True, "problem": REGRESSION_PROBLEM}, "/derive", "domain"),
        ({"answers": {"Z": 1}}, "/answers", "domain"),
        ({"token": "x"}, "/problem", "domain"),
        ({"problem": ARTICLE_PROBLEM | {"loss": "none"}}, "/problem/loss", "choice"),
        (
            {"problem": REGRESSION_PROBLEM | {"inputs": [[1.0, 2.0]] * 9000, "targets": [[1.0]] * 9000}},
            "/problem",
            None,
        ),
    ],
)
async def test_what_cannot_be_solved_is_422_with_its_pointer(
    change: dict[str, Any], pointer: str, code: str | None
) -> None:
    reply = await solve("compute", **{"problem": ARTICLE_PROBLEM} | change)
    assert reply.status_code == 422
    [error] = reply.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code or "too_large")


async def test_gradients_give_just_the_quantities_asked_for(client: httpx.AsyncClient) -> None:
    ids = ["dL_dZ1", "dL_dZ2", "dL_dA1", "L", "S", "Z1", "dL_dX"]
    reply = (await client.post("/v1/gradients", json=TWO_LAYER_PROBLEM | {"quantities": ids})).json()
    assert set(reply) == {"quantities", "conventions"}
    assert list(reply["quantities"]) == ids
    whole = (await client.post("/v1/gradients", json=TWO_LAYER_PROBLEM)).json()
    assert reply["quantities"]["L"] == {"value": pytest.approx(whole["loss"], rel=1e-14), "shape": []}
    assert reply["quantities"]["dL_dX"]["shape"] == [3, 2]
    for row, expected in zip(reply["quantities"]["dL_dX"]["value"], whole["grad_inputs"], strict=True):
        assert row == pytest.approx(expected, rel=1e-13)
    deltas = reply["quantities"]["dL_dZ2"]["value"]
    sums = [sum(row[k] for row in deltas) for k in range(2)]
    assert sums == pytest.approx(whole["layers"][1]["grad_bias"], abs=1e-15)


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"quantities": ["L", "dS_dZ2"]}, "/quantities/1", "domain"),
        ({"quantities": ["dL_dZ2", "dL_dZ"]}, "/quantities/1", "domain"),
        ({"quantities": ["Z3"]}, "/quantities/0", "unknown_name"),
        ({"quantities": ["L"], "check": True}, "/check", "domain"),
    ],
)
async def test_quantities_that_gradients_do_not_have_are_422(
    client: httpx.AsyncClient, change: dict[str, Any], pointer: str, code: str
) -> None:
    reply = await client.post("/v1/gradients", json=TWO_LAYER_PROBLEM | change)
    assert reply.status_code == 422
    [error] = reply.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)
