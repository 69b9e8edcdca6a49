"""Derivatives by name: against differences of the forward pass, and as products of their factors."""

from math import prod

import numpy as np
import pytest

from core.arrays import Array
from core.budget import Budget
from core.conventions import COLUMN_ORDERS, Conventions
from core.errors import CoreError, DomainError, NonFiniteError, ShapeError, TooLargeError, UnknownNameError
from core.jacobians import Jacobian, compute_jacobians
from core.jacobians.labels import MAX_CACHED_MANY_LABELS
from core.problem import Layer, Network, Problem
from core.steps import evaluate
from tests.support.problems import numbered_quantities, random_problem, two_layers

SEEDS = range(25)
STEP = 1e-5


def jacobian_by_differences(problem: Problem, of: str, by: str) -> Array:
    """Difference the forward pass: (n_samples, n_rows, n_columns), W stacked as the conventions say."""
    start = evaluate(problem, [by])[by]

    def slope(nudge: Array) -> Array:
        above, below = (evaluate(problem, [of], given={by: start + sign * STEP * nudge})[of] for sign in (1, -1))
        return np.asarray((above - below) / (2 * STEP))

    columns = []
    if by[0] == "W":
        n_in, n_out = start.shape
        by_columns = [(i, output) for output in range(n_out) for i in range(n_in)]
        by_rows = [(i, output) for i in range(n_in) for output in range(n_out)]
        for entry in {"columns_first": by_columns, "rows_first": by_rows}[problem.conventions.column_order]:
            nudge = np.zeros(start.shape)
            nudge[entry] = 1.0
            columns.append(slope(nudge))
    else:
        for column in range(start.shape[-1]):
            nudge = np.zeros(start.shape)
            # samples do not mix, so all of them are nudged at once
            nudge[..., column] = 1.0
            columns.append(slope(nudge))
    return np.stack(columns, axis=-1)


def derivative(problem: Problem, text: str) -> Jacobian:
    """Compute one derivative by name."""
    return compute_jacobians(problem, [text]).jacobians[text]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_jacobian_is_that_of_the_forward_pass(seed: int) -> None:
    problem = random_problem(seed)
    _, pairs = numbered_quantities(problem)
    for of, by in [pair for pair in pairs if pair[0] != "L"]:
        found = derivative(problem, f"d{of}_d{by}")
        truth = jacobian_by_differences(problem, of, by)
        assert found.shape == found.value.shape == truth.shape
        # h² of the third derivative, which six layers of weights up to 2 multiply up
        assert np.abs(found.value - truth).max() <= 1e-7 * max(1.0, float(np.abs(truth).max())), (of, by)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_jacobian_is_the_product_of_its_factors(seed: int) -> None:
    problem = random_problem(seed)
    _, pairs = numbered_quantities(problem)
    for of, by in [pair for pair in pairs if pair[0] != "L"]:
        found = derivative(problem, f"d{of}_d{by}")
        difference = np.abs(found.value - multiply(problem, found.factors)).max()
        # the order of the products
        assert difference <= 1e-13 * max(1.0, float(np.abs(found.value).max())), (of, by)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_derivative_of_the_loss_is_its_factors_summed_over_samples_plus_l2(seed: int) -> None:
    problem = random_problem(seed)
    _, pairs = numbered_quantities(problem)
    for by in [by for of, by in pairs if of == "L"]:
        found = derivative(problem, f"dL_d{by}")
        rows = multiply(problem, found.factors)[:, 0, :]
        if by[0] in "Wb":
            by_rows = problem.conventions.column_order == "rows_first"
            expected = rows.sum(axis=0).reshape(found.shape, order="C" if by_rows else "F") + l2_gradient(problem, by)
        else:
            expected = rows
        assert (found.rows, found.columns) == (None, None)
        # the fused step against the long way, which divides by probabilities
        assert np.abs(found.value - expected).max() <= 1e-10 * max(1.0, float(np.abs(rows).max())), by


def multiply(problem: Problem, factors: tuple[str, ...]) -> Array:
    """Multiply named factors; a derivative of the loss counts as one row a sample."""
    values = [compute_jacobians(problem, [factor]).jacobians[factor].value for factor in factors]
    product = values[0][:, None, :] if factors[0].startswith("dL") else values[0]
    for value in values[1:]:
        product = product @ value
    return product


def l2_gradient(problem: Problem, by: str) -> Array:
    """Differentiate the penalty by hand."""
    l2 = problem.conventions.l2
    covered = by[0] == "W" or l2.biases
    divisor = problem.n_samples if l2.per_sample else 1
    return 2.0 * l2.factor * l2.strength / divisor * covered * evaluate(problem, [by])[by]


@pytest.mark.parametrize(
    ("text", "factors"),
    [
        ("dL_dW1", ("dL_dS", "dS_dZ2", "dZ2_dA1", "dA1_dZ1", "dZ1_dW1")),
        ("dL_db1", ("dL_dS", "dS_dZ2", "dZ2_dA1", "dA1_dZ1", "dZ1_db1")),
        ("dL_dX", ("dL_dS", "dS_dZ2", "dZ2_dA1", "dA1_dZ1", "dZ1_dX")),
        ("dL_dW", ("dL_dS", "dS_dZ2", "dZ2_dW2")),
        ("dL_dZ", ("dL_dS", "dS_dZ2")),
        ("dL_dS", ("dL_dS",)),
        ("dS_dW1", ("dS_dZ2", "dZ2_dA1", "dA1_dZ1", "dZ1_dW1")),
        ("dZ2_dA1", ("dZ2_dA1",)),
        ("dA2_dZ1", ("dS_dZ2", "dZ2_dA1", "dA1_dZ1")),
    ],
)
def test_factors_are_named_from_the_left(text: str, factors: tuple[str, ...]) -> None:
    assert derivative(two_layers(), text).factors == factors


@pytest.mark.parametrize("n_in", [3, 120, MAX_CACHED_MANY_LABELS // 4 + 1])
@pytest.mark.parametrize("order", ["columns_first", "rows_first"])
def test_however_many_columns_there_are_each_is_named_after_its_weight(n_in: int, order: str) -> None:
    layer = Layer(weights=np.ones((n_in, 4)), activation="identity")
    problem = Problem(
        network=Network(layers=(layer,)), inputs=np.ones((1, n_in)), conventions=Conventions(column_order=order)
    )
    positions = np.arange(4 * n_in).reshape((n_in, 4), order=COLUMN_ORDERS[order])
    columns = derivative(problem, "dZ_dW").columns
    assert columns is not None
    assert len(columns) == positions.size
    for row, column in ((0, 0), (1, 0), (0, 3), (n_in - 1, 3)):
        indices = f"{row + 1}{column + 1}" if n_in == 3 else f"[{row + 1},{column + 1}]"
        assert columns[positions[row, column]] == f"W{indices}"


def test_columns_stack_weights_by_columns() -> None:
    layer = Layer(weights=np.array([[1.0, 2.0], [3.0, 4.0]]), activation="identity")
    problem = Problem(network=Network(layers=(layer,)), inputs=np.array([[5.0, 7.0], [0.5, 0.25]]))
    found = derivative(problem, "dZ_dW")
    assert found.columns == ("W11", "W21", "W12", "W22")
    assert found.rows == ("Z1", "Z2")
    assert found.value.tolist() == [
        [[5.0, 7.0, 0.0, 0.0], [0.0, 0.0, 5.0, 7.0]],
        [[0.5, 0.25, 0.0, 0.0], [0.0, 0.0, 0.5, 0.25]],
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("dZ_dX", [[[1.0, 3.0], [2.0, 4.0]]]),
        ("dZ_db", [[[1.0, 0.0], [0.0, 1.0]]]),
        ("dA_dZ", [[[1.0, 0.0], [0.0, 1.0]]]),
        ("dA_dX", [[[1.0, 3.0], [2.0, 4.0]]]),
    ],
)
def test_small_jacobians_are_right_by_hand(text: str, value: list[list[list[float]]]) -> None:
    layer = Layer(weights=np.array([[1.0, 2.0], [3.0, 4.0]]), bias=np.array([1.0, 1.0]), activation="identity")
    problem = Problem(network=Network(layers=(layer,)), inputs=np.array([[5.0, 7.0]]))
    assert derivative(problem, text).value.tolist() == value


def test_a_jacobian_owns_its_numbers() -> None:
    found = derivative(two_layers(), "dZ1_db1").value
    found[0, 0, 0] = 7.0
    assert found[1, 0, 0] == 1.0


def test_replies_go_by_the_spelling_asked_and_carry_the_conventions() -> None:
    problem = two_layers()
    found = compute_jacobians(problem, ["dL_dW", "dA2_dZ2", "dS_dX"])
    assert list(found.jacobians) == ["dL_dW", "dA2_dZ2", "dS_dX"]
    assert found.conventions is problem.conventions
    assert found.jacobians["dA2_dZ2"].rows == ("S1", "S2")


@pytest.mark.parametrize(
    ("ids", "error", "path", "message"),
    [
        (["dS_dZ", "Z"], DomainError, ("jacobians", 1), "Z2 is not a derivative; needed d{of}_d{by}"),
        (["L"], DomainError, ("jacobians", 0), "L is not a derivative"),
        (["dS_dZ", "dA2_dZ2"], DomainError, ("jacobians", 1), "dS_dZ2 is asked for twice"),
        (["dS_dZ", "dS_dW3"], UnknownNameError, ("jacobians", 1), "found layer 3, the network has 2"),
    ],
)
def test_ids_that_are_no_derivatives_are_refused(
    ids: list[str], error: type[CoreError], path: tuple[str | int, ...], message: str
) -> None:
    with pytest.raises(error) as caught:
        compute_jacobians(two_layers(), ids)
    assert type(caught.value) is error
    assert caught.value.path == path
    assert message in str(caught.value)


def test_a_product_that_does_not_fit_float64_is_refused() -> None:
    layers = tuple(Layer(weights=np.array([[1e200]]), activation="identity") for _ in range(2))
    problem = Problem(network=Network(layers=layers), inputs=np.array([[1e-300]]))
    with pytest.raises(NonFiniteError, match="dZ2_dX, or a number on the way to it, does not fit float64"):
        compute_jacobians(problem, ["dZ_dX"])


@pytest.mark.parametrize(
    ("ids", "limits", "index", "message"),
    [
        (["dS_dW1"], {"numbers": 3 * 2 * 6 + 8 * 8 - 1}, 0, "dS_dW1 has 3 × 2 × 6 entries, all asked for so far"),
        (["dZ1_db1", "dL_dW1"], {"numbers": 3 * 3 * 3 + 8 * 6 + 5}, 1, "dL_dW1 of shape (2, 3), all asked"),
        (["dL_dW1", "dS_dW1"], {"operations": 1_500_000}, 1, "the products of all quantities asked for so far"),
    ],
)
def test_derivatives_over_the_budget_are_refused_at_the_first_that_no_longer_fits(
    ids: list[str], limits: dict[str, int], index: int, message: str
) -> None:
    with pytest.raises(TooLargeError) as caught:
        compute_jacobians(two_layers(), ids, budget=Budget(**limits))
    assert caught.value.path == ("jacobians", index)
    assert message in str(caught.value)


def test_derivatives_that_just_fit_are_computed() -> None:
    fitting = Budget(numbers=3 * 2 * 6 + 8 * 8)
    assert prod(compute_jacobians(two_layers(), ["dS_dW1"], budget=fitting).jacobians["dS_dW1"].shape) == 36


def test_no_ids_at_all_are_refused() -> None:
    with pytest.raises(ShapeError, match="needed at least one") as caught:
        compute_jacobians(two_layers(), [])
    assert caught.value.path == ("jacobians",)
