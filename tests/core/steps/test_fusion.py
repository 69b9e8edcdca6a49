"""Fused rules: the same numbers as the steps that they stand in for, and only where they may."""

from collections.abc import Collection
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from core.arrays import Array
from core.conventions import L2, LOG_BASES, Conventions
from core.errors import NonFiniteError
from core.kernels.outer_product import MIN_ENTRIES_TO_PAD
from core.kernels.softmax_cross_entropy import MAX_CLASSES_ON_SLOW_AXIS, MAX_PLAIN_EXPONENT, Labels
from core.problem import Layer, Network, Problem
from core.propagation import gradient_names
from core.steps import evaluate, fill, sources_of, steps_of, structure_of
from core.steps.fusion import FUSED_RULES, MIN_LOGITS_FOR_PASSES, FusedStep, fuse
from core.steps.plan import needed_steps

CLASSES = [1, 2, 10, MAX_CLASSES_ON_SLOW_AXIS, MAX_CLASSES_ON_SLOW_AXIS + 1, 300]


def draw(seed: int, *, is_large: bool = True) -> Problem:
    """Draw a problem of one to three layers, with labels, under any conventions."""
    rng = np.random.default_rng(seed)
    n_classes = int(rng.choice(CLASSES if is_large else CLASSES[:-1]))
    n_samples = MIN_LOGITS_FOR_PASSES // n_classes + int(rng.integers(1, 5))
    if not is_large:
        n_samples = int(rng.integers(1, (MIN_LOGITS_FOR_PASSES - 1) // n_classes + 1))
    widths = [*rng.integers(1, 6, rng.integers(1, 4)), n_classes]
    # sure predictions, some of them right and some wrong, beside unsure ones
    scale = float(rng.choice([1.0, 30.0, 1e4]))
    layers = tuple(
        Layer(
            weights=rng.normal(size=(n_in, n_out)) * (scale if above == len(widths) - 1 else 1.0),
            bias=rng.normal(size=n_out) if rng.integers(2) else None,
            activation="softmax" if above == len(widths) - 1 else "tanh",
        )
        for above, (n_in, n_out) in enumerate(pairwise(widths), start=1)
    )
    conventions = Conventions(
        reduction=str(rng.choice(["mean", "sum"])),
        l2=L2(strength=float(rng.choice([0.0, 0.3])), biases=bool(rng.integers(2))),
        log_base=tuple(LOG_BASES)[int(rng.integers(3))],
    )
    inputs = rng.normal(size=(n_samples, widths[0]))
    labels: Labels = rng.integers(0, n_classes, n_samples)
    return Problem(
        network=Network(layers=layers), inputs=inputs, targets=labels, loss="cross_entropy", conventions=conventions
    )


def fused_steps(problem: Problem, wanted: Collection[str]) -> list[FusedStep]:
    """List the fused steps that run for what is wanted."""
    structure = structure_of(problem)
    steps = needed_steps(steps_of(structure), wanted, sources_of(problem))
    return list(fuse(problem.traits, structure, steps, wanted))


def fuses_softmax(problem: Problem, wanted: Collection[str]) -> bool:
    """Tell whether one kernel goes from the last layer's inputs to its gradients."""
    return any("softmax" in step.rule.name for step in fused_steps(problem, wanted))


def outputs_of(problem: Problem) -> list[str]:
    """Name all that some fused rule computes, and what follows from it."""
    return ["L", "losses", *gradient_names(problem)]


def require_same(found: Array, plain: Array, name: str) -> None:
    """Check that numbers are those of the steps but for roundings, of logits up to 1e4 among them, in another order."""
    assert (found.shape, found.dtype) == (plain.shape, plain.dtype), name
    room = 1e-12 * max(float(np.abs(plain).max()), 1e-300)
    assert np.abs(found - plain).max() <= room, name


@pytest.mark.parametrize("seed", range(120))
@pytest.mark.parametrize("is_large", [True, False])
def test_every_fused_rule_computes_what_the_steps_do(seed: int, *, is_large: bool) -> None:
    problem = draw(seed, is_large=is_large)
    if seed % 3 == 0:
        # right, and sure where the logits are large
        outputs = f"A{problem.network.depth}"
        problem = replace(problem, targets=evaluate(problem, [outputs])[outputs].argmax(axis=-1))
    wanted = outputs_of(problem)
    assert fuses_softmax(problem, wanted)
    # whoever asks for the logits gets the plain steps
    asked = [*wanted, f"Z{problem.network.depth}"]
    assert not fuses_softmax(problem, asked)
    found, plain = evaluate(problem, wanted), evaluate(problem, asked)
    for name in wanted:
        require_same(found[name], plain[name], name)
        require_same(evaluate(problem, [name])[name], plain[name], name)


def test_a_small_problem_has_the_penalty_and_the_logarithm_that_its_conventions_say() -> None:
    layer = Layer(weights=np.array([[0.5, -1.0, 2.0]]), bias=np.array([0.1, 0.2, -0.3]), activation="softmax")
    plain = Problem(
        network=Network(layers=(layer,)), inputs=np.ones((1, 1)), targets=np.array([1]), loss="cross_entropy"
    )
    names = ("L", *gradient_names(plain))
    base = evaluate(plain, names)
    penalised = replace(plain, conventions=Conventions(l2=L2(strength=0.5, factor=1.0, biases=True)))
    found = evaluate(penalised, names)
    np.testing.assert_allclose(found["dL_dW1"] - base["dL_dW1"], layer.weights, rtol=1e-14)
    np.testing.assert_allclose(found["dL_db1"] - base["dL_db1"], np.asarray(layer.bias), rtol=1e-14)
    assert found["L"] - base["L"] == pytest.approx(0.5 * (5.25 + 0.14), rel=1e-14)
    halved = evaluate(replace(plain, conventions=Conventions(log_base=2)), names)
    np.testing.assert_allclose(halved["dL_dW1"], base["dL_dW1"] / np.log(2.0), rtol=1e-14)


@pytest.mark.parametrize("others", [0.0, 39.0, 90.0, 700.0, 1e6])
def test_a_loss_however_large_has_its_digits(others: float) -> None:
    layer = Layer(weights=np.array([[0.0, others]]), activation="softmax")
    problem = Problem(
        network=Network(layers=(layer,)), inputs=np.ones((1, 1)), targets=np.array([0]), loss="cross_entropy"
    )
    assert fuses_softmax(problem, ["L", "dL_dW1"])
    found = evaluate(problem, ["L", "dL_dW1"])
    assert float(found["L"]) == pytest.approx(others + np.log1p(np.exp(-others)), rel=1e-15)
    # −(1 − p) and 1 − p, of a probability p = 1/(1 + e^others)
    share = 1 / (1 + np.exp(-others))
    np.testing.assert_allclose(found["dL_dW1"], [[-share, share]], rtol=1e-15)


@pytest.mark.parametrize("scale", [1.0, MAX_PLAIN_EXPONENT - 1, MAX_PLAIN_EXPONENT + 1, 300.0])
@pytest.mark.parametrize("n_classes", [2, 10, 100])
def test_digits_are_kept_whether_or_not_the_logits_need_shifting(scale: float, n_classes: int) -> None:
    logits = np.linspace(-scale, scale, n_classes)[None]
    # the first class is the least likely, the last one sure
    for n_samples, label in [(1, 0), (1, n_classes - 1), (300, 0), (300, n_classes - 1)]:
        problem = Problem(
            network=Network(layers=(Layer(weights=logits, activation="softmax"),)),
            inputs=np.ones((n_samples, 1)),
            targets=np.full(n_samples, label),
            loss="cross_entropy",
        )
        found, plain = evaluate(problem, ["losses", "dL_dW1"]), evaluate(problem, ["losses", "dL_dW1", "y"])
        for name, value in found.items():
            # an entry of each size has its digits: a rounding of logits as large as these, and of their exponentials
            np.testing.assert_allclose(value, plain[name], rtol=1e-15 * max(scale, 10.0), atol=1e-300)


@pytest.mark.parametrize("widths", [(2, 3, 2), (90, 70, 3)])
def test_one_sample_has_the_steps_weight_gradients_to_the_last_bit(widths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(5)
    layers = tuple(
        Layer(weights=rng.normal(size=shape), bias=rng.normal(size=shape[1]), activation="relu")
        for shape in pairwise(widths)
    )
    # zeros among them, of which a product of zero and a negative number would be -0
    inputs = rng.normal(size=(1, widths[0])).round()
    targets = rng.normal(size=(1, widths[-1]))
    problem = Problem(network=Network(layers=layers), inputs=inputs, targets=targets, loss="squared_error")
    assert [step.rule.name for step in fused_steps(problem, ["dL_dW1", "dL_dW2"])] == [
        "grad_weights_without_penalty"
    ] * 2
    assert (widths[0] * widths[1] > MIN_ENTRIES_TO_PAD) == (widths[0] == 90)
    found = evaluate(problem, ["dL_dW1", "dL_dW2"])
    taken = evaluate(problem, ["A1", "dL_dZ1", "dL_dZ2"])
    assert found["dL_dW1"].tobytes() == (inputs.T * taken["dL_dZ1"] + 0.0).tobytes()
    assert found["dL_dW2"].tobytes() == (taken["A1"].T * taken["dL_dZ2"] + 0.0).tobytes()


@pytest.mark.parametrize("n_in", [1, 3000])
def test_a_weight_gradient_of_one_sample_that_does_not_fit_is_refused_in_the_steps_words(n_in: int) -> None:
    layer = Layer(weights=np.full((n_in, 1), 1e-300), activation="identity")
    problem = Problem(
        network=Network(layers=(layer,)), inputs=np.full((1, n_in), 1e200), targets=np.full((1, 1), 1e200),
        loss="squared_error",
    )  # fmt: skip
    assert fused_steps(problem, ["dL_dW1"])
    assert refusal(problem, ["dL_dW1"]).startswith("dL_dW, or a number on the way to it, does not fit float64")


@pytest.mark.parametrize("wanted", ["L", "losses", "dL_dW2", "dL_db2", "dL_dA1", "dL_dX"])
def test_each_output_can_be_had_alone(wanted: str) -> None:
    problem = deep(64)
    found, plain = evaluate(problem, [wanted])[wanted], evaluate(problem, [wanted, "Z2"])[wanted]
    np.testing.assert_allclose(found, plain, rtol=1e-12, atol=1e-15)  # roundings in another order


def deep(n_samples: int, *, n_classes: int = 10, scale: float = 1.0) -> Problem:
    """Build two layers with biases and labels."""
    rng = np.random.default_rng(3)
    layers = (
        Layer(weights=rng.normal(size=(4, 3)), bias=rng.normal(size=3), activation="tanh"),
        Layer(weights=rng.normal(size=(3, n_classes)) * scale, bias=rng.normal(size=n_classes), activation="softmax"),
    )
    labels: Labels = rng.integers(0, n_classes, n_samples)
    inputs = rng.normal(size=(n_samples, 4))
    return Problem(network=Network(layers=layers), inputs=inputs, targets=labels, loss="cross_entropy")


@pytest.mark.parametrize("asked", ["Z2", "A2", "y", "dL_dZ2", "dL_dA2"])
def test_what_lies_between_is_computed_by_its_own_step_when_it_is_asked_for(asked: str) -> None:
    problem = deep(64)
    assert fuses_softmax(problem, ["dL_dW2"])
    assert not fuses_softmax(problem, ["dL_dW2", asked])
    assert asked in evaluate(problem, ["dL_dW2", asked])


def test_other_problems_are_left_to_the_steps() -> None:
    problem = deep(64)
    assert not fuses_softmax(problem, ["L"])
    assert not fuses_softmax(problem, ["losses", "A2"])
    assert not fuses_softmax(replace(problem, targets=problem.target_distribution()), ["dL_dW2"])
    assert not fuses_softmax(replace(problem, loss="squared_error"), ["dL_dW2"])


def test_a_given_value_is_carried_on_by_the_steps() -> None:
    problem = deep(64)
    handed_in = np.ones((64, 10))
    found = evaluate(problem, ["dL_db2"], given={"dL_dZ2": handed_in})["dL_db2"]
    np.testing.assert_array_equal(found, np.full(10, 64.0))
    halved = evaluate(problem, ["dL_db2"], given={"divisor": np.asarray(128.0)})["dL_db2"]
    np.testing.assert_allclose(halved, evaluate(problem, ["dL_db2"])["dL_db2"] / 2, rtol=1e-12)  # another order


def refusal(problem: Problem, wanted: list[str]) -> str:
    """Return the message of a refused evaluation."""
    with pytest.raises(NonFiniteError) as refused:
        evaluate(problem, wanted)
    return str(refused.value)


@pytest.mark.parametrize("n_classes", [10, 100])
@pytest.mark.parametrize("others", [-1e200, 0.0, 1e200])
@pytest.mark.parametrize("n_samples", [1, 2, MIN_LOGITS_FOR_PASSES])
def test_logits_that_do_not_fit_float64_are_refused_in_the_steps_words(
    n_classes: int, others: float, n_samples: int
) -> None:
    # a logit of minus infinity alone would be a probability of 0
    weights = np.full((1, n_classes), others)
    weights[0, 1] = 1e200
    layer = Layer(weights=weights, activation="softmax")
    problem = Problem(
        network=Network(layers=(layer,)),
        inputs=np.full((n_samples, 1), -1e200),
        targets=np.zeros(n_samples, dtype=np.int64),
        loss="cross_entropy",
    )
    assert fused_steps(problem, ["dL_dW1"])
    assert refusal(problem, ["dL_dW1"]) == refusal(problem, ["dL_dW1", "Z1"])
    assert refusal(problem, ["dL_dW1"]).startswith("Z, or a number on the way to it, does not fit float64")


@pytest.mark.parametrize("n_classes", [10, 100])
def test_a_gradient_that_does_not_fit_float64_is_refused_in_the_steps_words(n_classes: int) -> None:
    layer = Layer(weights=np.zeros((1, n_classes)), activation="softmax")
    problem = Problem(
        network=Network(layers=(layer,)),
        inputs=np.full((MIN_LOGITS_FOR_PASSES, 1), 1e308),
        targets=np.zeros(MIN_LOGITS_FOR_PASSES, dtype=np.int64),
        loss="cross_entropy",
        conventions=Conventions(reduction="sum"),
    )
    assert fused_steps(problem, ["dL_dW1"])
    assert refusal(problem, ["dL_dW1"]) == refusal(problem, ["dL_dW1", "Z1"])
    assert refusal(problem, ["dL_dW1"]).startswith("dL_dW, or a number on the way to it, does not fit float64")


def test_a_mean_loss_that_fits_is_given_though_the_sum_does_not() -> None:
    problem = Problem(
        network=Network(layers=(Layer(weights=np.array([[0.0, 1e308]]), activation="softmax"),)),
        inputs=np.ones((MIN_LOGITS_FOR_PASSES, 1)),
        targets=np.zeros(MIN_LOGITS_FOR_PASSES, dtype=np.int64),
        loss="cross_entropy",
    )
    assert fuses_softmax(problem, ["L", "dL_dW1"])
    found = evaluate(problem, ["L", "dL_dW1"])
    assert float(found["L"]) == pytest.approx(1e308, rel=1e-14)
    np.testing.assert_allclose(found["dL_dW1"], [[-1.0, 1.0]], rtol=1e-14)  # a sum of equal shares


def single(problem: Problem) -> Problem:
    """Return the same problem in float32."""

    def narrow(array: Array) -> Array:
        return np.asarray(array.astype(np.float32))

    layers = tuple(
        replace(layer, weights=narrow(layer.weights), bias=None if layer.bias is None else narrow(layer.bias))
        for layer in problem.network.layers
    )
    return replace(problem, network=Network(layers=layers), inputs=narrow(problem.inputs))


@pytest.mark.parametrize("n_classes", [10, 100])
def test_float32_stays_float32(n_classes: int) -> None:
    problem = replace(
        deep(64, n_classes=n_classes), conventions=Conventions(l2=L2(strength=0.1, biases=True), log_base=2)
    )
    narrow = single(problem)
    wanted = outputs_of(problem)
    assert fused_steps(narrow, wanted)
    for name, value in evaluate(narrow, wanted).items():
        assert value.dtype == np.float32, name
        # a few roundings of float32
        np.testing.assert_allclose(value, evaluate(problem, [name])[name], rtol=1e-4, atol=1e-6)


def test_fused_rules_speak_of_the_tables_quantities() -> None:
    structure = structure_of(deep(1))
    computed = {step.output for step in steps_of(structure)}
    for rule in FUSED_RULES:
        templates = (*rule.hidden, *rule.outputs)
        assert {name for template in templates for name in fill(template, structure.depth, structure)} <= computed
