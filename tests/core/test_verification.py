"""The check of gradients: it accepts right ones, names the worst of wrong ones, and knows its cost."""

from itertools import pairwise

import numpy as np
import pytest

from core.arrays import Array
from core.budget import Budget
from core.errors import UnknownNameError
from core.problem import Layer, Network, Problem
from core.propagation import compute_gradients, gradient_names
from core.steps import evaluate
from core.verification import METHODS, _sample, check_gradients, differentiate_numerically
from tests.support import oracles
from tests.support.problems import two_layers

BY_METHOD = {"complex_step": 1e-12, "central_differences": 1e-6}


def gradients_of(problem: Problem) -> dict[str, Array]:
    """Run the backward pass."""
    return evaluate(problem, gradient_names(problem))


@pytest.mark.parametrize("method", METHODS)
def test_right_gradients_pass(method: str) -> None:
    problem = two_layers()
    check = check_gradients(problem, gradients_of(problem), method=method)
    assert check.method == method
    assert check.max_rel_error <= BY_METHOD[method]  # rounding alone, and rounding over a step
    assert check.max_abs_error <= BY_METHOD[method]  # entries of at most 1


@pytest.mark.parametrize("method", METHODS)
def test_an_entry_wrong_by_a_thousandth_is_named(method: str) -> None:
    problem = two_layers()
    for name in gradient_names(problem):
        gradients = {key: value.copy() for key, value in gradients_of(problem).items()}
        index = np.unravel_index(int(np.abs(gradients[name]).argmax()), gradients[name].shape)
        right = float(gradients[name][index])
        gradients[name][index] *= 1.001
        check = check_gradients(problem, gradients, method=method)
        assert check.worst.index == tuple(map(int, index))
        assert check.worst.quantity == name
        assert check.worst.analytic == right * 1.001
        # what the method itself is exact to
        assert check.worst.numeric == pytest.approx(right, rel=BY_METHOD[method])
        assert check.max_rel_error == pytest.approx(0.001 / 1.001, rel=0.01)
        assert check.max_abs_error == pytest.approx(abs(right) * 0.001, rel=0.01)


def test_the_worst_entry_is_the_worst_part_of_its_array_not_the_largest_error() -> None:
    problem = two_layers()
    gradients = gradients_of(problem)
    small = min(gradients, key=lambda name: float(np.abs(gradients[name]).max()))
    large = max(gradients, key=lambda name: float(np.abs(gradients[name]).max()))
    gradients |= {small: gradients[small] * 1.01, large: gradients[large] * 1.001}
    check = check_gradients(problem, gradients)
    assert check.worst.quantity == small
    assert check.max_rel_error == pytest.approx(0.01 / 1.01, rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", METHODS)
def test_gradients_that_are_all_zero_pass(method: str, dtype: type) -> None:
    layer = Layer(weights=np.zeros((2, 1), dtype), activation="identity")
    problem = Problem(
        network=Network(layers=(layer,)),
        inputs=np.ones((3, 2), dtype),
        targets=np.zeros((3, 1), dtype),
        loss="squared_error",
    )
    check = check_gradients(problem, gradients_of(problem), method=method)
    assert (check.max_abs_error, check.max_rel_error) == (0.0, 0.0)


def test_a_flipped_sign_is_an_error_of_twice_the_entry() -> None:
    problem = two_layers()
    check = check_gradients(problem, {"dL_dX": -gradients_of(problem)["dL_dX"]})
    assert check.max_rel_error == pytest.approx(2.0)


@pytest.mark.parametrize("gap", [1.0, 10.0, 20.0, 30.0])
def test_right_gradients_pass_however_sure_a_hidden_softmax_is(gap: float) -> None:
    hidden = Layer(weights=np.array([[gap, 0.0, -1.0]]), activation="softmax")
    output = Layer(weights=np.array([[1.0], [-0.5], [0.7]]), activation="identity")
    problem = Problem(
        network=Network(layers=(hidden, output)),
        inputs=np.array([[1.0]]),
        targets=np.array([[0.3]]),
        loss="squared_error",
    )
    gradients = gradients_of(problem)
    assert oracles.array_error(gradients["dL_dW1"], oracles.exact_gradient(problem, "W1")) < 1e-13
    # so a larger error would be the check's own
    assert check_gradients(problem, gradients).max_rel_error <= 1e-10


def test_gradients_that_are_zero_throughout_have_no_error() -> None:
    layer = Layer(weights=np.array([[-1.0]]), activation="relu")
    problem = Problem(
        network=Network(layers=(layer,)), inputs=np.array([[2.0]]), targets=np.array([[0.5]]), loss="squared_error"
    )
    check = check_gradients(problem, gradients_of(problem))
    assert (check.max_abs_error, check.max_rel_error) == (0.0, 0.0)


@pytest.mark.parametrize("method", METHODS)
def test_numeric_derivatives_have_the_shape_of_what_they_are_taken_by(method: str) -> None:
    problem = two_layers()
    for name, gradient in gradients_of(problem).items():
        numeric = differentiate_numerically(problem, name, method=method)
        assert numeric.shape == gradient.shape
        assert np.isrealobj(numeric)


def test_an_unknown_method_lists_the_choices() -> None:
    with pytest.raises(UnknownNameError, match="needed one of complex_step, central_differences"):
        check_gradients(two_layers(), {}, method="forward_differences")


def cost(problem: Problem) -> int:
    """Count what one entry takes, in multiply-adds: four real ones in a complex one, and two calls a layer."""
    network = problem.network
    return 4 * problem.n_samples * network.sample_operations + 200_000 * network.depth


@pytest.mark.parametrize("method", METHODS)
def test_where_the_budget_allows_it_every_entry_is_checked(method: str) -> None:
    problem = two_layers()
    gradients = gradients_of(problem)
    of = sum(gradient.size for gradient in gradients.values())
    enough = check_gradients(problem, gradients, method=method, budget=Budget(operations=of * cost(problem)))
    assert (enough.entries.checked, enough.entries.of) == (of, of)
    fewer = check_gradients(problem, gradients, method=method, budget=Budget(operations=of * cost(problem) - 1))
    assert (fewer.entries.checked, fewer.entries.of) == (of - 1, of)


# 6 + 3 + 6 + 6 entries in W1, b1, W2 and X
@pytest.mark.parametrize(("passes", "checked"), [(0, 1), (1, 1), (3, 3), (4, 4), (7, 7), (20, 20), (30, 21)])
def test_a_check_takes_no_more_passes_than_the_budget_allows(passes: int, checked: int) -> None:
    problem = two_layers()
    # more than the one pass that is taken in any case needs
    budget = Budget(operations=max(passes * cost(problem), 500_000))
    assert check_gradients(problem, gradients_of(problem), budget=budget).entries.checked == checked


def test_a_sample_has_entries_of_every_array_and_an_error_throughout_one_of_them_is_seen() -> None:
    problem = two_layers()
    budget = Budget(operations=4 * cost(problem))
    for name in gradient_names(problem):
        gradients = gradients_of(problem)
        gradients[name] = gradients[name] * 1.001
        check = check_gradients(problem, gradients, budget=budget)
        assert check.worst.quantity == name
        assert check.worst.analytic == pytest.approx(1.001 * check.worst.numeric, rel=1e-9)
        assert check.worst.analytic == gradients[name][check.worst.index]


def test_a_sample_is_always_the_same_and_of_different_entries() -> None:
    problem = two_layers()
    places = [_sample("dL_dW1", 1000, 300) for _ in range(2)]
    assert places[0] == places[1]
    assert len(set(places[0])) == 300
    assert all(0 <= place < 1000 for place in places[0])
    assert max(np.diff(places[0])) <= 8
    assert _sample("dL_dW1", 1000, 300) != _sample("dL_dX", 1000, 300)
    budget = Budget(operations=10 * cost(problem))
    one, other = (check_gradients(problem, gradients_of(problem), budget=budget) for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("widths", "activation", "n_samples"),
    [([10] * 21, "gelu", 50), ([64, 32, 10], "relu", 1797), ([1] * 901, "tanh", 1)],
    ids=["20 gelu layers", "digits", "900 layers"],
)
def test_a_check_is_never_refused_for_its_size(widths: list[int], activation: str, n_samples: int) -> None:
    rng = np.random.default_rng(5)
    depth = len(widths) - 1
    layers = tuple(
        Layer(
            weights=rng.normal(size=(n_in, n_out)) / np.sqrt(n_in),
            bias=rng.normal(size=n_out),
            activation=activation if number < depth else "softmax",
        )
        for number, (n_in, n_out) in enumerate(pairwise(widths), start=1)
    )
    problem = Problem(
        network=Network(layers=layers),
        inputs=rng.normal(size=(n_samples, widths[0])),
        targets=np.array([number % widths[-1] for number in range(n_samples)]),
        loss="cross_entropy",
    )
    # a tenth of the default, so that this takes no time
    budget = Budget(operations=1_000_000_000)
    check = compute_gradients(problem, check=True, budget=budget).check
    assert check is not None
    assert 0 < check.entries.checked < check.entries.of
    assert check.entries.checked == budget.operations // cost(problem)
    assert check.entries.of == problem.network.n_parameters + problem.inputs.size
    assert check.max_rel_error < 1e-10


def test_gradients_fainter_than_the_method_sees_are_not_called_wrong() -> None:
    layer = Layer(weights=np.array([[690.0, 0.0]]), activation="softmax")
    problem = Problem(
        network=Network(layers=(layer,)), inputs=np.ones((1, 1)), targets=np.array([0]), loss="cross_entropy"
    )
    assert 0 < abs(gradients_of(problem)["dL_dW1"][0, 0]) < 1e-299
    assert check_gradients(problem, gradients_of(problem)).max_rel_error < 1e-9


@pytest.mark.parametrize("scale", [1e8, 1e17, 1e30])
def test_right_gradients_pass_however_large_the_inputs_are(scale: float) -> None:
    layer = Layer(weights=np.array([[0.7 / scale]]), activation="tanh")
    problem = Problem(
        network=Network(layers=(layer,)),
        inputs=np.array([[scale]]),
        targets=np.zeros((1, 1)),
        loss="half_squared_error",
    )
    assert check_gradients(problem, gradients_of(problem)).max_rel_error < 1e-13
