"""The other endpoints: what they return for small problems whose numbers can be worked out by hand."""

import httpx
import numpy as np
import pytest

from app.examples import ARTICLE_PROBLEM, REGRESSION_PROBLEM, TWO_LAYER_PROBLEM, TWO_LAYERS

pytestmark = pytest.mark.anyio

DEFAULT_CONVENTIONS = {
    "reduction": "mean",
    "l2": {"strength": 0.0, "factor": 0.5, "biases": False, "per_sample": False},
    "log_base": "e",
    "column_order": "columns_first",
    "relu_at_zero": 0.0,
}


async def test_forward_without_targets_has_neither_loss_nor_conventions(client: httpx.AsyncClient) -> None:
    reply = await client.post("/v1/forward", json={"network": TWO_LAYERS, "inputs": [[1.0, 2.0]]})
    assert set(reply.json()) == {"layers", "outputs"}
    assert reply.json()["outputs"] == reply.json()["layers"][-1]["activations"]


async def test_forward_with_targets_has_each_loss_and_theirs(client: httpx.AsyncClient) -> None:
    reply = (await client.post("/v1/forward", json=REGRESSION_PROBLEM)).json()
    # z = 0.5·x1 − 0.25·x2 + 0.1: 0.1 and 1.85; halves of the squared differences from 0.5 and 1.5
    np.testing.assert_allclose(reply["outputs"], [[0.1], [1.85]], rtol=1e-15)
    np.testing.assert_allclose(reply["losses"], [0.08, 0.06125], rtol=1e-14)
    assert reply["loss"] == pytest.approx(0.070625, rel=1e-14)
    assert reply["conventions"] == DEFAULT_CONVENTIONS


async def test_gradients_have_the_shapes_of_what_they_are_taken_by(client: httpx.AsyncClient) -> None:
    reply = (await client.post("/v1/gradients", json=REGRESSION_PROBLEM)).json()
    # dL/dZ = (−0.4, 0.35)/2, dL/dW = Xᵀ·dL/dZ, dL/db its sum, dL/dX = dL/dZ·Wᵀ
    np.testing.assert_allclose(reply["layers"][0]["grad_weights"], [[0.325], [-0.575]], rtol=1e-14)
    np.testing.assert_allclose(reply["layers"][0]["grad_bias"], [-0.025], rtol=1e-13)
    np.testing.assert_allclose(reply["grad_inputs"], [[-0.1, 0.05], [0.0875, -0.04375]], rtol=1e-14)
    assert "check" not in reply


async def test_a_layer_without_bias_has_no_grad_bias(client: httpx.AsyncClient) -> None:
    reply = (await client.post("/v1/gradients", json=ARTICLE_PROBLEM)).json()
    assert set(reply["layers"][0]) == {"grad_weights"}


async def test_a_check_compares_with_complex_steps(client: httpx.AsyncClient) -> None:
    check = (await client.post("/v1/gradients", json=TWO_LAYER_PROBLEM | {"check": True})).json()["check"]
    assert check["method"] == "complex_step"
    assert check["max_rel_error"] < 1e-13
    assert set(check["worst"]) == {"quantity", "index", "analytic", "numeric"}
    assert set(check["entries"]) == {"checked", "of"}
    assert check["entries"]["checked"] == check["entries"]["of"]


@pytest.mark.parametrize(
    ("conventions", "expected"),
    [
        ({}, {}),
        ({"reduction": "sum"}, {"reduction": "sum"}),
        ({"log_base": 2}, {"log_base": 2}),
        (
            {"l2": {"strength": 0.5, "factor": 1, "per_sample": True}},
            {"l2": {"strength": 0.5, "factor": 1.0, "biases": False, "per_sample": True}},
        ),
        ({"column_order": "rows_first", "relu_at_zero": 1}, {"column_order": "rows_first", "relu_at_zero": 1.0}),
    ],
)
async def test_conventions_come_back_complete(
    client: httpx.AsyncClient, conventions: dict[str, object], expected: dict[str, object]
) -> None:
    problem = ARTICLE_PROBLEM | {"conventions": conventions}
    for path, more in [("forward", {}), ("gradients", {}), ("jacobians", {"jacobians": ["dL_dW"]})]:
        reply = (await client.post(f"/v1/{path}", json=problem | more)).json()
        assert reply["conventions"] == DEFAULT_CONVENTIONS | expected


async def test_jacobians_name_their_factors_and_keep_the_ids_as_asked(client: httpx.AsyncClient) -> None:
    asked = ["dL_dW1", "dA2_dX", "dZ1_db1"]
    reply = (await client.post("/v1/jacobians", json=TWO_LAYER_PROBLEM | {"jacobians": asked})).json()["jacobians"]
    assert list(reply) == asked
    assert reply["dL_dW1"]["factors"] == ["dL_dS", "dS_dZ2", "dZ2_dA1", "dA1_dZ1", "dZ1_dW1"]
    assert reply["dL_dW1"]["shape"] == [2, 3]
    assert "rows" not in reply["dL_dW1"]
    assert reply["dA2_dX"]["factors"] == ["dS_dZ2", "dZ2_dA1", "dA1_dZ1", "dZ1_dX"]
    assert reply["dA2_dX"]["shape"] == [3, 2, 2]
    assert reply["dA2_dX"]["rows"] == ["S1", "S2"]
    assert reply["dZ1_db1"]["columns"] == ["b1[1]", "b1[2]", "b1[3]"]


async def test_steps_return_a_network_that_the_next_request_takes(client: httpx.AsyncClient) -> None:
    body = TWO_LAYER_PROBLEM | {"learning_rate": 0.5, "count": 4}
    first = (await client.post("/v1/steps", json=body)).json()
    second = (await client.post("/v1/steps", json=body | {"network": first["network"]})).json()
    whole = (await client.post("/v1/steps", json=body | {"count": 8})).json()
    assert len(first["losses"]) == 5
    assert first["losses"][-1] == second["losses"][0]
    assert whole["losses"] == first["losses"] + second["losses"][1:]
    assert whole["network"] == second["network"]


async def test_a_step_is_the_weights_less_the_rate_times_the_gradient(client: httpx.AsyncClient) -> None:
    grad = (await client.post("/v1/gradients", json=REGRESSION_PROBLEM)).json()["layers"][0]
    body = REGRESSION_PROBLEM | {"learning_rate": 0.1, "count": 1}
    layer = (await client.post("/v1/steps", json=body)).json()["network"]["layers"][0]
    before = REGRESSION_PROBLEM["network"]["layers"][0]
    np.testing.assert_allclose(
        layer["weights"], np.array(before["weights"]) - 0.1 * np.array(grad["grad_weights"]), rtol=1e-15
    )
    np.testing.assert_allclose(layer["bias"], np.array(before["bias"]) - 0.1 * np.array(grad["grad_bias"]), rtol=1e-15)
    assert layer["activation"] == before["activation"]


SMALL = {"network": {"layers": [{"weights": [[1, 2], [3, 4]], "activation": "softmax"}]}, "inputs": [[1, 1]]}


async def compute_small(client: httpx.AsyncClient, targets: object) -> httpx.Response:
    return await client.post("/v1/gradients", json=SMALL | {"targets": targets, "loss": "cross_entropy"})


async def test_class_indices_may_be_written_as_floating_point(client: httpx.AsyncClient) -> None:
    expected = await compute_small(client, [1])
    reply = await compute_small(client, [1.0])
    assert (reply.status_code, reply.content) == (200, expected.content)
    refused = await compute_small(client, [1.5])
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/targets/0"]


async def test_a_distribution_in_float32_is_computed_with_as_it_is(client: httpx.AsyncClient) -> None:
    targets = [0.30000001192092896, 0.7000000476837158]
    reply = await compute_small(client, [targets])
    assert reply.status_code == 200
    s = 1 / (1 + np.exp(2.0))
    # s·Σy − y, with a sum that is not 1 to the last digit
    expected = s * sum(targets) - targets[0]
    assert reply.json()["layers"][0]["grad_weights"][0][0] == pytest.approx(expected, rel=1e-12)
