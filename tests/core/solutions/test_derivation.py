"""The derivation of dL/dZ: each line is true, for every loss that has one, and for the problem's own conventions."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from core.arrays import Array
from core.conventions import L2, LOG_BASES, Conventions
from core.jacobians import compute_jacobians
from core.problem import Problem
from core.solutions import DERIVATIONS, derive, solve_problem
from core.steps import evaluate
from tests.support.problems import two_layers

TARGETS = np.array([[1.0, 0.0], [0.25, 0.75], [0.0, 1.0]])

Line = Callable[[Array, Array, float, int], float]


def others(s: Array, i: int) -> list[int]:
    return [k for k in range(len(s)) if k != i]


# what the right-hand sides say of one sample, with its outputs s, its targets y and the constant factor c
CROSS_ENTROPY: dict[str, Line] = {
    "two_cases": lambda s, y, c, i: (
        -c * (y[i] / s[i] * s[i] * (1 - s[i]) - sum(y[k] / s[k] * s[k] * s[i] for k in others(s, i)))
    ),
    "cancellation": lambda s, y, c, i: -c * (y[i] - y[i] * s[i] - sum(y[k] * s[i] for k in others(s, i))),
    "targets_sum_to_one": lambda s, y, c, i: c * (s[i] - y[i]),
}
BINARY: dict[str, Line] = {"cancellation": lambda a, y, c, i: c * ((1 - y[i]) * a[i] - y[i] * (1 - a[i]))}
LINES = {"cross_entropy": CROSS_ENTROPY, "binary_cross_entropy": BINARY}
ACTIVATIONS = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}
CONVENTIONS = [
    Conventions(reduction=reduction, log_base=base, l2=L2(strength=strength))
    for reduction in ("mean", "sum")
    for base in LOG_BASES
    for strength in (0.0, 0.1)
]


def problem_with(loss: str, conventions: Conventions) -> Problem:
    return replace(two_layers(activation=ACTIVATIONS[loss], loss=loss), conventions=conventions)


@pytest.mark.parametrize("conventions", CONVENTIONS)
@pytest.mark.parametrize("loss", DERIVATIONS)
def test_every_line_of_a_derivation_gives_the_gradient(loss: str, conventions: Conventions) -> None:
    problem = problem_with(loss, conventions)
    values = evaluate(problem, ["A2", "dL_dZ2"])
    factor = 1.0 / (3.0 if conventions.reduction == "mean" else 1.0) / np.log(LOG_BASES[conventions.log_base])
    derivation = derive(problem)
    rules = [step.rule for step in derivation.steps]
    for rule, line in LINES[loss].items():
        assert rule in rules
        for (n, i), truth in np.ndenumerate(values["dL_dZ2"]):
            found = line(values["A2"][n], TARGETS[n], factor, i)
            assert found == pytest.approx(truth, rel=1e-12, abs=1e-15), rule


@pytest.mark.parametrize("conventions", CONVENTIONS)
@pytest.mark.parametrize("loss", DERIVATIONS)
def test_a_derivation_speaks_of_this_problem(loss: str, conventions: Conventions) -> None:
    derivation = derive(problem_with(loss, conventions))
    first, last = derivation.steps[0], derivation.steps[-1]
    is_mean, base = conventions.reduction == "mean", conventions.log_base
    assert derivation.quantity == "dL_dZ2"
    # the constant factor stands in every line of L by z but in none of S by z, and nowhere where it is 1
    for step in derivation.steps[:-1]:
        is_of_loss = step.latex.startswith(r"\frac{\partial L}")
        follows = step.rule == "chain_rule" and loss == "binary_cross_entropy"
        assert ("N" in step.latex) == (is_mean and is_of_loss and not follows), step
        assert (rf"\ln {base}" in step.latex) == (base != "e" and is_of_loss and not follows), step
    assert ("1/N" in first.text or "1/(N" in first.text) == is_mean
    assert any("penalty" in step.text for step in derivation.steps) == (conventions.l2.strength > 0)
    shown = solve_problem(problem_with(loss, conventions), ("dL_dZ2",), with_derivation=True)
    assert shown.derivation == derivation
    assert last.latex == shown.steps[-1].latex
    assert last.text.endswith(f"dL/dZ2 = {shown.steps[-1].formula}.")


def test_the_two_cases_are_the_softmax_jacobian_and_the_factor_before_them_is_the_gradient_by_s() -> None:
    problem = two_layers()
    s = evaluate(problem, ["A2"])["A2"]
    found = compute_jacobians(problem, ["dS_dZ2", "dL_dS"]).jacobians
    for n, (matrix, row) in enumerate(zip(found["dS_dZ2"].value, found["dL_dS"].value, strict=True)):
        for k, i in np.ndindex(matrix.shape):
            case = s[n, i] * (1 - s[n, i]) if i == k else -s[n, k] * s[n, i]
            assert matrix[k, i] == pytest.approx(case, rel=1e-12)
        np.testing.assert_allclose(row, -TARGETS[n] / s[n] / 3.0, rtol=1e-12)


def test_a_derivation_goes_rule_by_rule_and_says_why_the_targets_add_up_to_one() -> None:
    problem = two_layers()
    assert [step.rule for step in derive(problem).steps] == [
        "sum_rule",
        "independence",
        "chain_rule",
        "logarithm_rule",
        "quotient_rule",
        "same_class",
        "other_class",
        "two_cases",
        "cancellation",
        "targets_sum_to_one",
        "result",
    ]
    labelled = replace(problem, targets=np.array([0, 1, 1]))
    assert "a distribution" in derive(problem).steps[-2].text
    assert "one-hot" in derive(labelled).steps[-2].text
