"""Several parts together: where it first goes wrong, what explains all of them, and in which layer."""

from dataclasses import replace

import numpy as np
import pytest

from core.arrays import Array
from core.grading import Grade
from core.mistakes import MISTAKES
from core.problem import Layer, Network, Problem
from core.scenarios import Scenarios, select
from tests.support.students import (
    DECIMALS,
    ONE_SAMPLE,
    SOFTMAX_LAYER,
    TWO_LAYERS,
    hand_in,
    names_in,
    part_of,
    set_question,
    verdicts,
    work_out,
    work_out_jacobian,
)

BACKWARD = ("dL_dZ2", "dL_dW2", "dL_db2", "dL_dZ1", "dL_dW1", "dL_db1")

THREE_LAYERS = Problem(
    network=Network(
        layers=(
            Layer(weights=np.array([[0.6, -0.8, 0.4], [-0.5, 0.3, 1.0]]), bias=np.array([0.7, -0.4, 0.3]),
                  activation="tanh"),
            Layer(weights=np.array([[0.2, -0.9, 0.5, 0.7], [0.8, 0.4, -0.6, 0.3], [-0.7, 0.6, 0.9, -0.2]]),
                  bias=np.array([0.1, -0.3, 0.5, -0.6]), activation="tanh"),
            *TWO_LAYERS.network.layers[1:],
        )
    ),
    inputs=TWO_LAYERS.inputs,
    targets=TWO_LAYERS.targets,
    loss="cross_entropy",
)  # fmt: skip


def make(problem: Problem, keys: tuple[str, ...], mistake: str, *, variant: int = 0) -> dict[str, Array]:
    """Make a mistake in all that is asked."""
    scenarios = Scenarios(problem, MISTAKES[mistake].variants)
    return {key: np.round(scenarios.value(key, select(variant)), DECIMALS) for key in keys}


def hand_in_all(problem: Problem, answers: dict[str, Array]) -> Grade:
    rounded = {key: np.round(value, DECIMALS) for key, value in answers.items()}
    return hand_in(set_question(problem, *answers, stated=None, decimals=DECIMALS), rounded)


@pytest.mark.parametrize(
    ("mistake", "first_wrong", "follow"),
    [
        ("one_hot_added", "dL_dZ2", {"dL_dW2", "dL_db2", "dL_dZ1", "dL_dW1", "dL_db1"}),
        ("sign_flipped", "dL_dZ2", {"dL_dW2", "dL_db2", "dL_dZ1", "dL_dW1", "dL_db1"}),
        ("activation_derivative_dropped", "dL_dZ1", {"dL_dW1", "dL_db1"}),
        ("averaged_twice", "dL_dW2", set()),
        ("bias_averaged", "dL_db2", set()),
        ("inputs_missing", "dL_dW2", set()),
    ],
)
def test_a_mistake_is_named_where_it_is_made_and_costs_that_part(
    mistake: str, first_wrong: str, follow: set[str]
) -> None:
    grade = hand_in_all(TWO_LAYERS, make(TWO_LAYERS, BACKWARD, mistake))
    assert grade.first_wrong == first_wrong
    for part in grade.parts:
        assert (part.verdict == "follows_through") == (part.quantity in follow)
        if part.verdict == "incorrect":
            assert mistake in names_in(part)
        else:
            assert names_in(part) == set()
            assert part.score == 1.0


def test_the_first_step_that_is_wrong_is_named_where_no_mistake_explains_it() -> None:
    answers = work_out(TWO_LAYERS, DECIMALS)
    asked = {key: answers[key] for key in ("S", *BACKWARD)}
    asked["dL_dZ1"] = np.round(0.3 * np.random.default_rng(1).normal(size=(5, 4)), DECIMALS)
    grade = hand_in_all(TWO_LAYERS, asked)
    assert grade.first_wrong == "dL_dZ1"
    assert not any(names_in(part) for part in grade.parts)


def test_a_mistake_downstream_of_a_slip_is_named() -> None:
    answers = {key: work_out(TWO_LAYERS, DECIMALS)[key] for key in BACKWARD}
    first = TWO_LAYERS.network.layers[1]
    slipped = answers["dL_dZ2"].copy()
    slipped[2, 1] += 0.07
    hidden = work_out(TWO_LAYERS)["A1"]
    answers |= {
        "dL_dZ2": slipped,
        "dL_dW2": hidden.T @ slipped,
        "dL_db2": slipped.mean(axis=0),
        # the derivative of tanh is missing
        "dL_dZ1": slipped @ first.weights.T,
        "dL_dW1": TWO_LAYERS.inputs.T @ (slipped @ first.weights.T),
        "dL_db1": (slipped @ first.weights.T).sum(axis=0),
    }
    grade = hand_in_all(TWO_LAYERS, answers)
    assert grade.first_wrong == "dL_dZ2"
    assert verdicts(grade) == {
        "dL_dZ2": "incorrect",
        "dL_dW2": "follows_through",
        "dL_db2": "incorrect",
        "dL_dZ1": "incorrect",
        "dL_dW1": "follows_through",
        "dL_db1": "follows_through",
    }
    assert names_in(part_of(grade, "dL_dZ2")) == set()
    assert "bias_averaged" in names_in(part_of(grade, "dL_db2"))
    assert "activation_derivative_dropped" in names_in(part_of(grade, "dL_dZ1"))


@pytest.mark.parametrize("layer", [1, 2])
def test_a_mistake_in_one_layer_only_is_named(layer: int) -> None:
    answers = {key: work_out(TWO_LAYERS)[key] for key in BACKWARD}
    answers[f"dL_dW{layer}"] = answers[f"dL_dW{layer}"] / TWO_LAYERS.n_samples
    grade = hand_in_all(TWO_LAYERS, answers)
    assert grade.first_wrong == f"dL_dW{layer}"
    assert {name for part in grade.parts for name in names_in(part)} == {"averaged_twice"}
    assert grade.score == pytest.approx(5 / 6)


@pytest.mark.parametrize("dropped", [1, 2])
def test_a_mistake_in_one_layer_of_three_is_named_in_the_first_alone(dropped: int) -> None:
    right = work_out(THREE_LAYERS)
    # the derivative of one of the two tanh layers is missing
    back = right["dL_dA2"] if dropped == 2 else right["dL_dZ2"]
    back = back @ THREE_LAYERS.network.layers[1].weights.T
    if dropped == 2:
        back = back * (1.0 - right["A1"] ** 2)
    grade = hand_in_all(THREE_LAYERS, {"dL_dW1": THREE_LAYERS.inputs.T @ back})
    assert "activation_derivative_dropped" in names_in(grade.parts[0])


def test_in_a_very_deep_network_a_mistake_in_one_layer_is_left_unnamed() -> None:
    layers = tuple(
        Layer(weights=np.round(np.random.default_rng(n).uniform(-1.0, 1.0, (3, 3)), 1), activation="sigmoid")
        for n in range(9)
    )
    deep = Problem(
        network=Network(layers=layers),
        inputs=np.array([[0.3, -0.7, 0.9], [-0.2, 0.8, 0.4]]),
        targets=np.array([[0.1, 0.7, 0.3], [0.9, 0.2, 0.6]]),
        loss="squared_error",
    )
    for problem, named in ((deep, False), (replace(deep, network=Network(layers=layers[1:])), True)):
        key = f"dL_dZ{problem.network.depth - 1}"
        wrong = hand_in(set_question(problem, key), {}).parts[0].expected
        assert wrong is not None
        # sigmoid's derivative is missing in this layer, and in no other
        scenarios = Scenarios(problem)
        weights = key.replace("dL_dZ", "dL_dW")
        inputs = scenarios.value(f"A{problem.network.depth - 2}")
        answer = inputs.T @ scenarios.value(key.replace("Z", "A"))
        grade = hand_in(set_question(problem, key, weights), {key: wrong, weights: answer})
        assert bool(names_in(part_of(grade, weights))) == named
        assert part_of(grade, weights).cut == (None if named else True)


def test_what_explains_the_other_parts_too_is_preferred() -> None:
    # N = 2: averaged twice, and half, are the same numbers in the gradient; in the loss they are not
    two_samples = replace(SOFTMAX_LAYER, inputs=SOFTMAX_LAYER.inputs[:2], targets=np.array([2, 0]))
    for mistake, variant, same in (
        ("averaged_twice", 1, {"averaged_twice"}),
        ("summed_over_batch", 0, {"summed_over_batch"}),
    ):
        answers = make(two_samples, ("L", "dL_dW1"), mistake, variant=variant)
        alone = hand_in_all(two_samples, {"dL_dW1": answers["dL_dW1"]})
        together = hand_in_all(two_samples, answers)
        assert len(names_in(part_of(alone, "dL_dW1"))) > 1
        assert names_in(part_of(together, "dL_dW1")) == same


def test_a_factor_of_the_chain_that_is_wrong_is_found_with_those_before_it_right() -> None:
    right = work_out(ONE_SAMPLE)
    s, y = right["S"], np.eye(4)[np.asarray(ONE_SAMPLE.targets)]
    jacobian = np.array([np.diag(s[0] * (1.0 - s[0]))])
    answers = {
        "dL_dS": -y / s,
        "dS_dZ": jacobian,
        "dL_dZ": ((-y / s)[:, None] @ jacobian)[:, 0],
        "dL_dW": ONE_SAMPLE.inputs.T @ ((-y / s)[:, None] @ jacobian)[:, 0],
    }
    grade = hand_in_all(ONE_SAMPLE, answers)
    assert grade.first_wrong == "dS_dZ"
    assert names_in(part_of(grade, "dS_dZ")) == {"softmax_jacobian_diagonal"}
    assert verdicts(grade) == {
        "dL_dS": "correct",
        "dS_dZ": "incorrect",
        "dL_dZ": "follows_through",
        "dL_dW": "follows_through",
    }
    assert work_out_jacobian(s).shape == jacobian.shape


@pytest.mark.parametrize("problem", [TWO_LAYERS, THREE_LAYERS], ids=["two layers", "three layers"])
@pytest.mark.parametrize("other", ["summed_over_batch", "activation_derivative_dropped"])
def test_gradients_that_are_not_summed_are_named_in_the_first_layer_with_another_mistake(
    problem: Problem, other: str
) -> None:
    grad = Scenarios(problem, MISTAKES[other].variants).value("dL_dZ1", select(0))
    each_sample = problem.inputs[:, :, None] * grad[:, None, :]
    part = hand_in_all(problem, {"dL_dW1": each_sample}).parts[0]
    assert part.verdict == "wrong_shape"
    assert {"samples_not_summed", other} <= names_in(part)
