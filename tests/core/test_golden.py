"""Core against PyTorch and JAX; tests/golden/make_golden.py says how their numbers were made."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from core.activations import ACTIVATIONS
from core.conventions import L2, Conventions
from core.jacobians import compute_jacobians
from core.losses import LOSSES
from core.problem import Layer, Network, Problem
from core.propagation import compute_forward, compute_gradients, gradient_names
from core.softmax_layer import SoftmaxLayer, compute_softmax_layer

Json = dict[str, Any]

DIRECTORY = Path(__file__).parents[1] / "golden"
SOURCES = ("torch", "jax")
GOLDEN: dict[str, Json] = {
    source: json.loads((DIRECTORY / f"{source}.json").read_text(encoding="utf-8")) for source in SOURCES
}
CASES = [(source, name) for source in SOURCES for name in GOLDEN[source]["cases"]]
WITH_JACOBIANS = [(source, name) for source, name in CASES if "jacobians" in GOLDEN[source]["cases"][name]]
SOFTMAX_LAYERS = [(source, name) for source, name in CASES if name.startswith("softmax_layer")]
IN_BOTH = [name for name in GOLDEN["torch"]["cases"] if name in GOLDEN["jax"]["cases"]]


def read_case(source: str, name: str) -> tuple[Problem, Json]:
    case: Json = GOLDEN[source]["cases"][name]
    return read_problem(case["problem"]), case


def read_problem(body: Json) -> Problem:
    layers = tuple(
        Layer(
            weights=np.array(layer["weights"], dtype=np.float64),
            bias=np.array(layer["bias"], dtype=np.float64) if "bias" in layer else None,
            activation=layer["activation"],
        )
        for layer in body["network"]["layers"]
    )
    labels = not isinstance(body["targets"][0], list)
    return Problem(
        network=Network(layers=layers),
        inputs=np.array(body["inputs"], dtype=np.float64),
        targets=np.array(body["targets"], dtype=np.int64 if labels else np.float64),
        loss=body["loss"],
        conventions=Conventions(**body["conventions"] | {"l2": L2(**body["conventions"]["l2"])}),
    )


def assert_equal_up_to_rounding(found: npt.ArrayLike, expected: npt.ArrayLike) -> None:
    found, expected = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    assert found.shape == expected.shape
    # of the array's largest entry: where entries cancel, float64 has no more in any of the three libraries;
    # where every entry is 0, so is the tolerance
    assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()


@pytest.mark.parametrize(("source", "name"), CASES)
def test_the_forward_pass_and_the_loss_are_those_of_the_framework(source: str, name: str) -> None:
    problem, expected = read_case(source, name)
    forward = compute_forward(problem)
    assert forward.loss is not None
    assert forward.losses is not None
    assert_equal_up_to_rounding(forward.outputs, expected["outputs"])
    assert_equal_up_to_rounding(forward.losses, expected["losses"])
    assert_equal_up_to_rounding(forward.loss, expected["loss"])


@pytest.mark.parametrize(("source", "name"), CASES)
def test_every_gradient_is_that_of_autograd(source: str, name: str) -> None:
    problem, expected = read_case(source, name)
    gradients = compute_gradients(problem)
    found = {"dL_dX": gradients.grad_inputs}
    for number, layer in enumerate(gradients.layers, start=1):
        found[f"dL_dW{number}"] = layer.grad_weights
        if layer.grad_bias is not None:
            found[f"dL_db{number}"] = layer.grad_bias
    assert set(found) == set(gradient_names(problem)) == set(expected["gradients"])
    for quantity, value in found.items():
        assert_equal_up_to_rounding(value, expected["gradients"][quantity])
    assert_equal_up_to_rounding(gradients.loss, expected["loss"])


@pytest.mark.parametrize(("source", "name"), WITH_JACOBIANS)
def test_every_jacobian_is_that_of_autograd_with_weights_stacked_by_columns(source: str, name: str) -> None:
    problem, expected = read_case(source, name)
    found = compute_jacobians(problem, list(expected["jacobians"])).jacobians
    assert set(found) == set(expected["jacobians"])
    for quantity, jacobian in found.items():
        assert_equal_up_to_rounding(jacobian.value, expected["jacobians"][quantity])


@pytest.mark.parametrize(("source", "name"), SOFTMAX_LAYERS)
def test_the_softmax_layer_is_that_of_autograd_by_the_long_way_and_by_the_shortcut(source: str, name: str) -> None:
    problem, expected = read_case(source, name)
    assert problem.targets is not None
    (only,) = problem.network.layers
    layer = SoftmaxLayer(weights=only.weights, bias=only.bias, inputs=problem.inputs, target=problem.targets)
    result = compute_softmax_layer(layer)
    values = {quantity: entry.value for quantity, entry in result.quantities.items()}
    gradients = expected["gradients"]
    assert_equal_up_to_rounding(result.loss, expected["loss"])
    assert_equal_up_to_rounding(values["S"], expected["outputs"][0])
    assert_equal_up_to_rounding(values["dL_dW"], gradients["dL_dW1"])
    assert_equal_up_to_rounding(values["dL_db"], gradients["dL_db1"])
    assert_equal_up_to_rounding(values["dL_dX"], gradients["dL_dX"][0])
    for quantity, jacobian in expected["jacobians"].items():
        assert_equal_up_to_rounding(values[quantity], jacobian[0])
    assert result.chain is not None
    assert_equal_up_to_rounding(result.chain.row, np.array(gradients["dL_dW1"]).ravel(order="F"))


@pytest.mark.parametrize("name", IN_BOTH)
def test_torch_and_jax_agree(name: str) -> None:
    torch, jax = (GOLDEN[source]["cases"][name] for source in SOURCES)
    assert torch["problem"] == jax["problem"]
    assert set(torch) == set(jax)
    for key in ("loss", "losses", "outputs"):
        assert_equal_up_to_rounding(torch[key], jax[key])
    for key in ("gradients", "jacobians"):
        torch_arrays, jax_arrays = torch.get(key, {}), jax.get(key, {})
        assert set(torch_arrays) == set(jax_arrays)
        for quantity, array in torch_arrays.items():
            assert_equal_up_to_rounding(array, jax_arrays[quantity])


def test_only_the_leaky_relu_at_zero_is_not_in_both_files() -> None:
    # JAX takes 1 for its derivative at 0, PyTorch and core the slope
    assert {name for _, name in CASES} - set(IN_BOTH) == {"at_zero_leaky_relu"}


@pytest.mark.parametrize("source", SOURCES)
def test_the_golden_file_covers_every_activation_and_loss_that_it_lists(source: str) -> None:
    # the file's own list, not the registries: an entry that is new in core needs no new golden file
    golden = GOLDEN[source]
    problems = [case["problem"] for case in golden["cases"].values()]
    names = [[layer["activation"] for layer in problem["network"]["layers"]] for problem in problems]
    assert {name for *hidden, _ in names for name in hidden} == set(golden["activations"])
    assert {output for *_, output in names} == set(golden["activations"])
    assert {problem["loss"] for problem in problems} == set(golden["losses"])
    assert set(golden["activations"]) <= set(ACTIVATIONS)
    assert set(golden["losses"]) <= set(LOSSES)


@pytest.mark.parametrize("source", SOURCES)
def test_the_golden_file_says_how_it_was_made(source: str) -> None:
    assert (DIRECTORY.parents[1] / GOLDEN[source]["made_by"]).is_file()
    assert set(GOLDEN[source]["versions"]) == {source, "numpy", "python"}
