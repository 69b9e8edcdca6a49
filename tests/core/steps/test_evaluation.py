"""Running the table of steps: part of it, from the sources or from values given."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.conventions import L2, Conventions
from core.errors import NonFiniteError, ShapeError, UnknownNameError
from core.problem import Layer, Network, Problem
from core.propagation import gradient_names
from core.steps import evaluate, steps_of, structure_of
from tests.support.problems import random_problem, two_layers


def everything(problem: Problem) -> list[str]:
    """Name all that the problem's table computes."""
    return [step.output for step in steps_of(structure_of(problem))]


def downstream(problem: Problem, changed: str) -> set[str]:
    """Follow the table from one name to all that depends on it."""
    found = {changed}
    for step in steps_of(structure_of(problem)):
        if found & set(step.inputs) and step.output != changed:
            found.add(step.output)
    return found


def test_what_is_not_wanted_is_not_computed() -> None:
    layer = Layer(weights=np.array([[1e200]]), activation="identity")
    problem = Problem(
        network=Network(layers=(layer,)), inputs=np.array([[1.0]]), targets=np.array([[0.0]]), loss="squared_error"
    )
    # its loss does not fit float64
    assert list(evaluate(problem, ["A1", "Z1"])) == ["A1", "Z1"]
    with pytest.raises(NonFiniteError):
        evaluate(problem, ["L"])


@pytest.mark.parametrize("seed", range(60))
def test_asking_for_one_quantity_gives_what_asking_for_all_gives(seed: int) -> None:
    problem = random_problem(seed)
    # the long way divides by probabilities, which none of these underflow
    together = evaluate(problem, everything(problem))
    for name, value in together.items():
        np.testing.assert_array_equal(evaluate(problem, [name])[name], value)


@pytest.mark.parametrize(
    "changed", ["X", "W1", "b1", "Z1", "A1", "W2", "Z2", "A2", "divisor", "l2_coefficient", "dL_dZ2", "dL_dA1"]
)
def test_a_given_value_changes_exactly_what_is_downstream(changed: str) -> None:
    problem = two_layers(loss="squared_error", l2=0.1)
    names = everything(problem)
    before = evaluate(problem, [changed, *names])
    after = evaluate(problem, [changed, *names], given={changed: before[changed] * 1.25})
    differing = {name for name in before if not np.array_equal(before[name], after[name])}
    # a penalty of biases that is 0 stays 0
    assert differing == downstream(problem, changed) - {"bias_penalty"}


def test_a_given_gradient_is_carried_on_as_it_is() -> None:
    problem = two_layers()
    handed_in = np.array([[1.0, -1.0], [0.0, 2.0], [3.0, 0.5]])
    found = evaluate(problem, ["dL_dW2", "dL_dA1", "A1"], given={"dL_dZ2": handed_in})
    np.testing.assert_array_equal(found["dL_dW2"], found["A1"].T @ handed_in)
    np.testing.assert_array_equal(found["dL_dA1"], handed_in @ problem.network.layers[1].weights.T)


def test_given_targets_take_the_place_of_the_problems() -> None:
    problem = two_layers()
    assert problem.targets is not None
    other = problem.targets[:, ::-1].copy()
    np.testing.assert_array_equal(
        evaluate(problem, ["dL_dW1"], given={"y": other})["dL_dW1"],
        evaluate(replace(problem, targets=other), ["dL_dW1"])["dL_dW1"],
    )


def test_a_given_divisor_turns_a_mean_into_a_sum() -> None:
    problem = two_layers()
    summed = replace(problem, conventions=Conventions(reduction="sum"))
    names = ["L", *gradient_names(problem)]
    mended = evaluate(problem, names, given={"divisor": np.asarray(1.0)})
    for name, value in evaluate(summed, names).items():
        np.testing.assert_array_equal(mended[name], value)
    plain = evaluate(problem, names)
    assert all(np.allclose(mended[name], 3 * plain[name], rtol=1e-14) for name in names)  # three samples


def test_outputs_that_are_given_reach_the_loss_and_its_gradient() -> None:
    problem = two_layers()
    handed_in = np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
    found = evaluate(problem, ["L", "dL_dZ2"], given={"A2": handed_in})
    targets = problem.target_distribution()
    np.testing.assert_allclose(found["L"], -(targets * np.log(handed_in)).sum() / 3, rtol=1e-14)
    np.testing.assert_allclose(found["dL_dZ2"], (handed_in - targets) / 3, rtol=1e-14)


@pytest.mark.parametrize("loss", ["squared_error", "half_squared_error"])
def test_outputs_that_are_given_need_no_form_of_their_own_where_the_chain_takes_them(loss: str) -> None:
    problem = two_layers(loss=loss)
    handed_in = np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
    found = evaluate(problem, ["L", "dL_dA2"], given={"A2": handed_in})
    difference, factor = handed_in - problem.target_distribution(), {"squared_error": 1.0}.get(loss, 0.5)
    np.testing.assert_allclose(found["L"], factor * (difference**2).sum() / 3, rtol=1e-14)
    np.testing.assert_allclose(found["dL_dA2"], 2 * factor * difference / 3, rtol=1e-14)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"A7": np.zeros((3, 2))}, UnknownNameError),
        ({"A1": np.zeros((3, 2))}, ShapeError),
        ({"y": np.zeros((1, 2))}, ShapeError),
        ({"losses": np.zeros(2)}, ShapeError),
        ({"divisor": np.zeros(1)}, ShapeError),
        ({"dL_dW1": np.zeros((3, 2))}, ShapeError),
    ],
)
def test_given_values_have_to_be_of_the_problem_and_of_its_shapes(
    given: dict[str, Array], error: type[Exception]
) -> None:
    with pytest.raises(error):
        evaluate(two_layers(), ["L"], given=given)


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("factor", [0.5, 1.0])
def test_the_penalty_enters_the_loss_and_the_parameters_gradients_only(*, biases: bool, factor: float) -> None:
    plain = two_layers()
    penalised = replace(plain, conventions=Conventions(l2=L2(strength=0.4, factor=factor, biases=biases)))
    before, after = (evaluate(problem, everything(plain)) for problem in (plain, penalised))
    touched = {"L", "dL_dW1", "dL_dW2", "l2_coefficient", "weights_penalty"}
    touched |= {"dL_db1", "bias_l2_coefficient", "bias_penalty"} if biases else set()
    assert {name for name in before if not np.array_equal(before[name], after[name])} == touched
    first, second = plain.network.layers
    assert first.bias is not None
    squares = (first.weights**2).sum() + (second.weights**2).sum() + (first.bias**2).sum() * biases
    # rounding alone
    np.testing.assert_allclose(after["L"] - before["L"], factor * 0.4 * squares, rtol=1e-13)
    np.testing.assert_allclose(after["dL_dW1"] - before["dL_dW1"], 2 * factor * 0.4 * first.weights, rtol=1e-13)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("Z2", "Z2, or a number on the way to it, does not fit float64, .* it comes from Z = X·W"),
        ("L", "L, or a number on the way to it, does not fit float64.*it comes from loss"),
        (
            "dL_dW2",
            "dL_dW2, or a number on the way to it, does not fit float64.*smaller inputs, weights or targets help",
        ),
    ],
)
def test_a_result_that_does_not_fit_float64_is_refused_by_name(wanted: str, message: str) -> None:
    scale = {"Z2": 1e200, "L": 1e100, "dL_dW2": 1e110}[wanted]
    layers = tuple(Layer(weights=np.array([[scale]]), activation="identity") for _ in range(2))
    problem = Problem(
        network=Network(layers=layers), inputs=np.array([[1.0]]), targets=np.array([[0.0]]), loss="squared_error"
    )
    with pytest.raises(NonFiniteError, match=message):
        evaluate(problem, [wanted])


def test_a_penalty_that_is_off_cannot_overflow() -> None:
    layer = Layer(weights=np.array([[1e300]]), bias=np.array([1e300]), activation="sigmoid")
    problem = Problem(
        network=Network(layers=(layer,)), inputs=np.array([[1.0]]), targets=np.array([[1.0]]), loss="squared_error"
    )
    found = evaluate(problem, ["L", *gradient_names(problem)])
    assert {name: float(value.item()) for name, value in found.items()} == dict.fromkeys(found, 0.0)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_gradient_that_is_not_finite_stays_so_through_every_activation(name: str) -> None:
    # so that it is enough to look for one further down
    z = np.array([[-2.0, 0.0, 3.0]])
    with np.errstate(all="ignore"):
        a = ACTIVATIONS[name].value(z)
        for number in (np.inf, -np.inf, np.nan):
            for column in range(3):
                grad = np.ones((1, 3))
                grad[0, column] = number
                assert not np.isfinite(ACTIVATIONS[name].vjp(z, a, grad)).all()


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
@pytest.mark.parametrize("n_samples", [1, 3, 300])
def test_the_first_result_that_does_not_fit_is_named_whatever_is_asked_for(loss: str, n_samples: int) -> None:
    last = {"squared_error": "identity", "cross_entropy": "softmax"}[loss]
    layers = (
        Layer(weights=np.array([[1e200, 1e-200]]), activation="identity"),
        Layer(weights=np.array([[1e200, 1.0], [1.0, 1.0]]), activation="tanh"),
        Layer(weights=np.array([[1.0, 1.0], [1.0, -1.0]]), activation=last),
    )
    targets: Any = np.zeros(n_samples, dtype=np.int64) if last == "softmax" else np.zeros((n_samples, 2))
    problem = Problem(network=Network(layers=layers), inputs=np.ones((n_samples, 1)), targets=targets, loss=loss)
    # tanh would make a number of it again
    for name in ("A2", "Z3", "L", "dL_dW3", "dL_dW1", "dL_dX"):
        with pytest.raises(NonFiniteError, match=r"^Z2, or a number on the way to it"):
            evaluate(problem, [name])


@pytest.mark.parametrize("n_samples", [1, 3, 300])
def test_a_gradient_that_does_not_fit_is_named_before_what_it_spoils(n_samples: int) -> None:
    layers = (
        Layer(weights=np.full((1, 2), 1e-200), activation="identity"),
        Layer(weights=np.full((2, 1), 1e200), activation="identity"),
        Layer(weights=np.array([[1e200, -1e200]]), activation="softmax"),
    )
    problem = Problem(
        network=Network(layers=layers),
        inputs=np.full((n_samples, 1), 1e-250),
        targets=np.zeros(n_samples, dtype=np.int64),
        loss="cross_entropy",
        conventions=Conventions(reduction="sum"),
    )
    for name in ("dL_dA1", "dL_dW1", "dL_dX"):
        with pytest.raises(NonFiniteError, match=r"^dL_dA1, or a number on the way to it"):
            evaluate(problem, [name])
