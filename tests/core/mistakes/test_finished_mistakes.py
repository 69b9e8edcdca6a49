"""Mistakes made with a finished answer: orientation, order and scale."""

from collections.abc import Callable

import numpy as np
import pytest

from core.arrays import Array
from core.conventions import COLUMN_ORDERS
from core.jacobians import compute_jacobians
from core.mistakes import MISTAKES, Mistake, Transform
from core.problem import Layer, Network, Problem
from core.quantities import Quantity
from core.scenarios import Scenarios, select
from core.steps import evaluate
from tests.support.problems import numbered_quantities, random_problem, two_layers

# the source article's layer, and the gradient that it prints
WEIGHTS = np.array([[0.1, 0.2, 0.3, 0.4, 0.5], [0.6, 0.7, 0.8, 0.9, 0.1], [0.11, 0.12, 0.13, 0.14, 0.15]])
INPUTS = np.array([[0.1, 0.5, 0.4]])
PRINTED = [
    [0.01909135, 0.09545676, 0.07636541, 0.02035314, 0.10176572],
    [0.08141258, -0.07830167, -0.39150833, -0.31320667, 0.02313243],
    [0.11566214, 0.09252971, 0.01572474, 0.07862371, 0.06289897],
]
ARTICLE = Problem(
    network=Network(layers=(Layer(weights=WEIGHTS, activation="softmax"),)),
    inputs=INPUTS,
    targets=np.array([2]),
    loss="cross_entropy",
)
BY_WEIGHTS = Quantity("L", "W1")


def hand_in(
    mistake: str, value: Array, quantity: Quantity, problem: Problem, *, index: int = 0, number: float = 1.0
) -> Array | None:
    """Do a mistake's transform to a value."""
    return MISTAKES[mistake].transforms[index].apply(problem, quantity, value, number)


def made(
    mistake: str, value: Array, quantity: Quantity, problem: Problem, *, index: int = 0, number: float = 1.0
) -> Array:
    """Do a mistake's transform to a value that it can be done to."""
    found = hand_in(mistake, value, quantity, problem, index=index, number=number)
    assert found is not None
    return found


def jacobian(problem: Problem, key: str) -> Array:
    """Compute one Jacobian."""
    return compute_jacobians(problem, [key]).jacobians[key].value


def test_the_articles_gradient_is_the_true_one_put_back_by_rows() -> None:
    truth = evaluate(ARTICLE, ["dL_dW1"])["dL_dW1"]
    found = made("reshaped_rows_first", truth, BY_WEIGHTS, ARTICLE)
    np.testing.assert_allclose(found, PRINTED, atol=5e-9)  # eight decimals are printed
    assert not np.allclose(truth, PRINTED, atol=1e-3)


def test_the_other_way_of_reshaping_takes_it_back() -> None:
    truth = evaluate(ARTICLE, ["dL_dW1"])["dL_dW1"]
    found = made("reshaped_rows_first", truth, BY_WEIGHTS, ARTICLE)
    np.testing.assert_array_equal(made("reshaped_rows_first", found, BY_WEIGHTS, ARTICLE, index=1), truth)


def test_the_row_of_the_chain_goes_by_columns_or_by_rows() -> None:
    value = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    problem = two_layers()
    assert made("not_reshaped", value, BY_WEIGHTS, problem).tolist() == [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]
    assert made("not_reshaped", value, BY_WEIGHTS, problem, index=1).tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert made("reshaped_rows_first", value, BY_WEIGHTS, problem).tolist() == [[1.0, 4.0, 2.0], [5.0, 3.0, 6.0]]
    back = made("reshaped_rows_first", value, BY_WEIGHTS, problem, index=1)
    assert back.tolist() == [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]


@pytest.mark.parametrize(
    "quantity", [Quantity("L", "b1"), Quantity("L"), Quantity("Z1"), Quantity("A2", "W1")], ids=str
)
@pytest.mark.parametrize("mistake", ["reshaped_rows_first", "not_reshaped"])
def test_only_gradients_by_weights_are_reshaped(mistake: str, quantity: Quantity) -> None:
    assert hand_in(mistake, np.ones((3, 3)), quantity, two_layers()) is None


@pytest.mark.parametrize("shape", [(2, 3), (4, 2, 3)])
def test_a_matrix_is_transposed_sample_by_sample(shape: tuple[int, ...]) -> None:
    value = np.arange(float(np.prod(shape))).reshape(shape)
    found = made("transposed", value, Quantity("Z1"), two_layers())
    assert found.shape == (*shape[:-2], 3, 2)
    assert all(found[..., j, i].tolist() == value[..., i, j].tolist() for i in range(2) for j in range(3))


def test_the_transpose_of_a_vector_is_a_column() -> None:
    found = made("transposed", np.array([1.0, 2.0, 3.0]), Quantity("L", "b1"), two_layers())
    assert found.tolist() == [[1.0], [2.0], [3.0]]


def test_a_number_cannot_be_transposed() -> None:
    assert hand_in("transposed", np.asarray(1.0), Quantity("L"), two_layers()) is None


@pytest.mark.parametrize("key", ["dZ1_dW1", "dA2_dW1", "dA2_dW2"])
def test_columns_by_rows_of_the_weights_are_the_other_order(key: str) -> None:
    problem = two_layers()
    by = key[1:].split("_d")[1]
    value = jacobian(problem, key)
    found = flattened(problem, key)
    n_in, n_out = problem.network.layers[int(by[1]) - 1].weights.shape
    for i in range(n_in):
        for j in range(n_out):
            np.testing.assert_array_equal(found[:, :, i * n_out + j], value[:, :, j * n_in + i])


def test_the_other_order_is_undone_by_itself_for_square_weights() -> None:
    layer = Layer(weights=np.arange(9.0).reshape(3, 3) / 10, activation="tanh")
    problem = Problem(network=Network(layers=(layer,)), inputs=np.array([[0.5, -1.0, 2.0]]))
    value, once = jacobian(problem, "dA1_dW1"), flattened(problem, "dA1_dW1")
    assert not np.array_equal(once, value)
    by_rows = problem.under(("column_order", "rows_first"))
    np.testing.assert_array_equal(jacobian(by_rows, "dA1_dW1"), once)
    np.testing.assert_array_equal(flattened(by_rows, "dA1_dW1"), value)


def flattened(problem: Problem, key: str) -> Array:
    """Make the mistake of the other order of columns."""
    by_rows = problem.conventions.column_order == "rows_first"
    mistake = MISTAKES["flattened_columns_first" if by_rows else "flattened_rows_first"]
    return Scenarios(problem, mistake.variants).value(key, select(0))


@pytest.mark.parametrize("quantity", [Quantity("L", "W1"), Quantity("A2", "Z2"), Quantity("Z1", "b1")], ids=str)
def test_only_jacobians_by_weights_have_columns_of_weights(quantity: Quantity) -> None:
    assert hand_in("inputs_given_for_jacobian", np.ones((3, 2, 3)), quantity, two_layers()) is None
    assert not Scenarios(two_layers(), MISTAKES["flattened_rows_first"].variants).reach(quantity.key)


@pytest.mark.parametrize("order", COLUMN_ORDERS)
def test_inputs_are_given_for_the_jacobian_of_their_layer_alone(order: str) -> None:
    problem = two_layers().under(("column_order", order))
    for key, inputs in (("dZ1_dW1", "X"), ("dZ2_dW2", "A1")):
        found = made("inputs_given_for_jacobian", jacobian(problem, key), Quantity(*key[1:].split("_d")), problem)
        np.testing.assert_array_equal(found, evaluate(problem, [inputs])[inputs])
    assert hand_in("inputs_given_for_jacobian", jacobian(problem, "dA2_dW2"), Quantity("A2", "W2"), problem) is None


def test_the_diagonal_alone_may_be_handed_in_for_the_softmaxs_jacobian() -> None:
    problem = two_layers()
    found = made("softmax_jacobian_diagonal", jacobian(problem, "dA2_dZ2"), Quantity("A2", "Z2"), problem)
    s = evaluate(problem, ["A2"])["A2"]
    np.testing.assert_allclose(found, s * (1 - s), rtol=1e-14)
    assert hand_in("softmax_jacobian_diagonal", np.ones((3, 2, 3)), Quantity("A2", "Z1"), problem) is None
    assert hand_in("softmax_jacobian_diagonal", np.asarray(1.0), Quantity("L"), problem) is None


def test_everything_is_zero_or_of_the_other_sign() -> None:
    value = np.array([[1.0, -2.0]])
    assert made("all_zero", value, Quantity("Z2"), two_layers()).tolist() == [[0.0, 0.0]]
    assert made("sign_flipped", value, Quantity("Z2"), two_layers()).tolist() == [[-1.0, 2.0]]


@pytest.mark.parametrize(("mistake", "number"), [("scaled", 0.3), ("scaled", 7.0), ("negated_step", -0.1)])
def test_an_answer_times_a_number(mistake: str, number: float) -> None:
    value = np.array([[1.0, -2.0]])
    found = made(mistake, value, Quantity("Z2"), two_layers(), number=number)
    np.testing.assert_array_equal(found, [[number, -2.0 * number]])


@pytest.mark.parametrize("rate", [0.1, 1.0])
def test_the_parameters_after_a_step_are_given_for_the_gradient(rate: float) -> None:
    problem = two_layers()
    first, second = problem.network.layers
    assert first.bias is not None
    gradients = evaluate(problem, ["dL_dW1", "dL_db1", "dL_dW2", "dL_dX"])
    for name, parameter in (("W1", first.weights), ("b1", first.bias), ("W2", second.weights)):
        gradient = gradients[f"dL_d{name}"]
        found = made("new_weights_given", gradient, Quantity("L", name), problem, number=rate)
        np.testing.assert_array_equal(found, parameter - rate * gradient)


@pytest.mark.parametrize("quantity", [Quantity("L"), Quantity("L", "X"), Quantity("A2", "W1"), Quantity("Z1")], ids=str)
def test_what_is_no_gradient_of_parameters_is_no_step(quantity: Quantity) -> None:
    assert hand_in("new_weights_given", np.ones((3, 2)), quantity, two_layers(), number=0.1) is None


NUMBERED = [(name, index) for name, m in MISTAKES.items() for index, t in enumerate(m.transforms) if t.accepts]


def test_transforms_have_a_number_of_their_own() -> None:
    assert {name for name, _ in NUMBERED} >= {"scaled", "divided_by_constant", "negated_step", "new_weights_given"}


@pytest.mark.parametrize(
    ("number", "exact"),
    [(1 / 7, 1 / 7), (0.14291, 1 / 7), (0.1, 0.1), (0.01, 0.01), (0.5, None), (0.3, None), (0.0095, None), (3.0, None),
     (-0.1, None), (0.0, None)],
)  # fmt: skip
def test_a_division_is_by_a_whole_number_that_is_told_apart(number: float, exact: float | None) -> None:
    division, scaled = (MISTAKES[name].transforms[0] for name in ("divided_by_constant", "scaled"))
    assert division.accepts is not None
    assert scaled.accepts is not None
    assert division.exact(np.array(number)) == pytest.approx(number if exact is None else exact, rel=1e-15)
    assert division.accepts(number) == (exact is not None)
    assert scaled.accepts(number) == (exact is None and number > 0)


@pytest.mark.parametrize(
    ("name", "quantity", "factor"),
    [
        ("divided_by_features", Quantity("L", "W1"), 1 / 2),
        ("divided_by_features", Quantity("L", "b2"), 1 / 3),
        ("multiplied_by_features", Quantity("L", "Z2"), None),
        ("multiplied_by_features", Quantity("L", "W2"), 3.0),
        ("multiplied_by_features", Quantity("L"), None),
        ("multiplied_by_features", Quantity("A2", "Z2"), None),
        ("multiplied_by_outputs", Quantity("L"), 2.0),
        ("multiplied_by_outputs", Quantity("L", "W1"), 2.0),
        ("multiplied_by_outputs", Quantity("Z1"), None),
        ("factor_two", Quantity("Z1"), 2.0),
        ("factor_half", Quantity("A2", "Z2"), 0.5),
        ("factor_half", Quantity("L", "W1"), None),
    ],
    ids=str,
)
def test_a_factor_is_a_size_of_the_layer(name: str, quantity: Quantity, factor: float | None) -> None:
    problem = two_layers()
    assert problem.network.widths == (2, 3, 2)
    found = MISTAKES[name].transforms[0].apply(problem, quantity, np.ones(4), 1.0)
    assert found is None if factor is None else found is not None and found.tolist() == [factor] * 4


@pytest.mark.parametrize(("name", "index"), NUMBERED)
def test_a_transform_is_linear_in_its_number(name: str, index: int) -> None:
    problem, quantity = two_layers(), Quantity("L", "W1")
    value = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -4.0]])
    at = {number: made(name, value, quantity, problem, index=index, number=number) for number in (0.0, 1.0, -0.5, 2.0)}
    for number, found in at.items():
        np.testing.assert_allclose(found - at[0.0], number * (at[1.0] - at[0.0]), rtol=1e-14)


@pytest.mark.parametrize(("name", "index"), NUMBERED)
def test_a_transform_accepts_its_examples(name: str, index: int) -> None:
    transform = MISTAKES[name].transforms[index]
    assert transform.accepts is not None
    assert transform.examples
    assert all(transform.accepts(number) for number in transform.examples)
    assert not transform.accepts(0.0)


@pytest.mark.parametrize("name", ["scaled", "negated_step"])
@pytest.mark.parametrize("number", [1.0, -1.0, 1.0009, -0.9995])
def test_a_sign_is_no_factor(name: str, number: float) -> None:
    accepts = MISTAKES[name].transforms[0].accepts
    assert accepts is not None
    assert not accepts(number)


@pytest.mark.parametrize(("name", "number"), [("scaled", -0.5), ("negated_step", 0.5), ("new_weights_given", -0.1)])
def test_a_factor_and_a_step_have_their_own_signs(name: str, number: float) -> None:
    accepts = MISTAKES[name].transforms[0].accepts
    assert accepts is not None
    assert not accepts(number)


@pytest.mark.parametrize("seed", range(12))
def test_every_transform_takes_every_quantity_and_leaves_it_as_it_is(seed: int) -> None:
    problem = random_problem(seed)
    computed, pairs = numbered_quantities(problem)
    quantities = [*(Quantity(node) for node in computed), *(Quantity(of, by) for of, by in pairs)]
    for quantity in quantities:
        is_jacobian = quantity.is_jacobian
        value = jacobian(problem, quantity.key) if is_jacobian else evaluate(problem, [quantity.key])[quantity.key]
        before = value.copy()
        for mistake in MISTAKES.values():
            for transform in mistake.transforms:
                found = transform.apply(problem, quantity, value, transform.examples[0])
                assert found is None or np.isfinite(found).all()
        np.testing.assert_array_equal(value, before)


def made_of(apply: Callable[[Array], Array | None], accepts: Callable[[float], bool] | None = None) -> Mistake:
    """Make a mistake of one transform, which looks at the value alone."""
    transform = Transform(apply=lambda problem, quantity, value, number: apply(value), accepts=accepts)
    return Mistake(name="new", family="", message="", transforms=(transform,))


@pytest.mark.parametrize(
    "apply",
    [
        lambda value: 3.0 * value,
        lambda value: 0.5 * value,
        lambda value: value + 1.0,
        lambda value: value.sum(keepdims=True),
        lambda value: np.ones(value.shape),
        np.abs,
        lambda value: np.sort(value, axis=None),
        lambda value: np.maximum(value, 0.0),
        lambda value: value if value.max() > 0 else None,
        lambda value: 2.0 * value if value.ndim == 3 else None,
    ],
    ids=["factor", "half", "shift", "sum", "constant", "size", "sorted", "positive", "some", "Jacobians alone"],
)
def test_a_transform_that_makes_other_numbers_is_refused_as_it_is_written_down(
    apply: Callable[[Array], Array | None],
) -> None:
    with pytest.raises(ValueError, match=r"a transform of new makes other numbers of \w+; without accepts it may only"):
        made_of(apply)
    made_of(apply, accepts=lambda number: number > 0)


@pytest.mark.parametrize(
    "apply",
    [
        lambda value: -value,
        lambda value: value.ravel()[::-1],
        lambda value: value[..., :1],
        lambda value: np.stack([value, np.zeros(value.shape)]),
        lambda value: None,
    ],
    ids=["sign", "reversed", "picked", "padded", "nothing"],
)
def test_a_transform_may_pick_reorder_and_negate_entries(apply: Callable[[Array], Array | None]) -> None:
    value = np.asarray([[0.5, -2.0, 3.0]])
    transform = made_of(lambda value: apply(value) if value.ndim else None).transforms[0]
    chosen, expected = transform.choose(two_layers(), Quantity("Z2"), value.shape), apply(value)
    assert (chosen is None) == (expected is None)
    if chosen is not None and expected is not None:
        shape, index, signs = chosen
        np.testing.assert_array_equal((value.ravel()[index] * signs).reshape(shape), expected)
