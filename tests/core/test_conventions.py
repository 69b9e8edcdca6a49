"""What conventions decide: numbers, labels and checks, against fifty digits, and at pre-activations of exactly 0."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from core.conventions import COLUMN_ORDERS, L2, L2_FACTORS, LOG_BASES, REDUCTIONS, RELU_SLOPES, Conventions
from core.descent import descend
from core.exercises import KINDS, audit_problem, draw_exercise
from core.exercises.acceptance import find_defects
from core.exercises.prompts import write_prompt
from core.grading import read_asks
from core.jacobians import compute_jacobians
from core.losses import LOSSES
from core.problem import Layer, Network, Problem
from core.propagation import compute_forward, compute_gradients, gradient_names
from core.steps import evaluate
from core.verification import METHODS, check_gradients, differentiate_outputs
from tests.support import oracles
from tests.support.problems import in_float32, two_layers
from tests.support.students import ONE_SAMPLE

LASTS = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}


def at_zero(depth: int, loss: str) -> Problem:
    """Build layers of relu, in each of which some pre-activations are exactly 0."""
    rng = np.random.default_rng(depth)
    widths = [2, *[3] * (depth - 1), 2]
    layers = []
    for number in range(depth):
        weights = np.round(8 * rng.uniform(-1.0, 1.0, widths[number : number + 2])) / 8
        # a sample of zeros is one in every layer, in the first unit
        bias = np.round(8 * rng.uniform(-1.0, 1.0, widths[number + 1])) / 8 * np.arange(widths[number + 1]).clip(max=1)
        last = LASTS.get(loss, "relu")
        layers.append(Layer(weights=weights, bias=bias, activation=last if number == depth - 1 else "relu"))
    # and the second sample is one in the first unit of the first layer
    layers[0].weights[:, 0] = [1.0, -1.0]
    return Problem(
        network=Network(layers=tuple(layers)),
        inputs=np.array([[0.0, 0.0], [0.5, 0.5], [1.0, -0.25]]),
        targets=np.array([[1.0, 0.0], [0.25, 0.75], [0.0, 1.0]]),
        loss=loss,
    )


EVERYTHING_ELSE = Conventions(
    reduction="mean_over_entries",
    l2=L2(strength=0.5, factor=1.0, biases=True, per_sample=True),
    column_order="rows_first",
    relu_at_zero=0.5,
)


def every_choice(loss: str) -> Iterator[Conventions]:
    """Take every value of every convention that a loss can have, one at a time, and some together."""
    for reduction in REDUCTIONS:
        if reduction != "mean_over_entries" or LOSSES[loss].mean_over_entries:
            yield Conventions(reduction=reduction)
            yield Conventions(reduction=reduction, l2=L2(strength=0.3, per_sample=True), relu_at_zero=0.5)
    for factor in L2_FACTORS:
        for per_sample in (False, True):
            yield Conventions(l2=L2(strength=0.3, factor=factor, biases=True, per_sample=per_sample))
    for base in LOG_BASES if LOSSES[loss].logarithmic else ():
        yield Conventions(log_base=base, l2=L2(strength=0.3, per_sample=True))
    for slope in RELU_SLOPES:
        yield Conventions(relu_at_zero=slope)


CASES = [
    pytest.param(replace(at_zero(depth, loss), conventions=choice), id=f"{loss}, {depth} layers, {choice}")
    for loss in LOSSES
    for depth in (1, 2, 3)
    for choice in every_choice(loss)
]


@pytest.mark.parametrize("problem", CASES)
def test_losses_and_gradients_are_those_of_fifty_digits_under_every_choice(problem: Problem) -> None:
    found = compute_gradients(problem, check=True)
    # a few dozen roundings
    assert oracles.array_error(found.loss, oracles.exact_loss(problem)) < 1e-13
    for name, gradient in evaluate(problem, gradient_names(problem)).items():
        truth = oracles.exact_gradient(problem, name.removeprefix("dL_d"))
        assert oracles.array_error(gradient, truth) < 1e-13, name
    # the check has the same slope at 0, and nothing to find
    assert found.check is not None
    assert found.check.max_rel_error < 1e-12


@pytest.mark.parametrize("problem", CASES)
def test_a_step_of_descent_goes_against_the_gradient_under_every_choice(problem: Problem) -> None:
    descent = descend(problem, 0.25, 1)
    gradients = compute_gradients(problem)
    for new, old, grad in zip(descent.network.layers, problem.network.layers, gradients.layers, strict=True):
        np.testing.assert_array_equal(new.weights, old.weights - 0.25 * grad.grad_weights)
    assert descent.losses[0] == gradients.loss
    assert descent.conventions == gradients.conventions == compute_forward(problem).conventions == problem.conventions


@pytest.mark.parametrize("depth", [2, 3])
def test_the_slope_at_zero_makes_a_difference_where_a_pre_activation_is_zero(depth: int) -> None:
    problem = at_zero(depth, "cross_entropy")
    zeros, ones, halves = (
        evaluate(problem.under(("relu_at_zero", slope)), gradient_names(problem)) for slope in (0.0, 1.0, 0.5)
    )
    assert np.abs(ones["dL_dW1"] - zeros["dL_dW1"]).max() > 0.01
    # the way through the last hidden layer's zeros is linear in the slope
    last = f"dL_dW{depth - 1}"
    np.testing.assert_allclose(halves[last], (zeros[last] + ones[last]) / 2, rtol=1e-13, atol=1e-16)


def test_a_zero_that_is_none_has_the_slope_of_its_side() -> None:
    layer = Layer(weights=np.eye(4), activation="relu")
    z = np.array([[1e-300, -1e-300, 0.0, -0.0]])
    problem = Problem(network=Network(layers=(layer,)), inputs=z, conventions=Conventions(relu_at_zero=0.5))
    found = compute_jacobians(problem, ["dA_dZ"]).jacobians["dA_dZ"].value
    np.testing.assert_array_equal(found[0], np.diag([1.0, 0.0, 0.5, 0.5]))
    np.testing.assert_array_equal(found, differentiate_outputs(problem, "A1", "Z1"))


def test_the_slope_at_zero_is_of_relu_alone() -> None:
    layer = Layer(weights=np.eye(1), activation="leaky_relu")
    for slope in RELU_SLOPES:
        conventions = Conventions(relu_at_zero=slope)
        problem = Problem(network=Network(layers=(layer,)), inputs=np.zeros((1, 1)), conventions=conventions)
        assert compute_jacobians(problem, ["dA_dZ"]).jacobians["dA_dZ"].value.item() == 0.01


@pytest.mark.parametrize("method", METHODS)
def test_a_wrong_slope_at_zero_does_not_pass_the_check(method: str) -> None:
    problem = at_zero(2, "cross_entropy")
    for slope in RELU_SLOPES:
        wrong = evaluate(problem.under(("relu_at_zero", slope)), ["dL_dW1"])
        for stated in RELU_SLOPES:
            error = check_gradients(problem.under(("relu_at_zero", stated)), wrong, method=method).max_rel_error
            # central differences lie on both sides of 0, whatever is stated
            assert (error < 1e-6) == (slope == (stated if method == "complex_step" else 0.5))


LABELS = {
    "columns_first": ("W11", "W21", "W31", "W12", "W22", "W32", "W13", "W23", "W33", "W14", "W24", "W34"),
    "rows_first": ("W11", "W12", "W13", "W14", "W21", "W22", "W23", "W24", "W31", "W32", "W33", "W34"),
}


@pytest.mark.parametrize("order", COLUMN_ORDERS)
def test_labels_name_what_each_column_is_taken_by(order: str) -> None:
    problem = ONE_SAMPLE.under(("column_order", order))
    found = compute_jacobians(problem, ["dZ_dW"]).jacobians["dZ_dW"]
    assert found.columns == LABELS[order]
    for column, label in enumerate(found.columns):
        i, output = int(label[1]) - 1, int(label[2]) - 1
        np.testing.assert_array_equal(found.value[0, :, column], ONE_SAMPLE.inputs[0, i] * np.eye(4)[output])


@pytest.mark.parametrize("order", COLUMN_ORDERS)
def test_complex_steps_through_the_outputs_come_in_the_same_order(order: str) -> None:
    problem = ONE_SAMPLE.under(("column_order", order))
    found = compute_jacobians(problem, ["dS_dW"]).jacobians["dS_dW"].value
    np.testing.assert_allclose(differentiate_outputs(problem, "A1", "W1"), found, rtol=1e-13, atol=1e-17)


@pytest.mark.parametrize("n_out", [2, 17])
def test_the_orders_differ_in_nothing_but_the_order(n_out: int) -> None:
    # many rows are written down at once, few are pulled back
    rng = np.random.default_rng(5)
    network = Network(layers=(Layer(weights=rng.uniform(-1.0, 1.0, (3, n_out)), activation="softmax"),))
    inputs = rng.uniform(-1.0, 1.0, (2, 3))
    by_columns, by_rows = (
        compute_jacobians(
            Problem(network=network, inputs=inputs, conventions=Conventions(column_order=order)), ["dS_dW", "dZ_dW"]
        ).jacobians
        for order in ("columns_first", "rows_first")
    )
    for key, jacobian in by_rows.items():
        assert jacobian.columns is not None
        assert by_columns[key].columns is not None
        places = [by_columns[key].columns.index(label) for label in jacobian.columns]  # type: ignore[union-attr]  # just checked
        np.testing.assert_allclose(jacobian.value, by_columns[key].value[:, :, places], rtol=1e-13, atol=1e-17)


def linear(**conventions: object) -> Problem:
    """Build a problem of squared errors."""
    problem = two_layers(activation="identity", loss="squared_error")
    return replace(problem, conventions=Conventions(**conventions))  # type: ignore[arg-type]  # any of them


AUDITS: list[tuple[Problem, str, set[str], set[str]]] = [
    (linear(), "dL_dW2", {"summed_over_batch", "averaged_over_all_entries"}, {"averaged_over_batch"}),
    (linear(reduction="mean_over_entries"), "dL_dW2", {"summed_over_batch", "averaged_over_batch"},
     {"averaged_over_all_entries"}),
    (linear(l2=L2(strength=0.3)), "dL_dW2", {"l2_averaged", "l2_factor"}, {"l2_not_averaged"}),
    (linear(l2=L2(strength=0.3, per_sample=True)), "dL_dW2", {"l2_not_averaged", "l2_factor"}, {"l2_averaged"}),
    (linear(), "dA2_dW1", {"flattened_rows_first"}, {"flattened_columns_first"}),
    (linear(column_order="rows_first"), "dA2_dW1", {"flattened_columns_first"}, {"flattened_rows_first"}),
    (at_zero(2, "squared_error").under(("relu_at_zero", 1.0)), "dL_dW1", {"relu_slope_at_zero"}, set()),
]  # fmt: skip


@pytest.mark.parametrize(("problem", "ask", "seen", "absent"), AUDITS)
def test_an_audit_looks_for_the_choices_that_are_not_stated(
    problem: Problem, ask: str, seen: set[str], absent: set[str]
) -> None:
    audit = audit_problem(problem, [ask])
    assert seen <= set(audit.modelled) - {entry.mistake for entry in audit.hidden}
    assert not absent & set(audit.modelled)


@pytest.mark.parametrize(
    ("kind", "switch", "said"),
    [
        ("softmax_chain", ("column_order", "columns_first"), "the columns go down column 1 of W, then"),
        ("softmax_chain", ("column_order", "rows_first"), "the columns go along row 1 of W, then"),
        ("conventions", ("l2.per_sample", True), "divided by the number of samples."),
        ("conventions", ("reduction", "sum"), "the sum over the samples of the cross-entropy"),
    ],
)
def test_an_exercise_can_be_drawn_in_every_convention_and_its_prompt_says_so(
    kind: str, switch: tuple[str, str | float], said: str
) -> None:
    exercise = draw_exercise(kind, 1)
    problem = exercise.problem.under(switch)
    assert said in write_prompt(KINDS[kind], problem)
    assert not find_defects(problem, list(read_asks(exercise.asks, problem).values()), exercise.decimals)


@pytest.mark.parametrize("slope", RELU_SLOPES)
def test_a_prompt_says_the_slope_of_relu_at_zero_where_a_derivative_is_asked_for(slope: float) -> None:
    said = f"At z = 0 the slope of relu is taken as {slope:g}."
    problem = at_zero(1, "squared_error").under(("relu_at_zero", slope))
    assert said in write_prompt(KINDS["weight_gradients"], problem)
    assert said not in write_prompt(replace(KINDS["weight_gradients"], asks=("Z", "L")), problem)


def test_a_prompt_says_that_a_mean_is_over_entries() -> None:
    prompt = write_prompt(replace(KINDS["weight_gradients"], asks=("dL_dW",)), linear(reduction="mean_over_entries"))
    assert "the sum over the samples, divided by N·K, of the squared-error" in prompt


@pytest.mark.parametrize("slope", RELU_SLOPES)
def test_float32_stays_float32_at_zero(slope: float) -> None:
    problem = in_float32(replace(at_zero(2, "squared_error"), conventions=EVERYTHING_ELSE)).under(
        ("relu_at_zero", slope)
    )
    names = ("L", *gradient_names(problem))
    assert {value.dtype for value in evaluate(problem, names).values()} == {np.dtype(np.float32)}
