"""Every loss's value and derivatives, against its formula at 400 digits, and its domain."""

from collections.abc import Iterator

import numpy as np
import pytest
from mpmath import mp  # type: ignore[import-untyped]  # mpmath carries no types

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.errors import DomainError
from core.losses import LOSSES, Loss
from tests.support import oracles

each_loss = pytest.mark.parametrize("name", LOSSES)

LOGITS = ([0.3, -1.2, 0.8], [2.0, 2.0, -3.0], [-9.0, 4.5, 0.1], [40.0, 0.0, -3.0], [-35.0, 1.0, 36.0])
DISTRIBUTIONS = ([1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.25, 0.5, 0.25], [0.125, 0.0, 0.875])


def cases(name: str) -> Iterator[tuple[str, Array, Array]]:
    """List an activation, logits and targets, all of which fit the loss."""
    activation = LOSSES[name].output_activation
    for last in (activation,) if activation else ("identity", "sigmoid", "softmax"):
        yield from ((last, np.array([z]), np.array([y])) for z in LOGITS for y in DISTRIBUTIONS)


def loss_of(loss: Loss, z: Array, a: Array, y: Array) -> Array:
    """Compute a loss the way that the table of steps does: from the logits where it has them."""
    return loss.logits.value(z, y) if loss.logits else loss.value(a, y)


@each_loss
def test_the_value_is_the_formulas_however_sure_the_prediction(name: str) -> None:
    for activation, z, y in cases(name):
        found = loss_of(LOSSES[name], z, ACTIVATIONS[activation].value(z), y)
        truth = oracles.loss_value(name, activation, z[0], y[0])
        if LOSSES[name].logarithmic:
            # read from the logits: a loss of 4e-18 keeps its digits
            assert oracles.entry_errors(found[0], truth) < 1e-13, (activation, z, y)
        else:
            # a - y rounds to 1 − 1 at its best, so the error is a part of 1
            assert float(abs(found[0] - truth)) < 1e-13 * max(1.0, float(truth)), (activation, z, y)


@each_loss
def test_the_plain_forms_agree_with_the_exact_ones_where_nothing_cancels(name: str) -> None:
    loss = LOSSES[name]
    z, y = np.array([[0.3, -0.2, 0.5]]), np.array([[0.2, 0.3, 0.5]])
    a = ACTIVATIONS[loss.output_activation or "tanh"].value(z)
    np.testing.assert_allclose(loss.value(a, y), loss_of(loss, z, a, y), rtol=1e-14)


@pytest.mark.parametrize("gap", [700.0, 720.0, 735.0])
def test_a_quotient_by_a_faint_probability_keeps_its_digits(gap: float) -> None:
    z, y = np.array([[gap, 0.0]]), np.array([[1.0, 1e-30]])
    with np.errstate(under="ignore"):
        found = LOSSES["cross_entropy"].grad_outputs(z, ACTIVATIONS["softmax"].value(z), y)[0]
    # the exponent is about 700, known to sixteen digits
    assert found[1] == pytest.approx(float(-mp.mpf(1e-30) * mp.exp(gap)), rel=2e-13)


@pytest.mark.parametrize(("z", "y"), [(-743.0, 1e-16), (740.0, 1.0 - 2.0**-53), (-735.0, 1e-14), (-730.0, 1e-12)])
def test_a_quotient_by_a_faint_sigmoid_keeps_its_digits(z: float, y: float) -> None:
    logits, targets = np.array([[z]]), np.array([[y]])
    with np.errstate(under="ignore"):
        found = LOSSES["binary_cross_entropy"].grad_outputs(logits, ACTIVATIONS["sigmoid"].value(logits), targets)
    truth = (1 - mp.mpf(y)) * (1 + mp.exp(z)) - mp.mpf(y) * (1 + mp.exp(-z))
    # the exponent is about 700, known to sixteen digits
    assert found[0, 0] == pytest.approx(float(truth), rel=3e-13)


def test_a_nearly_one_hot_target_cancels_nothing() -> None:
    z, y = np.array([[46.0, 0.0]]), np.array([[1.0, 1e-20]])
    a = ACTIVATIONS["softmax"].value(z)
    logits = LOSSES["cross_entropy"].logits
    assert logits is not None
    above, below = logits.grad(z, a, y)[0]
    # the derivatives of a loss that does not change when all logits move together
    assert above == -below
    assert below == pytest.approx(float(mp.exp(-46)) - 1e-20, rel=1e-13)


@each_loss
def test_the_derivative_by_outputs_is_that_of_the_formula(name: str) -> None:
    for activation, z, y in cases(name):
        found = LOSSES[name].grad_outputs(z, ACTIVATIONS[activation].value(z), y)[0]
        truth = oracles.stated_loss_by_outputs(name, activation, z[0], y[0])
        # where a target is 0 or 1, one term is 0 whatever the output
        largest = max(1.0, float(np.abs(truth).max()))
        assert float(np.abs(oracles.exact(found) - truth).max()) < 1e-13 * largest, (activation, z, y)
        if LOSSES[name].logarithmic:
            assert oracles.entry_errors(found, truth).max() < 1e-13, (activation, z, y)


@each_loss
def test_the_stated_derivative_is_that_of_the_stated_formula(name: str) -> None:
    for activation, z, y in cases(name):
        stated = oracles.stated_loss_by_outputs(name, activation, z[0], y[0])
        # two texts at 400 digits, differences with a step of 1e-133
        assert oracles.array_error(stated, oracles.loss_by_outputs(name, activation, z[0], y[0])) < 1e-40


@pytest.mark.parametrize("name", [name for name in LOSSES if LOSSES[name].logits])
def test_the_derivative_by_logits_is_the_chains_and_keeps_every_entrys_digits(name: str) -> None:
    loss = LOSSES[name]
    assert loss.logits is not None
    for activation, z, y in cases(name):
        a = ACTIVATIONS[activation].value(z)
        found = loss.logits.grad(z, a, y)
        # two or three roundings an entry, none of them of a difference of nearly equal numbers
        assert oracles.entry_errors(found[0], oracles.loss_by_logits(name, activation, z[0], y[0])).max() < 1e-13
        chained = ACTIVATIONS[activation].vjp(z, a, loss.grad_outputs(z, a, y))
        # the chain divides and multiplies by one probability
        np.testing.assert_allclose(found, chained, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "z", "y", "value", "grad"),
    [
        ("cross_entropy", [1e4, 0.0], [1.0, 0.0], 0.0, [0.0, 0.0]),
        ("cross_entropy", [1e4, 0.0], [0.0, 1.0], 1e4, [1.0, -1.0]),
        ("cross_entropy", [-1e4, 0.0], [1.0, 0.0], 1e4, [-1.0, 1.0]),
        ("cross_entropy", [-1e4, 1e4], [1.0, 0.0], 2e4, [-1.0, 1.0]),
        ("cross_entropy", [-1e4, 1e4], [0.5, 0.5], 1e4, [-0.5, 0.5]),
        ("cross_entropy", [1e300, 0.0], [0.0, 1.0], 1e300, [1.0, -1.0]),
        ("cross_entropy", [1e308, -1e308], [1.0, 0.0], 0.0, [0.0, 0.0]),
        ("cross_entropy", [7.0, 7.0], [0.5, 0.5], float(np.log(2.0)), [0.0, 0.0]),
        ("binary_cross_entropy", [1e4], [1.0], 0.0, [0.0]),
        ("binary_cross_entropy", [1e4], [0.0], 1e4, [1.0]),
        ("binary_cross_entropy", [-1e4], [1.0], 1e4, [-1.0]),
        ("binary_cross_entropy", [-1e4, 1e4], [0.0, 1.0], 0.0, [0.0, 0.0]),
        ("binary_cross_entropy", [1e4], [0.25], 7500.0, [0.75]),
        ("binary_cross_entropy", [-1e308, 1e308], [0.0, 1.0], 0.0, [0.0, 0.0]),
    ],
)
def test_extreme_logits_give_exact_losses(
    name: str, z: list[float], y: list[float], value: float, grad: list[float]
) -> None:
    loss = LOSSES[name]
    assert loss.output_activation is not None
    assert loss.logits is not None
    logits, targets = np.array([z]), np.array([y])
    with np.errstate(over="ignore", under="ignore"):
        a = ACTIVATIONS[loss.output_activation].value(logits)
        assert loss.logits.value(logits, targets).tolist() == [value]
        assert loss.logits.grad(logits, a, targets).tolist() == [grad]


def test_a_sure_and_right_prediction_keeps_its_digits() -> None:
    z, y = np.array([[40.0, 0.0, -3.0]]), np.array([[1.0, 0.0, 0.0]])
    a = ACTIVATIONS["softmax"].value(z)
    loss = LOSSES["cross_entropy"]
    assert loss.logits is not None
    truth = oracles.loss_value("cross_entropy", "softmax", z[0], y[0])
    assert 4e-18 < float(truth[()]) < 5e-18
    # a loss and a gradient below one unit in the last place of the probability, still to thirteen digits
    assert oracles.entry_errors(loss.logits.value(z, y)[0], truth) < 1e-13
    by_logits = oracles.loss_by_logits("cross_entropy", "softmax", z[0], y[0])
    assert oracles.entry_errors(loss.logits.grad(z, a, y)[0], by_logits).max() < 1e-13


def test_a_class_without_target_weight_adds_nothing_even_at_probability_zero() -> None:
    z, y = np.array([[0.0, -1e4]]), np.array([[1.0, 0.0]])
    a = ACTIVATIONS["softmax"].value(z)
    assert a.tolist() == [[1.0, 0.0]]
    assert LOSSES["cross_entropy"].grad_outputs(z, a, y).tolist() == [[-1.0, 0.0]]


def test_each_sample_has_a_loss_of_its_own() -> None:
    z, y = np.array(LOGITS), np.array([[0.25, 0.5, 0.25]] * len(LOGITS))
    for loss in LOSSES.values():
        a = ACTIVATIONS[loss.output_activation or "tanh"].value(z)
        alone = [float(loss_of(loss, z[[n]], a[[n]], y[[n]])[0]) for n in range(len(z))]
        np.testing.assert_allclose(loss_of(loss, z, a, y), alone, rtol=1e-15)  # the same operations


@pytest.mark.parametrize(
    ("name", "targets", "path", "message"),
    [
        ("cross_entropy", [[0.5, 0.5], [0.5, 0.6]], (1,), "row 1 is not a distribution: its sum is 1.1"),
        ("cross_entropy", [[0.5, 0.5], [1.5, -0.5]], (1,), "row 1 is not a distribution: it has a negative entry"),
        ("cross_entropy", [[0.0, 0.0]], (0,), "its sum is 0"),
        ("cross_entropy", [[0.5, 0.5 + 2e-9]], (0,), "within 1e-09"),
        ("binary_cross_entropy", [[0.0, 1.0], [0.5, 1.5]], (1, 1), "row 1, column 1 is 1.5; needed 0 to 1"),
        ("binary_cross_entropy", [[-1e-9, 1.0]], (0, 0), "row 0, column 0 is -1e-09"),
    ],
)
def test_targets_outside_the_domain_are_refused_where_they_stand(
    name: str, targets: list[list[float]], path: tuple[int, ...], message: str
) -> None:
    with pytest.raises(DomainError) as caught:
        LOSSES[name].require_targets(np.array(targets), ("targets",))
    assert caught.value.path == ("targets", *path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("cross_entropy", [[1.0, 0.0], [0.5, 0.5 + 5e-10]]),
        ("binary_cross_entropy", [[0.0, 1.0], [0.5, 0.125]]),
        ("squared_error", [[-3.0, 1e9]]),
        ("half_squared_error", [[-3.0, 1e9]]),
    ],
)
def test_targets_inside_the_domain_are_taken(name: str, targets: list[list[float]]) -> None:
    LOSSES[name].require_targets(np.array(targets), ("targets",))


@pytest.mark.parametrize("seed", range(20))
def test_a_distribution_in_float32_is_one_to_the_digits_of_float32(seed: int) -> None:
    source = np.random.default_rng(seed)
    weights = source.uniform(size=(5, source.integers(2, 300))).astype(np.float32)
    rows = weights / weights.sum(axis=-1, keepdims=True)
    assert rows.dtype == np.float32
    LOSSES["cross_entropy"].require_targets(rows.astype(np.float64), ("targets",))


@pytest.mark.parametrize(
    ("rows", "wrong", "within"),
    [
        ([[0.30000001192092896, 0.7000000476837158]], None, ""),
        # one row in float32 and one that is not: each has its own limit
        ([[0.3, 0.7], [0.30000001192092896, 0.7000000476837158]], None, ""),
        ([[0.30000001192092896, 0.7000000476837158], [0.3, 0.7 + 6e-8]], 1, "within 1e-09"),
        ([[0.25, 0.75 + 2**-20]], None, ""),
        ([[0.25, 0.75 + 2**-19]], 0, "within 1e-06"),
        ([[0.3, 0.7000000476837158]], 0, "within 1e-09"),
        ([[1e300, 0.0]], 0, "within 1e-09"),
    ],
)
def test_a_row_has_the_tolerance_of_its_numbers(rows: list[list[float]], wrong: int | None, within: str) -> None:
    if wrong is None:
        LOSSES["cross_entropy"].require_targets(np.array(rows), ("targets",))
        return
    with pytest.raises(DomainError, match=within) as caught:
        LOSSES["cross_entropy"].require_targets(np.array(rows), ("targets",))
    assert caught.value.path == ("targets", wrong)


@each_loss
def test_every_entry_says_what_it_is(name: str) -> None:
    entry = LOSSES[name]
    assert all((entry.name, entry.formula, entry.derivative, entry.latex, entry.targets))
