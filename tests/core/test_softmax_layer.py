"""The softmax layer of the source articles: every number they print, the long way and by the shortcut."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.budget import Budget
from core.errors import CoreError, DomainError, NonFiniteError, ShapeError, TooLargeError, UnknownNameError
from core.softmax_layer import DEFAULT_QUANTITIES, SoftmaxLayer, SoftmaxLayerResult, compute_softmax_layer
from tests.support import oracles

WEIGHTS = np.array([[0.1, 0.2, 0.3, 0.4, 0.5], [0.6, 0.7, 0.8, 0.9, 0.1], [0.11, 0.12, 0.13, 0.14, 0.15]])
INPUTS = np.array([[0.1, 0.5, 0.4]])
TARGET = np.array([[0.0, 0.0, 1.0, 0.0, 0.0]])

# recomputed from the articles' weights, inputs and target at full float64 precision, by the plain formulas
LOSS = 1.5279347484961026
Z = [0.354, 0.418, 0.48200000000000004, 0.546, 0.16]
S = [0.19091351615156654, 0.20353144839001694, 0.2169833300375167, 0.23132427881095552, 0.1572474266099444]
DS_DZ = [
    [0.1544655455022121, -0.03885690445955923, -0.04142505048373814, -0.04416293143902484, -0.030020659119889895],
    [-0.03885690445955923, 0.16210639790627882, -0.04416293143902484, -0.047081765514169885, -0.032004796493524876],
    [-0.04142505048373814, -0.04416293143902484, 0.1699015645233468, -0.05019351233492809, -0.03412007026565575],
    [-0.04416293143902484, -0.047081765514169885, -0.05019351233492809, 0.17781335684354682, -0.036375147555424044],
    [-0.030020659119889895, -0.032004796493524876, -0.03412007026565575, -0.036375147555424044, 0.13252067343449456],
]
DL_DS = [0.0, 0.0, -4.608648967766781, 0.0, 0.0]
DL_DZ = [0.19091351615156654, 0.20353144839001694, -0.7830166699624833, 0.23132427881095552, 0.1572474266099444]
DL_DW = [
    [0.019091351615156654, 0.020353144839001695, -0.07830166699624834, 0.023132427881095555, 0.01572474266099444],
    [0.09545675807578327, 0.10176572419500847, -0.39150833498124166, 0.11566213940547776, 0.0786237133049722],
    [0.07636540646062662, 0.08141257935600678, -0.31320666798499336, 0.09252971152438222, 0.06289897064397776],
]
ROW = [
    *(0.019091351615156658, 0.09545675807578329, 0.07636540646062663, 0.020353144839001698, 0.10176572419500847),
    *(0.08141257935600679, -0.07830166699624834, -0.39150833498124166, -0.31320666798499336, 0.023132427881095555),
    *(0.11566213940547776, 0.09252971152438222, 0.015724742660994443, 0.0786237133049722, 0.06289897064397777),
]
DS_DW_FIRST_AND_LAST_ROW = [
    [
        *(0.01544655455022121, 0.07723277275110604, 0.06178621820088484, -0.003885690445955923, -0.019428452229779614),
        *(-0.015542761783823692, -0.004142505048373814, -0.02071252524186907, -0.016570020193495256),
        *(-0.0044162931439024845, -0.02208146571951242, -0.017665172575609938, -0.0030020659119889895),
        *(-0.015010329559944947, -0.012008263647955958),
    ],
    [
        *(-0.0030020659119889895, -0.015010329559944947, -0.012008263647955958, -0.0032004796493524876),
        *(-0.016002398246762438, -0.01280191859740995, -0.003412007026565575, -0.017060035132827875),
        *(-0.0136480281062623, -0.0036375147555424044, -0.018187573777712022, -0.014550059022169617),
        *(0.013252067343449456, 0.06626033671724728, 0.05300826937379782),
    ],
]


def article(**changes: Any) -> SoftmaxLayer:
    """Build the articles' layer, or one that differs."""
    return replace(SoftmaxLayer(weights=WEIGHTS, inputs=INPUTS, target=TARGET), **changes)


@pytest.fixture(scope="module")
def result() -> SoftmaxLayerResult:
    return compute_softmax_layer(article())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Z", Z),
        ("S", S),
        ("dL_dS", DL_DS),
        ("dS_dZ", DS_DZ),
        ("dL_dZ", DL_DZ),
        ("dL_dW", DL_DW),
        ("dL_db", DL_DZ),
    ],
)
def test_every_number_of_the_articles_is_reproduced(result: SoftmaxLayerResult, name: str, value: list[Any]) -> None:
    # plain formulas in another order of operations
    np.testing.assert_allclose(result.quantities[name].value, np.asarray(value), rtol=1e-12, atol=0.0)
    assert result.quantities[name].shape == np.asarray(value).shape


def test_the_loss_is_the_articles(result: SoftmaxLayerResult) -> None:
    assert result.loss == pytest.approx(LOSS, rel=1e-12)  # plain formulas in another order of operations


def test_the_large_jacobians_are_the_articles(result: SoftmaxLayerResult) -> None:
    assert result.quantities["dZ_dW"].value.tolist() == np.kron(np.eye(5), INPUTS).tolist()
    found = result.quantities["dS_dW"].value
    assert found.shape == (5, 15)
    # plain formulas in another order of operations
    np.testing.assert_allclose(found[[0, -1]], DS_DW_FIRST_AND_LAST_ROW, rtol=1e-12)
    np.testing.assert_allclose(found, np.array(DS_DZ) @ np.kron(np.eye(5), INPUTS), rtol=1e-12)
    np.testing.assert_allclose(result.quantities["dL_dX"].value, WEIGHTS @ DL_DZ, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "row", "unit", "printed"),
    [
        ("S", ..., 1e-8, [0.19091352, 0.20353145, 0.21698333, 0.23132428, 0.15724743]),
        ("dL_dS", ..., 1e-5, [0, 0, -4.60864, 0, 0]),
        ("dS_dZ", 0, 1e-6, [0.154465, -0.038856, -0.041425, -0.044162, -0.030020]),
        ("dS_dW", (0, slice(5)), 1e-5, [0.01544, 0.07723, 0.06178, -0.00388, -0.01942]),
        ("dS_dW", (0, slice(5, 10)), 1e-5, [-0.01554, -0.00414, -0.02071, -0.01657, -0.00441]),
        ("dS_dW", (0, slice(10, 15)), 1e-5, [-0.02208, -0.01766, -0.00300, -0.01501, -0.01200]),
    ],
)
def test_printed_tables_agree_to_one_unit_of_their_last_digit(
    result: SoftmaxLayerResult, name: str, row: int, unit: float, printed: list[float]
) -> None:
    # the articles truncate some tables and round others
    assert np.abs(result.quantities[name].value[row] - printed).max() < unit


def test_the_row_of_the_chain_has_the_articles_order(result: SoftmaxLayerResult) -> None:
    assert result.chain is not None
    assert result.chain.factors == ("dL_dS", "dS_dZ", "dZ_dW")
    np.testing.assert_allclose(result.chain.row, ROW, rtol=1e-12)  # plain formulas in another order
    assert result.chain.max_abs_difference <= 1e-14  # two ways to the same numbers
    # the article prints the row cut into three rows of five, which is not the gradient
    printed = [
        [0.01909135, 0.09545676, 0.07636541, 0.02035314, 0.10176572],
        [0.08141258, -0.07830167, -0.39150833, -0.31320667, 0.02313243],
        [0.11566214, 0.09252971, 0.01572474, 0.07862371, 0.06289897],
    ]
    assert np.abs(result.chain.row.reshape(3, 5) - printed).max() < 1e-8  # one unit in the last digit
    gradient = result.quantities["dL_dW"].value
    np.testing.assert_allclose(result.chain.row.reshape(5, 3).T, gradient, rtol=1e-12)  # the same numbers
    assert np.abs(result.chain.row.reshape(3, 5) - gradient).max() > 0.1


def test_the_gradient_is_the_outer_product_of_input_and_error(result: SoftmaxLayerResult) -> None:
    error = result.quantities["S"].value - TARGET[0]
    np.testing.assert_allclose(result.quantities["dL_dW"].value, np.outer(INPUTS[0], error), rtol=1e-14)  # one rounding


def test_columns_of_the_softmax_jacobians_sum_to_zero(result: SoftmaxLayerResult) -> None:
    # probabilities sum to 1 whatever the weights; a sum of five roundings
    assert np.abs(result.quantities["dS_dW"].value.sum(axis=0)).max() < 1e-16
    assert np.abs(result.quantities["dS_dZ"].value.sum(axis=0)).max() < 1e-16


def test_jacobians_are_labelled_and_other_quantities_are_not(result: SoftmaxLayerResult) -> None:
    assert list(result.quantities) == list(DEFAULT_QUANTITIES)
    found = result.quantities["dS_dW"]
    assert found.rows == ("S1", "S2", "S3", "S4", "S5")
    assert found.columns is not None
    assert found.columns[:6] == ("W11", "W21", "W31", "W12", "W22", "W32")
    assert result.quantities["dZ_dW"].rows == ("Z1", "Z2", "Z3", "Z4", "Z5")
    for name in ("Z", "S", "dL_dS", "dL_dZ", "dL_dW", "dL_db", "dL_dX"):
        assert (result.quantities[name].rows, result.quantities[name].columns) == (None, None)


def test_a_class_index_is_its_one_hot_row(result: SoftmaxLayerResult) -> None:
    by_label = compute_softmax_layer(article(target=np.array([2])))
    for name, quantity in result.quantities.items():
        np.testing.assert_array_equal(by_label.quantities[name].value, quantity.value)


def test_a_bias_shifts_the_logits() -> None:
    bias = np.array([0.5, -1.0, 0.0, 0.25, 2.0])
    found = compute_softmax_layer(article(bias=bias, quantities=("Z", "dL_db")))
    np.testing.assert_allclose(found.quantities["Z"].value, np.array(Z) + bias, rtol=1e-14)  # one more rounding
    assert found.quantities["dL_db"].shape == (5,)
    assert found.chain is None


def test_the_loss_may_be_asked_for_as_a_quantity() -> None:
    found = compute_softmax_layer(article(quantities=("L", "A1")))
    assert found.quantities["L"].shape == ()
    assert float(found.quantities["L"].value) == found.loss
    np.testing.assert_allclose(found.quantities["A1"].value, S, rtol=1e-12)  # as above


@pytest.mark.parametrize("factor", ["dL_dS", "dS_dZ", "dZ_dW"])
def test_the_chain_is_there_when_all_of_its_factors_are(factor: str) -> None:
    spelled = {"dL_dS": "dL_dA1", "dS_dZ": "dS_dZ1", "dZ_dW": "dZ1_dW"}
    assert compute_softmax_layer(article(quantities=tuple(spelled.values()))).chain is not None
    rest = tuple(name for key, name in spelled.items() if key != factor)
    assert compute_softmax_layer(article(quantities=rest)).chain is None


def test_a_nearly_sure_prediction_keeps_its_digits() -> None:
    layer = SoftmaxLayer(weights=np.array([[40.0, 0.0, -3.0]]), inputs=np.array([[1.0]]), target=np.array([0]))
    found = compute_softmax_layer(layer)
    z, y = np.array([40.0, 0.0, -3.0]), np.array([1.0, 0.0, 0.0])
    # each entry by itself, down to 1e-19
    assert oracles.entry_errors(found.loss, oracles.loss_value("cross_entropy", "softmax", z, y)) < 1e-13
    by_logits = oracles.loss_by_logits("cross_entropy", "softmax", z, y)
    assert oracles.entry_errors(found.quantities["dL_dZ"].value, by_logits).max() < 1e-13


def test_a_probability_that_underflows_leaves_all_but_its_quotient() -> None:
    weights = np.array([[800.0, 0.0]])
    layer = SoftmaxLayer(weights=weights, inputs=np.array([[1.0]]), target=np.array([1]))
    with pytest.raises(
        NonFiniteError, match=r"dL_dS, or a number on the way to it, does not fit float64.*ask for those without it"
    ):
        compute_softmax_layer(layer)
    rest = tuple(name for name in DEFAULT_QUANTITIES if name != "dL_dS")
    found = compute_softmax_layer(replace(layer, quantities=rest))
    assert found.loss == 800.0
    assert found.quantities["dL_dZ"].value.tolist() == [1.0, -1.0]


X1, T1, W12 = np.ones((1, 1)), np.array([0]), np.ones((1, 2))


@pytest.mark.parametrize(
    ("changes", "error", "path", "message"),
    [
        ({"weights": np.ones(2)}, ShapeError, ("weights",), "weights: found 1 axis, needed 2"),
        ({"weights": [[1.0, 2.0]]}, DomainError, ("weights",), "weights: found list"),
        ({"weights": np.ones((1, 0))}, ShapeError, ("weights",), "every axis needs at least one entry"),
        ({"weights": np.array([[1.0, np.nan]])}, DomainError, ("weights", 0, 1), "every number must be finite"),
        ({"weights": np.ones((2, 2))}, ShapeError, ("inputs",), "inputs have 1 feature,"),
        ({"bias": np.ones(3)}, ShapeError, ("bias",), "the bias has 3 numbers"),
        ({"bias": np.array([0.0, np.inf])}, DomainError, ("bias", 1), "every number must be finite"),
        ({"inputs": np.array([[np.nan]])}, DomainError, ("inputs", 0), "every number must be finite"),
        ({"inputs": np.ones(1)}, ShapeError, ("inputs",), "inputs: found 1 axis"),
        ({"inputs": np.ones((2, 1))}, ShapeError, ("target",), "targets have 1 sample, inputs have 2"),
        ({"inputs": np.ones((2, 1)), "target": np.array([0, 1])}, ShapeError, ("inputs",), "2 samples, needed one"),
        ({"target": np.array([2])}, DomainError, ("target",), "the class index of sample 0 is 2; needed 0 to 1"),
        ({"target": np.array([[0.5, 0.6]])}, DomainError, ("target",), "row 0 is not a distribution"),
        ({"target": np.array([[0.5, np.inf]])}, DomainError, ("target", 1), "every number must be finite"),
        ({"target": np.ones((1, 3))}, ShapeError, ("target",), "targets have 3 columns"),
        ({"quantities": ("Z", "Q")}, UnknownNameError, ("quantities", 1), "this is not a quantity id"),
        ({"quantities": ("Z", "Z1")}, DomainError, ("quantities", 1), "Z is asked for twice"),
        ({"quantities": ("dZ_dS",)}, DomainError, ("quantities", 0), "S is not upstream of Z"),
    ],
)
def test_a_wrong_layer_is_refused_where_it_is_wrong(
    changes: dict[str, Any], error: type[CoreError], path: tuple[str | int, ...], message: str
) -> None:
    layer = SoftmaxLayer(weights=W12, inputs=X1, target=T1)
    with pytest.raises(error) as caught:
        replace(layer, **changes)
    assert type(caught.value) is error
    assert caught.value.path == path
    assert message in str(caught.value)


def test_quantities_over_the_budget_are_refused() -> None:
    for asked, path in [(None, ()), (DEFAULT_QUANTITIES, ("quantities", 4))]:
        with pytest.raises(TooLargeError, match="dZ_dW has 1 × 5 × 15 entries") as caught:
            compute_softmax_layer(replace(article(), quantities=asked), budget=Budget(numbers=200))
        # a path into what the caller wrote, where the caller wrote it
        assert caught.value.path == path


def test_quantities_that_fit_the_budget_one_after_the_other_need_not_fit_it_together() -> None:
    layer = article(quantities=("dL_dZ", "dL_dS"))
    # each takes Z, S, y and itself
    tight = compute_softmax_layer(layer, budget=Budget(numbers=4 * 5))
    roomy = compute_softmax_layer(layer)
    assert tight.loss == roomy.loss
    for name, quantity in roomy.quantities.items():
        np.testing.assert_array_equal(tight.quantities[name].value, quantity.value)
    with pytest.raises(TooLargeError):
        compute_softmax_layer(layer, budget=Budget(numbers=4 * 5 - 1))
