"""How rounding by hand spreads: a student who rounds every number on the way stays within the bound."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from core.arrays import Array
from core.jacobians.paths import path_between
from core.losses import LOSSES
from core.problem import Layer, Network, Problem
from core.scenarios import Scenarios
from core.steps import RULES, Rounding, RuleContext, Step, sources_of, steps_of, structure_of
from core.steps.rounding import MAX_BOUND_UNITS
from tests.support.problems import KINKED, numbered_quantities, random_problem

pytestmark = pytest.mark.long

SLACK = 1.1
"""What terms of second order may add to a bound of first order, where they are `small_enough`."""

SECOND_ORDER = 0.05
"""How large the product of two errors may be, in units: a tenth of the half unit that every bound has at least."""

FAINT = 0.02
"""Below, an error of a probability that is divided by is not small beside it."""

SLOPES: dict[str, Callable[[Array], Array]] = {"sigmoid": lambda a: a * (1.0 - a), "tanh": lambda a: 1.0 - a * a}
"""Slopes as they are computed by hand: from the activations."""


Rounded = Callable[[Array], Array]


def softmax_by_hand(z: Array, rounded: Rounded) -> Array:
    # with the largest taken off, or not, as the sample happens to come
    shift = np.where(np.arange(len(z))[:, None] % 2, z.max(axis=1, keepdims=True), np.zeros((len(z), 1)))
    lost = np.exp(z).sum(axis=1, keepdims=True) < 0.1
    exponentials = rounded(np.exp(z - np.where(lost, z.max(axis=1, keepdims=True), shift)))
    return np.asarray(exponentials / rounded(exponentials.sum(axis=1, keepdims=True)))


WRITTEN: dict[str, Callable[[Array, Rounded], Array]] = {
    "softmax": softmax_by_hand,
    "sigmoid": lambda z, rounded: 1.0 / (1.0 + rounded(np.exp(-z))),
    "softplus": lambda z, rounded: np.log(1.0 + rounded(np.exp(z))),
}
"""Activations as they are computed by hand: by way of an exponential that is written down."""


def rounded_steps(problem: Problem, decimals: int) -> dict[str, Array]:
    """Run the table as a student does, who rounds whatever is written down."""
    values = sources_of(problem)
    for step in steps_of(structure_of(problem)):
        value = by_hand(problem, step, [values[name] for name in step.inputs], decimals)
        values[step.output] = value if step.rule.rounding_bound is None else np.round(value, decimals)
    return values


def by_hand(problem: Problem, step: Step, inputs: list[Array], decimals: int) -> Array:
    """Compute one step by the textbook's formula, with exponentials and slopes written down."""
    place = RuleContext(problem, step.number)
    if step.rule.name == "activation" and place.layer.activation in WRITTEN:
        return WRITTEN[place.layer.activation](inputs[0], lambda value: np.asarray(np.round(value, decimals)))
    if step.rule.name == "activation_gradient":
        grad, _, a = inputs
        if place.activation.gives_distribution:
            return np.asarray(a * (grad - (a * grad).sum(axis=1, keepdims=True)))
        if place.layer.activation in SLOPES:
            return grad * np.round(SLOPES[place.layer.activation](a), decimals)
    return (step.rule.from_outputs or step.rule.apply)(place, *inputs)


def rounded_jacobian(problem: Problem, values: dict[str, Array], key: str, decimals: int) -> Array:
    """Multiply local Jacobians, each made of rounded numbers, and round every product."""
    links = path_between(problem, *key[1:].split("_d"))
    rows: Array | None = None
    for link in links:
        matrix = local_matrix(problem, values, link.step, link.by, decimals)
        rows = matrix if rows is None else np.round(rows @ matrix, decimals)
    assert rows is not None
    return rows


def slope(problem: Problem, step: Step, z: Array, a: Array) -> Array:
    """Compute the slope of a layer's activation from rounded numbers."""
    place = RuleContext(problem, step.number)
    in_a = SLOPES.get(place.layer.activation)
    return place.activation.vjp(z, a, np.ones(a.shape)) if in_a is None else in_a(a)


def local_matrix(problem: Problem, values: dict[str, Array], step: Step, by: str, decimals: int) -> Array:
    """Write a local Jacobian down, a matrix for each sample."""
    n_samples, layer = problem.n_samples, problem.network.layers[step.number - 1]
    if step.rule.name == "activation":
        a = values[step.output]
        if layer.activation == "softmax":
            return np.round(np.array([np.diag(row) - np.outer(row, row) for row in a]), decimals)
        return np.round(np.array([np.diag(row) for row in slope(problem, step, values[by], a)]), decimals)
    if by[0] == "W":
        below, outputs = values[step.inputs[0]], np.eye(layer.n_out)
        by_rows = problem.conventions.column_order == "rows_first"
        return np.array([np.kron(row[None], outputs) if by_rows else np.kron(outputs, row[None]) for row in below])
    return np.array([np.eye(layer.n_out) if by[0] == "b" else layer.weights.T] * n_samples)


def is_telling(problem: Problem, scenarios: Scenarios, decimals: int) -> bool:
    """Tell whether rounding leaves every pre-activation on its side of a kink."""
    for number, layer in enumerate(problem.network.layers, start=1):
        name = f"Z{number}"
        if layer.activation in KINKED:
            near = np.abs(scenarios.value(name)) <= SLACK * bound_of(scenarios, name, decimals)
            if near.any():
                return False
    return True


def bound_of(scenarios: Scenarios, name: str, decimals: int) -> Array:
    """Bound the error of a number that is written down."""
    bound = scenarios.rounding_bound(name, decimals)
    return np.asarray(bound + Rounding(decimals).of(scenarios.value(name), bound))


def not_followed(problem: Problem, scenarios: Scenarios, decimals: int) -> set[str]:
    """Name what is computed from faint probabilities, or from an error that the bound caps."""
    depth, loss = problem.network.depth, LOSSES[str(problem.loss)]
    a, y = scenarios.value(f"A{depth}"), scenarios.value("y")
    with np.errstate(all="ignore"):
        errors = bound_of(scenarios, f"A{depth}", decimals) / (MAX_BOUND_UNITS * 10.0**-decimals)
        slopes: dict[str, Any] = {
            "losses": np.abs(loss.grad_outputs(scenarios.value(f"Z{depth}"), a, y)),
            f"dL_dA{depth}": loss.derivative_bound(lambda value, error: np.zeros(()), (a, y), (np.ones(a.shape), None)),
        }
        faint = loss.logarithmic and (
            a.min() < FAINT or (loss.name == "binary_cross_entropy" and a.max() > 1.0 - FAINT)
        )
        return {name for name, slope in slopes.items() if faint or not (slope * errors < 1.0).all()}


class Student:
    """One problem worked out by hand, to some decimals."""

    def __init__(self, problem: Problem, scenarios: Scenarios, decimals: int) -> None:
        self.problem, self.scenarios, self.decimals = problem, scenarios, decimals
        self.unit = 10.0**-decimals
        with np.errstate(all="ignore"):
            self.values = rounded_steps(problem, decimals)
        self._lost = not_followed(problem, scenarios, decimals)
        self._largest: dict[str, float] = {}

    def ratio(self, key: str) -> float | None:
        """Compare the largest error with its bound; None where a bound of first order says little."""
        way = self.scenarios.upstream(key)
        if ({key} | way) & self._lost or any(self._error(name) ** 2 * self.unit > SECOND_ORDER for name in way):
            return None
        if key in self.values:
            found = self.values[key]
        else:
            found = rounded_jacobian(self.problem, self.values, key, self.decimals)
        error = np.abs(found - self.scenarios.value(key))
        bound = bound_of(self.scenarios, key, self.decimals)
        # a few roundings of float64, where nothing else is rounded
        return float(((error - 1e-14) / np.maximum(bound, 1e-30)).max())

    def _error(self, name: str) -> float:
        if name not in self._largest:
            self._largest[name] = float(bound_of(self.scenarios, name, self.decimals).max()) / self.unit
        return self._largest[name]


def students(seeds: range, decimals: Sequence[int]) -> Iterator[Student]:
    """Work random problems out by hand."""
    for seed in seeds:
        problem = random_problem(seed)
        scenarios = Scenarios(problem)
        for number in decimals:
            if is_telling(problem, scenarios, number):
                yield Student(problem, scenarios, number)


def test_a_student_who_rounds_every_number_stays_within_the_bound() -> None:
    counts: Counter[str] = Counter()
    for student in students(range(300), (3, 4, 5)):
        for step in steps_of(structure_of(student.problem)):
            ratio = None if step.rule.rounding_bound is None else student.ratio(step.output)
            if ratio is not None:
                counts[step.rule.name] += 1
                assert ratio <= SLACK, (step.output, student.decimals, student.problem)
    # enough of each is looked at
    assert set(counts) == {rule.name for rule in RULES.values() if rule.rounding_bound}
    assert min(counts.values()) > 40


def test_a_student_who_multiplies_rounded_jacobians_stays_within_the_bound() -> None:
    counts: Counter[str] = Counter()
    for student in students(range(150), (4,)):
        for of, by in numbered_quantities(student.problem)[1]:
            ratio = None if of == "L" else student.ratio(f"d{of}_d{by}")
            if ratio is not None:
                counts[f"d{of[0]}_d{by[0]}"] += 1
                assert ratio <= SLACK, (of, by, student.problem)
    assert set(counts) == {f"d{of}_d{by}" for of in "ZA" for by in "XWbZA"}
    assert min(counts.values()) > 100


def three_five_four() -> Problem:
    """Build a layer of tanh and one of softmax, as exercises have them."""
    rng = np.random.default_rng(5)
    shapes = ((3, 5), (5, 4))
    first, second = (np.round(rng.uniform(-1.0, 1.0, shape), 2) for shape in shapes)
    biases = [np.round(rng.uniform(-0.5, 0.5, n_out), 2) for _, n_out in shapes]
    layers = (
        Layer(weights=first, bias=biases[0], activation="tanh"),
        Layer(weights=second, bias=biases[1], activation="softmax"),
    )
    return Problem(
        network=Network(layers=layers),
        inputs=np.round(rng.uniform(-1.5, 1.5, (4, 3)), 2),
        targets=np.array([0, 2, 2, 3]),
        loss="cross_entropy",
    )


@pytest.mark.parametrize(
    ("key", "below"),
    [
        *(("Z1", 0.6), ("A1", 1.7), ("A2", 3.0), ("dA2_dZ2", 5.0), ("dL_dZ2", 2.0)),
        *(("dL_dW2", 5.0), ("dL_db2", 5.0), ("dL_dW1", 14.0), ("dL_db1", 14.0)),
    ],
)
def test_the_bound_of_a_small_network_lets_nothing_absurd_pass(key: str, below: float) -> None:
    assert 0.5 <= bound_of(Scenarios(three_five_four()), key, 3).max() / 1e-3 < below


@pytest.mark.parametrize("decimals", [4, 5, 6])
def test_the_bound_of_a_small_network_holds(decimals: int) -> None:
    problem = three_five_four()
    student = Student(problem, Scenarios(problem), decimals)
    for key in ("L", "dL_dZ2", "dL_dW2", "dL_db2", "dL_dW1", "dL_db1", "dL_dX", "dA2_dZ2", "dA2_dW2", "dA2_dW1"):
        ratio = student.ratio(key)
        assert ratio is not None
        assert 0.0 < ratio <= SLACK


def test_what_is_given_has_no_error_and_what_is_exact_none_to_spread() -> None:
    problem = three_five_four()
    scenarios = Scenarios(problem, given={"A1": np.full((4, 5), 0.5)})
    for name in ("X", "W1", "b2", "A1", "y", "divisor", "log_of_base", "l2_coefficient", "weights_penalty"):
        assert not bound_of(scenarios, name, 4).any()
    # half of two decimals' products: nothing is rounded
    assert not bound_of(scenarios, "Z2", 4).any()
    assert (bound_of(scenarios, "Z2", 2) == 0.005).any()


def test_a_given_local_jacobian_spreads_the_error_of_what_it_is_multiplied_by() -> None:
    problem = three_five_four()
    handed_in = np.linspace(-2.0, 2.0, 80).reshape(4, 4, 5)
    scenarios = Scenarios(problem, given={"dZ2_dA1": handed_in})
    assert not scenarios.rounding_bound("dZ2_dA1", 4).any()
    carried = bound_of(scenarios, "dA2_dZ2", 4) @ np.abs(handed_in)
    np.testing.assert_allclose(scenarios.rounding_bound("dA2_dA1", 4), carried, rtol=1e-12)
