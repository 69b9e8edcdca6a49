"""What mistakes produce, against a student's pass through two layers with the mistake made by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from core.mistakes import MISTAKES
from core.scenarios import Scenarios, select
from tests.support import handwork
from tests.support.handwork import (
    both_terms,
    cross_entropy,
    diagonals,
    jacobian_of_softmax,
    onehot,
    outers,
    problem_of,
    redo,
    sigmoid,
    softmax,
    times,
)

LN2, LN10 = np.log(2.0), np.log(10.0)

Formula = Callable[[Any], Any]

# mistake, way, case, quantity, what is handed in
IN_THE_BATCH: list[tuple[str, int, str, str, Formula]] = [
    ("summed_over_batch", 0, "plain", "dL_dW1", lambda v: v.N * v.dW1),
    ("summed_over_batch", 0, "plain", "L", lambda v: v.N * v.L),
    ("summed_over_batch", 0, "L2", "dL_dW2", lambda v: v.N * (v.dW2 - 0.3 * v.W2) + 0.3 * v.W2),
    ("averaged_over_batch", 0, "sum", "L", lambda v: v.L / v.N),
    ("averaged_over_batch", 0, "sum", "dL_dW1", lambda v: v.dW1 / v.N),
    ("averaged_twice", 0, "plain", "dL_dW2", lambda v: v.dW2 / v.N),
    ("averaged_twice", 0, "plain", "dL_db1", lambda v: v.db1 / v.N),
    ("averaged_twice", 0, "plain", "dL_dZ2", lambda v: v.G),
    ("averaged_twice", 0, "L2", "dL_dW1", lambda v: v.X.T @ v.dZ1 / v.N + 0.3 * v.W1),
    ("averaged_twice", 1, "plain", "dL_dZ2", lambda v: v.G / v.N),
    ("averaged_over_all_entries", 0, "plain", "dL_dW1", lambda v: v.dW1 / v.K),
    ("averaged_over_all_entries", 0, "plain", "L", lambda v: v.L / v.K),
    ("sign_flipped", 0, "plain", "dL_dZ2", lambda v: (v.Y - v.S) / v.N),
    ("sign_flipped", 0, "plain", "dL_dW1", lambda v: -v.dW1),
    ("sign_flipped", 1, "plain", "L", lambda v: -v.L),
    ("factor_two", 0, "plain", "dL_dW2", lambda v: 2 * v.dW2),
    ("factor_two", 1, "plain", "L", lambda v: 2 * v.L),
    ("factor_half", 0, "plain", "dL_dW2", lambda v: v.dW2 / 2),
    ("factor_half", 1, "plain", "L", lambda v: v.L / 2),
    ("losses_not_reduced", 0, "plain", "L", lambda v: -np.log((v.S * v.Y).sum(axis=1))),
]
IN_THE_LOSS: list[tuple[str, int, str, str, Formula]] = [
    ("log_base_2", 0, "plain", "L", lambda v: v.L / LN2),
    ("log_base_2", 0, "plain", "dL_dW1", lambda v: v.dW1 / LN2),
    ("log_base_10", 0, "plain", "dL_dA2", lambda v: v.dS / LN10),
    ("log_base_10", 0, "base 2", "dL_dW2", lambda v: v.dW2 * LN2 / LN10),
    ("natural_logarithm", 0, "base 2", "L", lambda v: v.L * LN2),
    ("natural_logarithm", 0, "base 2", "dL_db1", lambda v: v.db1 * LN2),
    ("logarithm_missing", 0, "plain", "L", lambda v: -(v.Y * v.S).sum() / v.N),
    ("binary_terms", 0, "plain", "L", lambda v: both_terms(v.S, v.Y).mean()),
    ("binary_terms", 0, "plain", "dL_dA2", lambda v: (v.S - v.Y) / (v.S * (1 - v.S)) / v.N),
    ("binary_terms", 0, "plain", "dL_dW1", lambda v: again(v, G=(v.S - v.Y) / (v.S * (1 - v.S)) / v.N).dW1),
    ("binary_terms", 1, "plain", "dL_dZ2", lambda v: through(v, (v.S - v.Y) / (v.S * (1 - v.S)) / v.N)),
    ("loss_gradient_minus_missing", 0, "plain", "dL_dA2", lambda v: v.Y / v.S / v.N),
    ("loss_gradient_all_classes", 0, "plain", "dL_dA2", lambda v: -1 / v.S / v.N),
    ("loss_gradient_value", 0, "plain", "dL_dA2", lambda v: -v.Y * np.log(v.S) / v.N),
    ("logit_gradient_given", 0, "plain", "dL_dA2", lambda v: (v.S - v.Y) / v.N),
    ("logit_gradient_given", 0, "sigmoid", "dL_dA2", lambda v: (v.S - v.Y) / v.N),
]
IN_THE_SOFTMAX: list[tuple[str, int, str, str, Formula]] = [
    ("softmax_jacobian_diagonal", 0, "plain", "dA2_dZ2", lambda v: diagonals(v.S * (1 - v.S))),
    ("softmax_jacobian_diagonal", 0, "plain", "dL_dZ2", lambda v: (v.Y * v.S - v.Y) / v.N),
    ("softmax_jacobian_diagonal", 0, "plain", "dL_dW1", lambda v: again(v, G=(v.Y * v.S - v.Y) / v.N).dW1),
    ("softmax_jacobian_sign", 0, "plain", "dA2_dZ2", lambda v: with_plus(v.S)),
    ("softmax_jacobian_sign", 0, "plain", "dL_dZ2", lambda v: times(v.dS, with_plus(v.S))),
    ("softmax_jacobian_no_diagonal", 0, "plain", "dA2_dZ2", lambda v: -outers(v.S)),
    ("softmax_jacobian_no_diagonal", 0, "plain", "dL_dW2", lambda v: again(v, G=times(v.dS, -outers(v.S))).dW2),
    ("softmax_jacobian_no_product", 0, "plain", "dA2_dZ2", lambda v: diagonals(v.S)),
    ("softmax_jacobian_no_product", 0, "plain", "dL_dZ2", lambda v: -v.Y / v.N),
    ("softmax_twice", 0, "plain", "A2", lambda v: softmax(softmax(v.Z2))),
    ("softmax_twice", 0, "plain", "dL_dW1", lambda v: again(v, S=softmax(v.S)).dW1),
    ("softmax_twice", 1, "plain", "A2", lambda v: v.S),
    ("softmax_twice", 1, "plain", "L", lambda v: cross_entropy(softmax(v.S), v.Y).mean()),
    ("softmax_twice", 1, "plain", "dL_dZ2", lambda v: (softmax(v.S) - v.Y) / v.N),
    ("softmax_over_batch", 0, "plain", "A2", lambda v: softmax(v.Z2, axis=0)),
    ("softmax_over_batch", 0, "plain", "L", lambda v: again(v, S=softmax(v.Z2, axis=0)).L),
    ("softmax_over_all", 0, "plain", "A2", lambda v: softmax(v.Z2, axis=None)),
    ("softmax_over_all", 0, "plain", "dL_db1", lambda v: again(v, S=softmax(v.Z2, axis=None)).db1),
    ("exp_missing", 0, "plain", "A2", lambda v: v.Z2 / v.Z2.sum(axis=1, keepdims=True)),
    ("exp_missing", 0, "plain", "dL_dX", lambda v: again(v, S=v.Z2 / v.Z2.sum(axis=1, keepdims=True)).dX),
    ("sigmoid_for_softmax", 0, "plain", "A2", lambda v: sigmoid(v.Z2)),
    ("sigmoid_for_softmax", 0, "plain", "L", lambda v: again(v, S=sigmoid(v.Z2)).L),
    ("softmax_missing", 0, "plain", "A2", lambda v: v.Z2),
    ("softmax_missing", 0, "plain", "dL_dW2", lambda v: again(v, S=v.Z2).dW2),
    ("overflowed", 0, "huge", "A2", lambda v: v.S),
    ("overflowed", 0, "huge", "L", lambda v: v.L),
]
AT_THE_LOGITS: list[tuple[str, int, str, str, Formula]] = [
    ("softmax_not_differentiated", 0, "plain", "dL_dZ2", lambda v: -v.Y / v.S / v.N),
    ("softmax_not_differentiated", 0, "plain", "dL_dW1", lambda v: again(v, G=-v.Y / v.S / v.N).dW1),
    ("one_hot_missing", 0, "plain", "dL_dZ2", lambda v: v.S / v.N),
    ("one_hot_missing", 0, "sigmoid", "dL_dW2", lambda v: again(v, G=v.S / v.N).dW2),
    ("one_hot_added", 0, "sum", "dL_dZ2", lambda v: v.S + v.Y),
    ("one_hot_per_class", 0, "plain", "dL_dZ2", lambda v: (v.S - 1) / v.N),
    ("one_hot_per_class", 1, "plain", "dL_dZ2", lambda v: (v.S - v.K * v.Y) / v.N),
    ("true_probability_for_all", 0, "plain", "dL_dZ2", lambda v: (of_true_class(v) - v.Y) / v.N),
    ("index_swapped", 0, "plain", "dL_dZ2", lambda v: ((v.S * v.Y).sum(axis=1)[:, None] - v.Y) / v.N),
    ("logits_for_probabilities", 0, "plain", "dL_dZ2", lambda v: (v.Z2 - v.Y) / v.N),
    ("prediction_for_probabilities", 0, "plain", "dL_dZ2", lambda v: (onehot(v.S) - v.Y) / v.N),
    ("extra_output_derivative", 0, "plain", "dL_dZ2", lambda v: (v.S - v.Y) * v.S * (1 - v.S) / v.N),
    ("extra_output_derivative", 0, "base 2", "dL_dZ2", lambda v: (v.S - v.Y) * v.S * (1 - v.S) / v.N / LN2),
    ("label_shifted", 0, "plain", "dL_dZ2", lambda v: (v.S - v.Y[:, [2, 0, 1]]) / v.N),
    ("label_shifted", 0, "plain", "L", lambda v: again(v, Y=v.Y[:, [2, 0, 1]]).L),
    ("label_shifted", 1, "plain", "dL_dW1", lambda v: again(v, Y=v.Y[:, [1, 2, 0]]).dW1),
    ("label_of_first_sample", 0, "plain", "dL_dZ2", lambda v: (v.S - v.Y[0]) / v.N),
    ("labels_of_whole_batch", 0, "plain", "dL_dZ2", lambda v: (v.S - 1) / v.N),  # every class is some sample's
]
IN_THE_LAYERS: list[tuple[str, int, str, str, Formula]] = [
    ("bias_ignored", 0, "plain", "Z1", lambda v: v.X @ v.W1),
    ("bias_ignored", 0, "plain", "dL_dW1", lambda v: again(v, b1=0 * v.b1, b2=0 * v.b2).dW1),
    ("bias_added_twice", 0, "plain", "Z1", lambda v: v.X @ v.W1 + 2 * v.b1),
    ("bias_added_twice", 0, "plain", "L", lambda v: again(v, b1=2 * v.b1, b2=2 * v.b2).L),
    ("activation_missing", 0, "plain", "A1", lambda v: v.Z1),
    ("activation_missing", 0, "plain", "dL_dW1", lambda v: v.X.T @ again(v, A1=v.Z1).dA1),
    ("activation_missing", 0, "plain", "dA1_dZ1", lambda v: diagonals(np.ones((4, 5)))),
    ("activation_missing", 0, "sigmoid", "dL_dZ2", lambda v: (again(v, A1=v.Z1).Z2 - v.Y) / v.N),
    ("other_activation", 0, "plain", "L", lambda v: again(v, A1=sigmoid(v.Z1)).L),
    ("other_activation", 0, "plain", "dA1_dZ1", lambda v: diagonals(sigmoid(v.Z1) * (1 - sigmoid(v.Z1)))),
    ("other_activation", 1, "relu", "dL_db2", lambda v: again(v, A1=np.tanh(v.Z1)).db2),
    ("other_activation", 2, "plain", "dL_dZ1", lambda v: again(v, A1=np.maximum(v.Z1, 0)).dA1 * (v.Z1 > 0)),
    ("activation_derivative_dropped", 0, "plain", "dL_dZ1", lambda v: v.dA1),
    ("activation_derivative_dropped", 0, "plain", "dL_dX", lambda v: v.dA1 @ v.W1.T),
    ("activation_derivative_dropped", 0, "plain", "dA1_dZ1", lambda v: diagonals(np.ones((4, 5)))),
    ("derivative_at_activation", 0, "plain", "dL_dZ1", lambda v: v.dA1 * (1 - np.tanh(np.tanh(v.Z1)) ** 2)),
    ("derivative_fed_pre_activation", 0, "plain", "dL_dZ1", lambda v: v.dA1 * (1 - v.Z1**2)),
    ("derivative_fed_pre_activation", 0, "plain", "dA1_dZ1", lambda v: diagonals(1 - v.Z1**2)),
    ("derivative_of_other_activation", 0, "plain", "dL_dZ1", lambda v: v.dA1 * sigmoid(v.Z1) * (1 - sigmoid(v.Z1))),
    ("derivative_of_other_activation", 1, "plain", "dL_dZ1", lambda v: v.dA1 * v.A1 * (1 - v.A1)),
    ("derivative_of_gradient", 0, "plain", "dL_dZ1", lambda v: v.dA1 * (1 - np.tanh(v.dA1) ** 2)),
    ("derivative_of_gradient", 0, "relu", "dL_dZ1", lambda v: v.dA1 * (v.dA1 > 0)),
    ("relu_slope_at_zero", 1, "relu", "dL_dZ1", lambda v: v.dA1 * (v.Z1 >= 0)),
    ("relu_slope_at_zero", 2, "relu", "dL_dZ1", lambda v: v.dA1 * (1 + np.sign(v.Z1)) / 2),
    ("weights_not_transposed", 0, "square", "dL_dA1", lambda v: v.G @ v.W2),
    ("weights_not_transposed", 0, "square", "dL_dX", lambda v: again(v, dA1=v.G @ v.W2).dZ1 @ v.W1),
    ("weights_not_transposed", 0, "square", "dZ2_dA1", lambda v: np.array([v.W2] * 4)),
    ("stepped_weights", 0, "plain", "dL_dA1", lambda v: v.G @ (v.W2 - v.dW2).T),
    ("stepped_weights", 1, "L2", "dL_dW1", lambda v: again(v, dA1=v.G @ (v.W2 - 0.5 * v.dW2).T).dW1),
    ("stepped_weights", 2, "plain", "dL_db1", lambda v: again(v, dA1=v.G @ (v.W2 - 0.1 * v.dW2).T).db1),
]
IN_THE_PARAMETERS: list[tuple[str, int, str, str, Formula]] = [
    ("wrong_cache", 0, "plain", "dL_dW2", lambda v: v.Z1.T @ v.G),
    ("wrong_cache", 0, "plain", "dL_dW1", lambda v: v.dW1),
    ("wrong_cache", 1, "plain", "dL_dW2", lambda v: v.X.T @ v.G),
    ("wrong_cache", 2, "plain", "dL_dW1", lambda v: v.A1.T @ v.dZ1),
    ("averaged_before_product", 0, "plain", "dL_dW1", lambda v: np.outer(v.X.mean(axis=0), v.dZ1.sum(axis=0))),
    ("inputs_missing", 0, "plain", "dL_dW1", lambda v: np.array([v.db1, v.db1])),
    ("inputs_missing", 0, "L2", "dL_dW1", lambda v: np.array([v.db1, v.db1]) + 0.3 * v.W1),
    ("last_sample_only", 0, "plain", "dL_dW2", lambda v: np.outer(v.A1[3], v.G[3])),
    ("last_sample_only", 0, "plain", "dL_db2", lambda v: v.G[3]),
    ("samples_not_summed", 0, "plain", "dL_dW1", lambda v: [np.outer(v.X[i], v.dZ1[i]) for i in range(4)]),
    ("bias_averaged", 0, "plain", "dL_db1", lambda v: v.db1 / v.N),
    ("bias_averaged", 0, "L2 factor 1", "dL_db2", lambda v: v.G.mean(axis=0) + 0.6 * v.b2),
    ("bias_summed_over_all", 0, "plain", "dL_db1", lambda v: [v.dZ1.sum()] * 5),
    ("bias_summed_over_all", 1, "plain", "dL_db1", lambda v: v.dZ1.sum()),
    ("bias_not_summed", 0, "plain", "dL_db1", lambda v: v.dZ1),
    ("bias_not_summed", 1, "plain", "dL_db2", lambda v: v.G[0]),
    ("bias_times_inputs", 0, "plain", "dL_db1", lambda v: v.X.T @ v.dZ1),
    ("bias_times_inputs", 1, "plain", "dL_db2", lambda v: (v.A1.T @ v.G).sum(axis=0)),
]
IN_THE_PENALTY: list[tuple[str, int, str, str, Formula]] = [
    ("l2_missing", 0, "L2", "dL_dW1", lambda v: v.dW1 - 0.3 * v.W1),
    ("l2_missing", 0, "L2", "L", lambda v: v.L),
    ("l2_missing", 1, "L2", "L", lambda v: v.losses.mean()),
    ("l2_factor", 2, "L2", "dL_dW2", lambda v: v.dW2 + 0.3 * v.W2),
    ("l2_factor", 1, "L2 factor 1", "dL_db1", lambda v: v.db1 - 0.3 * v.b1),
    ("l2_factor", 3, "L2", "L", lambda v: v.L + 0.15 * ((v.W1**2).sum() + (v.W2**2).sum())),
    ("l2_sign", 0, "L2", "dL_dW1", lambda v: v.dW1 - 0.6 * v.W1),
    ("l2_sign", 1, "L2", "L", lambda v: v.losses.mean() - v.L2),
    ("l2_averaged", 0, "L2", "dL_dW1", lambda v: v.X.T @ v.dZ1 + 0.3 * v.W1 / v.N),
    ("l2_averaged", 1, "L2 factor 1", "L", lambda v: v.losses.mean() + (v.L2 + v.L2b) / v.N),
    ("l2_not_averaged", 0, "L2 per sample", "dL_dW1", lambda v: v.X.T @ v.dZ1 + 1.2 * v.W1),
    ("l2_not_averaged", 1, "L2 per sample", "L", lambda v: v.losses.mean() + v.N * v.L2),
    ("l2_on_bias", 0, "L2", "dL_db1", lambda v: v.db1 + 0.3 * v.b1),
    ("l2_on_bias", 0, "L2", "L", lambda v: v.L),
    ("l2_on_bias", 1, "L2", "L", lambda v: v.L + 0.15 * ((v.b1**2).sum() + (v.b2**2).sum())),
    ("l2_not_on_bias", 0, "L2 factor 1", "dL_db2", lambda v: v.G.sum(axis=0)),
    ("l2_not_on_bias", 0, "L2 factor 1", "L", lambda v: v.L - v.L2b),
    ("l2_only", 0, "L2", "dL_dW1", lambda v: 0.3 * v.W1),
    ("l2_only", 0, "L2", "dL_db1", lambda v: v.db1),
    ("l2_only", 0, "L2 factor 1", "dL_db1", lambda v: 0.6 * v.b1),
]
IN_THE_ORDER: list[tuple[str, int, str, str, Formula]] = [
    ("flattened_rows_first", 0, "plain", "dZ1_dW1", lambda v: np.array([np.kron(x, np.eye(5)) for x in v.X])),
    ("flattened_columns_first", 0, "rows first", "dZ1_dW1", lambda v: np.array([np.kron(np.eye(5), x) for x in v.X])),
]
LINES = [
    *(*IN_THE_BATCH, *IN_THE_LOSS, *IN_THE_SOFTMAX, *AT_THE_LOGITS),
    *(*IN_THE_LAYERS, *IN_THE_PARAMETERS, *IN_THE_PENALTY, *IN_THE_ORDER),
]


def again(v: Any, **put: Any) -> Any:
    """Go through the same layers with something put in."""
    return redo(v.case, **put)


def through(v: Any, rows: Any) -> Any:
    """Take rows back through the softmax, sample by sample."""
    return times(rows, jacobian_of_softmax(v.S))


def with_plus(s: Any) -> Any:
    """Write the softmax's Jacobian with the wrong sign off its diagonal."""
    return diagonals(s) + outers(s) - 2 * diagonals(s**2)


def of_true_class(v: Any) -> Any:
    """Read each sample's probability of its own class, as a column."""
    return v.S[np.arange(v.N), handwork.LABELS][:, None]


@pytest.mark.parametrize(
    ("mistake", "way", "case", "key", "formula"), LINES, ids=["-".join(map(str, line[:4])) for line in LINES]
)
def test_a_mistake_produces_what_its_formula_says(
    mistake: str, way: int, case: str, key: str, formula: Formula
) -> None:
    problem = problem_of(case)
    assert MISTAKES[mistake].applies(problem)
    found = Scenarios(problem, [MISTAKES[mistake].variants[way]]).value(key, select(0))
    with np.errstate(all="ignore"):
        expected = np.asarray(formula(redo(case)))
    assert found.shape == expected.shape
    # rounding alone
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("case", handwork.CONVENTIONS)
def test_without_a_mistake_the_pass_by_hand_agrees(case: str) -> None:
    with np.errstate(all="ignore"):
        v = redo(case)
    names = {"Z1": "Z1", "S": "A2", "L": "L", "G": "dL_dZ2", "dX": "dL_dX"}
    names |= {f"d{name}": f"dL_d{name}" for name in ("W1", "b1", "W2", "b2", "A1", "Z1")}
    if case == "huge":
        # by hand the exponential overflows
        assert np.isnan(v.S).any()
        names = {"Z1": "Z1", "Z2": "Z2"}
    scenarios = Scenarios(problem_of(case))
    for by_hand, key in names.items():
        np.testing.assert_allclose(getattr(v, by_hand), scenarios.value(key), rtol=1e-12, atol=1e-14)


def test_every_family_is_covered_and_most_mistakes_are() -> None:
    covered = {line[0] for line in LINES}
    assert len(covered) >= 55
    assert {MISTAKES[name].family for name in covered} == {m.family for m in MISTAKES.values() if m.variants}
