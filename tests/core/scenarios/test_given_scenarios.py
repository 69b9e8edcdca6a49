"""What-if readings that start from values given, and variants that give no numbers."""

import numpy as np
import pytest

from core.arrays import Array
from core.budget import Budget
from core.jacobians import multiply_path
from core.problem import Problem
from core.scenarios import Scenarios, Selection, select
from core.scenarios import scenarios as module
from core.steps import adjust_rule, evaluate, everywhere, replace_rule, steps_of, structure_of
from tests.support.problems import two_layers

OUTPUTS = np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])


@pytest.mark.parametrize("given", ["X", "W1", "b1", "Z1", "A1", "W2", "Z2", "A2", "y", "divisor", "dL_dZ2", "dL_dA1"])
def test_given_values_are_taken_as_evaluating_takes_them(given: str) -> None:
    problem = two_layers(l2=0.1)
    handed_in = {given: evaluate(problem, [given])[given] * 1.25}
    scenarios = Scenarios(
        problem, [[adjust_rule("l2_coefficient", lambda exact, context: 2.0 * exact())]], given=handed_in
    )
    for name, value in evaluate(problem, [s.output for s in steps_of(structure_of(problem))], given=handed_in).items():
        np.testing.assert_array_equal(scenarios.value(name), value)


def test_a_given_value_is_not_changed_by_a_way() -> None:
    handed_in = np.ones((3, 3))
    negated = adjust_rule("activation", lambda exact, context, z: -exact(z))
    scenarios = Scenarios(two_layers(), [[negated]], given={"A1": handed_in})
    assert scenarios.value("A1", select(0)) is handed_in
    assert scenarios.reach("A1") == 0


def test_a_given_local_jacobian_stands_in_the_products() -> None:
    problem = two_layers()
    handed_in = np.arange(12.0).reshape(3, 2, 2)
    scenarios = Scenarios(problem, given={"dA2_dZ2": handed_in})
    np.testing.assert_array_equal(scenarios.value("dA2_dZ2"), handed_in)
    np.testing.assert_allclose(
        scenarios.value("dA2_dW2"), handed_in @ multiply_path(problem, "Z2", "W2", Budget()), rtol=1e-15
    )


def test_a_given_local_jacobian_stands_in_the_middle() -> None:
    problem = two_layers()
    handed_in = np.arange(18.0).reshape(3, 2, 3)
    found = Scenarios(problem, given={"dZ2_dA1": handed_in}).value("dA2_dZ1")
    above, below = (multiply_path(problem, f"A{number}", f"Z{number}", Budget()) for number in (2, 1))
    np.testing.assert_allclose(found, above @ handed_in @ below, rtol=1e-13)  # the order of sums


def test_given_outputs_reach_the_loss_and_its_gradient() -> None:
    problem = two_layers()
    scenarios = Scenarios(problem, given={"A2": OUTPUTS})
    targets = problem.target_distribution()
    np.testing.assert_allclose(scenarios.value("L"), -(targets * np.log(OUTPUTS)).sum() / 3, rtol=1e-14)
    np.testing.assert_allclose(scenarios.value("dL_dZ2"), (OUTPUTS - targets) / 3, rtol=1e-14)


def test_a_wrong_activation_reaches_the_loss_and_its_gradient() -> None:
    problem = two_layers()
    twice = adjust_rule(
        "activation",
        lambda exact, context, z: context.activation.value(exact(z)),
        where=lambda context: context.activation.gives_distribution,
    )
    scenarios = Scenarios(problem, [[twice]])
    outputs = scenarios.value("A2", select(0))
    np.testing.assert_allclose(outputs.sum(axis=1), 1.0, rtol=1e-15)
    for name, value in evaluate(problem, ["L", "dL_dZ2", "dL_dW1"], given={"A2": outputs}).items():
        np.testing.assert_array_equal(scenarios.value(name, select(0)), value)
        assert not np.allclose(scenarios.value(name), value)


def test_an_adjustment_works_on_the_plain_form_where_outputs_are_wrong() -> None:
    doubled = adjust_rule("losses", lambda exact, context, *inputs: 2.0 * exact(*inputs))
    problem = two_layers()
    found = Scenarios(problem, [[doubled]], given={"A2": OUTPUTS}).value("losses", select(0))
    np.testing.assert_allclose(found, -2 * (problem.target_distribution() * np.log(OUTPUTS)).sum(axis=1), rtol=1e-14)


def test_a_replacement_stands_before_the_plain_form() -> None:
    constant = replace_rule("losses", lambda context, z, a, y, log_of_base: np.full(len(y), 2.0))
    assert Scenarios(two_layers(), [[constant]], given={"A2": OUTPUTS}).value("L", select(0)) == 2.0


def lose_coupling(problem: Problem) -> Scenarios:
    """Leave the softmax its diagonal alone, in the local Jacobian."""
    return Scenarios(
        problem,
        [
            [
                replace_rule(
                    "dA{l}_dZ{l}",
                    lambda context, rows, z, a: rows * (a * (1.0 - a))[:, None, :],
                    where=lambda context: context.activation.gives_distribution,
                )
            ]
        ],
    )


def test_a_wrong_local_jacobian_is_carried_along_the_path() -> None:
    problem = two_layers()
    scenarios = lose_coupling(problem)
    wrong = scenarios.value("dA2_dZ2", select(0))
    np.testing.assert_allclose(wrong, [np.diag(row * (1.0 - row)) for row in scenarios.value("A2")], rtol=1e-15)
    for by in ("W2", "A1", "Z1", "W1", "b1", "X"):
        below = multiply_path(problem, "Z2", by, Budget())
        np.testing.assert_allclose(
            scenarios.value(f"dA2_d{by}", select(0)), wrong @ below, rtol=1e-12
        )  # order of the products
    assert scenarios.reach("dA1_dZ1") == 0
    assert scenarios.reach("dL_dZ2") == 0


def test_an_adjusted_local_jacobian_is_the_exact_one_changed() -> None:
    doubled = adjust_rule("dZ{l}_dW{l}", lambda exact, context, rows, inputs: 2.0 * exact(rows, inputs))
    scenarios = Scenarios(two_layers(), [[doubled]])
    for key in ("dZ1_dW1", "dA2_dW1", "dA2_dW2"):
        np.testing.assert_array_equal(scenarios.value(key, select(0)), 2.0 * scenarios.value(key))


def test_what_cannot_have_been_computed_is_nan() -> None:
    cut = replace_rule(
        "activation", lambda context, z: z[:, :-1], where=lambda context: context.number == 1, reshapes=everywhere
    )
    scenarios = Scenarios(two_layers(), [[cut]])
    assert scenarios.value("A1", select(0)).shape == (3, 2)
    for name in ("Z2", "A2", "L", "dL_dZ1", "dL_dW1", "dL_db1", "dL_dX"):
        assert np.isnan(scenarios.value(name, select(0))).all()
    assert np.isfinite(scenarios.value("L")).all()


def test_a_bug_in_the_exact_computation_is_no_nan() -> None:
    with pytest.raises(ValueError, match="mismatch"):
        Scenarios(two_layers(), given={"A1": np.ones((3, 7))}).value("Z2")


def test_a_variant_that_overflows_gives_what_floats_give() -> None:
    huge = adjust_rule("affine", lambda exact, context, *inputs: 1e308 * 10.0 * exact(*inputs))
    value: Array = Scenarios(two_layers(activation="identity", loss="squared_error"), [[huge]]).value("L", select(0))
    assert not np.isfinite(value)


def test_products_are_forgotten_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT_NUMBERS", 50)
    scenarios = lose_coupling(two_layers())
    for key in ("dA2_dW1", "dA2_dX", "dA2_dZ1", "dA2_dA1", "dZ2_dW1"):
        for selection in (0, 1):
            scenarios.value(key, Selection(selection))
            held = [value for node in scenarios.graph.ordered if node.apply for value in node._alone.values()]
            # past the limit by no more than what was computed last
            assert sum(value.size for value in held) <= 50 + 36


def test_the_local_jacobian_of_given_activations_is_that_of_textbooks() -> None:
    problem = two_layers()
    # these rows do not sum to 1
    outputs, hidden = 1.25 * OUTPUTS, np.array([[0.1, -0.4, 0.3]] * 3)
    scenarios = Scenarios(problem, given={"A1": hidden, "A2": outputs})
    expected = [np.diag(row) - np.outer(row, row) for row in outputs]
    np.testing.assert_allclose(scenarios.value("dA2_dZ2"), expected, rtol=1e-14)
    assert problem.network.layers[0].activation == "tanh"
    np.testing.assert_allclose(scenarios.value("dA1_dZ1"), [np.diag(1.0 - row**2) for row in hidden], rtol=1e-14)


def test_the_local_jacobian_of_a_wrong_softmax_is_that_of_textbooks() -> None:
    problem = two_layers()
    halved = adjust_rule(
        "activation",
        lambda exact, context, z: 0.5 * exact(z),
        where=lambda context: context.activation.gives_distribution,
    )
    scenarios = Scenarios(problem, [[halved]])
    expected = [np.diag(row) - np.outer(row, row) for row in scenarios.value("A2", select(0))]
    np.testing.assert_allclose(scenarios.value("dA2_dZ2", select(0)), expected, rtol=1e-14)


def test_the_gradient_behind_outputs_that_are_no_distribution_is_that_of_textbooks() -> None:
    problem = two_layers(loss="squared_error")
    outputs = 1.25 * OUTPUTS
    grad = 2.0 * (outputs - problem.target_distribution()) / 3
    jacobians = [np.diag(row) - np.outer(row, row) for row in outputs]
    expected = [row @ jacobian for row, jacobian in zip(grad, jacobians, strict=True)]
    np.testing.assert_allclose(evaluate(problem, ["dL_dZ2"], given={"A2": outputs})["dL_dZ2"], expected, rtol=1e-13)
