"""Conventions in marking over HTTP: what is not stated may be another choice, what is stated is binding."""

from typing import Any

import httpx
import pytest

from app.examples import ARTICLE_PROBLEM
from tests.support.grades import UNSTATED, compute, grade, mark

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

SWITCHES: list[tuple[Json, Json, Json]] = [
    ({}, {"reduction": "sum"}, {"reduction": "sum"}),
    ({}, {"log_base": 2}, {"log_base": 2}),
    ({"l2": {"strength": 0.1}}, {"l2": {"strength": 0.1, "factor": 1}}, {"l2.factor": 1}),
    ({"l2": {"strength": 0.1}}, {"l2": {"strength": 0.1, "per_sample": True}}, {"l2.per_sample": True}),
]
DEFAULTS: Json = {"reduction": "mean", "log_base": "e", "l2": {"factor": 0.5, "per_sample": False}}


@pytest.mark.parametrize(("stated", "used", "switch"), SWITCHES)
async def test_a_default_that_is_not_stated_may_be_another(
    client: httpx.AsyncClient, stated: Json, used: Json, switch: Json
) -> None:
    answers = await compute(client, UNSTATED | {"conventions": used}, "dL_dW1", "dL_dW2")
    document = await grade(client, problem=UNSTATED | {"conventions": stated}, answers=answers)
    for part in document["parts"]:
        assert (part["verdict"], part["score"], part["convention"]) == ("convention_mismatch", 0.5, switch)
        assert part["diagnoses"] == []
    assert document["conventions"]["reduction"] == "mean"


ZEROS: Json = {
    "network": {
        "layers": [
            {"weights": [[1.0, 2.0], [-1.0, 1.0]], "bias": [0.0, 0.0], "activation": "relu"},
            {"weights": [[1.0, -1.0], [0.5, 2.0]], "activation": "softmax"},
        ]
    },
    "inputs": [[1.0, 1.0], [2.0, -1.0]],
    "targets": [0, 1],
    "loss": "cross_entropy",
}
"""A pre-activation of the first sample is 0."""


@pytest.mark.parametrize("slope", [0.5, 1])
async def test_the_slope_of_relu_at_zero_is_a_convention(client: httpx.AsyncClient, slope: float) -> None:
    answers = await compute(client, ZEROS | {"conventions": {"relu_at_zero": slope}}, "dL_dW1")
    [part] = (await grade(client, problem=ZEROS, answers=answers))["parts"]
    assert (part["verdict"], part["convention"]) == ("convention_mismatch", {"relu_at_zero": slope})
    [part] = (await grade(client, problem=ZEROS | {"conventions": {"relu_at_zero": 0}}, answers=answers))["parts"]
    assert part["verdict"] == "incorrect"
    # with no pre-activation below 0, slope 1 is no activation as well
    assert "relu_slope_at_zero" in part["diagnoses"][0]["mistakes"] + part["diagnoses"][0]["equivalent"]


async def test_half_the_slope_of_relu_at_zero_worked_out_by_hand_is_a_convention(client: httpx.AsyncClient) -> None:
    by_hand = [[1.1406424237025838, -0.4846019212634104], [-1.3120810048783471, 1.3549406501722878]]
    part = await mark(client, by_hand, "dL_dW1", problem=ZEROS)
    assert (part["verdict"], part["convention"]) == ("convention_mismatch", {"relu_at_zero": 0.5})


@pytest.mark.parametrize("order", ["columns_first", "rows_first"])
async def test_the_order_of_columns_is_a_convention(client: httpx.AsyncClient, order: str) -> None:
    other = {"columns_first": "rows_first", "rows_first": "columns_first"}[order]
    answers = await compute(client, ARTICLE_PROBLEM | {"conventions": {"column_order": other}}, "dS_dW", "dZ_dW")
    stated = await grade(client, problem=ARTICLE_PROBLEM | {"conventions": {"column_order": order}}, answers=answers)
    named = [part["diagnoses"][0]["mistakes"] for part in stated["parts"]]
    assert named == [[f"flattened_{other}"]] * 2
    unstated = await grade(client, problem=ARTICLE_PROBLEM, answers=answers)
    found = [(part["verdict"], part.get("convention")) for part in unstated["parts"]]
    is_default = other == "columns_first"
    assert found == [("correct", None) if is_default else ("convention_mismatch", {"column_order": other})] * 2


@pytest.mark.parametrize(("stated", "used", "switch"), SWITCHES)
async def test_a_default_that_is_stated_is_binding(
    client: httpx.AsyncClient, stated: Json, used: Json, switch: Json
) -> None:
    answers = await compute(client, UNSTATED | {"conventions": used}, "dL_dW1", "dL_dW2")
    [key] = used
    stated = {key: stated.get(key, {}) | DEFAULTS[key] if key == "l2" else DEFAULTS[key]}
    document = await grade(client, problem=UNSTATED | {"conventions": stated}, answers=answers)
    for part in document["parts"]:
        assert (part["verdict"], part["score"]) == ("incorrect", 0.0)
        assert len(part["diagnoses"][0]["mistakes"]) == 1
        assert "convention" not in part


async def test_every_convention_of_an_exercise_is_stated(client: httpx.AsyncClient) -> None:
    exercise = (await client.get("/v1/exercises/weight_gradients?seed=3")).json()
    other = exercise["problem"]["conventions"] | {"reduction": "sum"}
    answers = await compute(client, exercise["problem"] | {"conventions": other}, *exercise["asks"])
    document = await grade(client, exercise={"kind": "weight_gradients", "seed": 3}, answers=answers)
    assert document["parts"][0]["verdict"] == "incorrect"
    assert document["parts"][0]["diagnoses"][0]["mistakes"] == ["summed_over_batch"]
