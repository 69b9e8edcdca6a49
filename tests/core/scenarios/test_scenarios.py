"""What-if readings of the table: with nothing selected all is exact, and a variant changes what is downstream."""

from itertools import pairwise

import numpy as np
import pytest

from core.arrays import Array
from core.budget import Budget
from core.jacobians import multiply_path
from core.problem import Layer, Network, Problem
from core.scenarios import Scenarios, Selection, select
from core.scenarios import scenarios as module
from core.steps import RULES, Change, RuleContext, adjust_rule, evaluate, fill, replace_rule, steps_of, structure_of
from tests.support.problems import numbered_quantities, random_problem, two_layers

LOCAL = [f"d{rule.output}_d{template}" for rule in RULES.values() for template in rule.jacobians if rule.name in RULES]
"""The local Jacobians, as a change names them."""

SUMMED = (replace_rule("divisor", lambda context: np.asarray(1.0)),)
FLIPPED = (adjust_rule("logits_gradient", lambda exact, context, *inputs: -exact(*inputs)),)


def steps(problem: Problem) -> list[str]:
    """Name all that the problem's table computes."""
    return [step.output for step in steps_of(structure_of(problem))]


def jacobians(problem: Problem) -> list[str]:
    """Name all Jacobians of the problem."""
    return [f"d{of}_d{by}" for of, by in numbered_quantities(problem)[1] if of != "L"]


def moved(rule: str) -> Change:
    """Change a rule, or a local Jacobian, in every entry."""
    return adjust_rule(rule, lambda exact, context, *inputs: exact(*inputs) * 1.25 + 0.1)


def downstream(problem: Problem, rule: str) -> set[str]:
    """Follow the table from a rule's outputs, or from a local Jacobian, to all that depends on them."""
    structure = structure_of(problem)
    found: set[str] = set()
    for step in steps_of(structure):
        if step.rule.name == rule or found & set(step.inputs):
            found.add(step.output)
    for key in jacobians(problem):
        of, by = key[1:].split("_d")
        links = path(of, by)
        changed = {fill(rule, number, structure)[0] for number in range(1, structure.depth + 1)}
        if any(f"d{above}_d{below}" in changed or needed(above, below) & found for above, below in links):
            found.add(key)
    return found


def path(of: str, by: str) -> list[tuple[str, str]]:
    """Write a chain's links out: Z2 goes to A1, A1 to Z1, and Z1 to X."""
    nodes = [of]
    while nodes[-1] != by:
        symbol, number = nodes[-1][0], int(nodes[-1][1:])
        below = f"Z{number}" if symbol == "A" else f"A{number - 1}" if number > 1 else "X"
        nodes.append(by if by in (f"W{number}", f"b{number}") and symbol == "Z" else below)
    return list(pairwise(nodes))


def needed(above: str, below: str) -> set[str]:
    """Say what a local Jacobian is made of: dA/dZ of both, dZ/dA of the weights, dZ/dW of the inputs."""
    number = int(above[1:])
    if above[0] == "A":
        return {above, below}
    return {"W": {f"A{number - 1}"}, "b": set()}.get(below[0], {f"W{number}"})


@pytest.mark.parametrize("seed", range(40))
def test_nothing_selected_is_the_exact_computation(seed: int) -> None:
    problem = random_problem(seed)
    scenarios = Scenarios(problem, [[moved("affine")], SUMMED])
    for name, value in evaluate(problem, steps(problem)).items():
        np.testing.assert_array_equal(scenarios.value(name), value)
    for of, by in [pair for pair in numbered_quantities(problem)[1] if pair[0] != "L"]:
        np.testing.assert_array_equal(scenarios.value(f"d{of}_d{by}"), multiply_path(problem, of, by, Budget()))


def test_forty_layers_are_no_deeper_than_they_have_to_be() -> None:
    rng = np.random.default_rng(0)
    layers = [Layer(weights=rng.normal(size=(3, 3)), bias=rng.normal(size=3), activation="tanh") for _ in range(39)]
    last = Layer(weights=rng.normal(size=(3, 3)), activation="softmax")
    problem = Problem(
        network=Network(layers=(*layers, last)),
        inputs=rng.normal(size=(2, 3)),
        targets=np.array([0, 2]),
        loss="cross_entropy",
    )
    # the last quantities first: everything else is computed on the way to them
    names = ["dL_dX", "dL_db1", "dL_dW40", "L"]
    scenarios = Scenarios(problem, [SUMMED])
    for name, value in evaluate(problem, names).items():
        # a fused rule's roundings, through forty layers
        np.testing.assert_allclose(scenarios.value(name), value, rtol=1e-12)
        np.testing.assert_allclose(scenarios.value(name, select(0)), 2 * value, rtol=1e-12)  # two samples
        assert scenarios.rounding_bound(name, 4).shape == value.shape
    np.testing.assert_array_equal(scenarios.value("dA40_dX"), multiply_path(problem, "A40", "X", Budget()))


@pytest.mark.parametrize("rule", [*RULES, *LOCAL])
def test_a_variant_reaches_exactly_what_is_downstream(rule: str) -> None:
    loss = "squared_error" if rule == "activation_gradient" else "cross_entropy"
    problem = two_layers(loss=loss, l2=0.1)
    scenarios = Scenarios(problem, [[moved(rule)]])
    names = [*steps(problem), *jacobians(problem)]
    differing = {name for name in names if not np.array_equal(scenarios.value(name), scenarios.value(name, select(0)))}
    assert differing == downstream(problem, rule)
    assert {name for name in names if scenarios.reach(name)} == downstream(problem, rule)


def test_what_a_variant_does_not_reach_is_the_very_same_array() -> None:
    scenarios = Scenarios(two_layers(), [FLIPPED])
    assert scenarios.value("A2", select(0)) is scenarios.value("A2")
    assert scenarios.value("dL_dW1", select(0)) is not scenarios.value("dL_dW1")


def test_two_variants_work_together() -> None:
    problem = two_layers()
    scenarios = Scenarios(problem, [FLIPPED, SUMMED])
    exact = evaluate(problem, ["dL_dW1"])["dL_dW1"]
    found = scenarios.values("dL_dW1", [select(), select(0), select(1), select(0, 1)])
    for value, factor in zip(found, (1, -1, 3, -3), strict=True):
        np.testing.assert_allclose(value, factor * exact, rtol=1e-13)  # rounding alone
    assert scenarios.reach("dL_dW1") == select(0, 1)
    assert scenarios.reach("L") == select(1)
    assert scenarios.reach("A2") == 0


@pytest.mark.parametrize("swapped", [False, True])
def test_a_replacement_comes_before_an_adjustment_whatever_their_order(*, swapped: bool) -> None:
    replaced = (replace_rule("grad_bias", lambda context, grad, bias, l2_coefficient: grad[0]),)
    doubled = (adjust_rule("grad_bias", lambda exact, context, *inputs: 2.0 * exact(*inputs)),)
    problem = two_layers()
    scenarios = Scenarios(problem, [doubled, replaced] if swapped else [replaced, doubled])
    np.testing.assert_array_equal(scenarios.value("dL_db1", select(0, 1)), 2.0 * scenarios.value("dL_dZ1")[0])


def test_two_adjustments_both_work() -> None:
    one, other = moved("grad_bias"), adjust_rule("grad_bias", lambda exact, context, *inputs: -exact(*inputs))
    scenarios = Scenarios(two_layers(), [[one], [other]])
    np.testing.assert_array_equal(scenarios.value("dL_db1", select(0, 1)), -scenarios.value("dL_db1", select(0)))


def test_a_change_may_take_more_than_the_rule_does() -> None:
    stepped = replace_rule(
        "grad_inputs",
        lambda context, grad, weights, grad_weights: grad @ (weights - 0.5 * grad_weights).T,
        extra=("dL_dW{l}",),
    )
    doubled = adjust_rule("grad_weights", lambda exact, context, *inputs: 2.0 * exact(*inputs))
    problem = two_layers()
    scenarios = Scenarios(problem, [[stepped], [doubled]])
    exact = evaluate(problem, ["dL_dZ2", "dL_dW2", "dL_dA1"])
    weights = problem.network.layers[1].weights
    np.testing.assert_array_equal(
        scenarios.value("dL_dA1", select(0)), exact["dL_dZ2"] @ (weights - 0.5 * exact["dL_dW2"]).T
    )
    # what it takes is changed as well
    np.testing.assert_array_equal(
        scenarios.value("dL_dA1", select(0, 1)), exact["dL_dZ2"] @ (weights - exact["dL_dW2"]).T
    )
    assert scenarios.value("dL_dA1", select(1)) is not exact["dL_dA1"]
    np.testing.assert_array_equal(scenarios.value("dL_dA1", select(1)), exact["dL_dA1"])


def test_an_extra_that_layers_lack_is_left_out() -> None:
    noted: list[int] = []

    def note(context: RuleContext, grad: Array, weights: Array, *biases: Array) -> Array:
        noted.append(len(biases))
        return grad @ weights.T

    Scenarios(two_layers(), [[replace_rule("grad_inputs", note, extra=("b{l}?",))]]).value("dL_dX", select(0))
    assert noted == [0, 1]  # the second layer has no bias


def test_a_change_is_made_where_it_says_and_nowhere_else() -> None:
    problem = two_layers()
    zero = replace_rule("activation", lambda context, z: 0.0 * z, where=lambda context: context.number == 1)
    scenarios = Scenarios(problem, [[zero]])
    assert not scenarios.value("A1", select(0)).any()
    np.testing.assert_array_equal(scenarios.value("A2", select(0)), np.full((3, 2), 0.5))


def test_a_change_knows_its_place() -> None:
    contexts: list[RuleContext] = []

    def note(context: RuleContext, z: Array) -> Array:
        contexts.append(context)
        return context.activation.value(z)

    problem = two_layers()
    Scenarios(problem, [[replace_rule("activation", note)]]).value("A2", select(0))
    assert [context.number for context in contexts] == [1, 2]
    assert [context.activation.name for context in contexts] == ["tanh", "softmax"]
    assert [context.layer for context in contexts] == list(problem.network.layers)
    assert contexts[0].loss.name == "cross_entropy"


def test_upstream_is_all_that_a_quantity_is_computed_from() -> None:
    scenarios = Scenarios(two_layers())
    assert scenarios.upstream("A1") == {"Z1", "X", "W1", "b1"}
    assert scenarios.upstream("X") == frozenset()
    assert scenarios.upstream("dA2_dA1") == {"dA2_dZ2", "dZ2_dA1", "A2", "Z2", "A1", "W2", "Z1", "X", "W1", "b1"}
    assert scenarios.upstream("dL_dW1") == {
        *("X", "W1", "b1", "Z1", "A1", "W2", "Z2", "A2", "y", "divisor", "log_of_base", "l2_coefficient"),
        *("dL_dZ2", "dL_dA1", "dL_dZ1"),
    }


def test_upstream_ends_at_what_is_given() -> None:
    scenarios = Scenarios(two_layers(), given={"dL_dZ2": np.ones((3, 2))})
    assert scenarios.upstream("dL_dA1") == {"dL_dZ2", "W2"}


@pytest.mark.parametrize("most", [0, 1, 30, 100])
def test_what_is_forgotten_is_computed_anew(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = random_problem(3)
    variants = [[moved("affine")], SUMMED, [moved("dA{l}_dZ{l}")]]
    names = [*steps(problem), *jacobians(problem)]
    roomy = Scenarios(problem, variants)
    monkeypatch.setattr(module, "MAX_KEPT_NUMBERS", most)
    tight = Scenarios(problem, variants)
    for selection in range(8):
        for name in names:
            np.testing.assert_array_equal(
                tight.value(name, Selection(selection)), roomy.value(name, Selection(selection))
            )
