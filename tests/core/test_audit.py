"""What a teacher's own numbers hide, and advice that holds when it is followed."""

from dataclasses import replace

import numpy as np
import pytest

from core.arrays import Array
from core.budget import Budget
from core.conventions import L2, Conventions
from core.errors import CoreError, DomainError, Path, ShapeError, TooLargeError, UnknownNameError
from core.exercises import KINDS, Audit, audit_problem, draw_exercise
from core.exercises.changes import CHANGES
from core.mistakes import MISTAKES
from core.problem import Layer, Network, Problem
from core.steps import evaluate
from tests.students import ONE_SAMPLE, SOFTMAX_LAYER, TWO_LAYERS, mark, names_in

GRADIENTS = ("dL_dZ", "dL_dW", "dL_db")
LAYER = SOFTMAX_LAYER.network.layers[0]
BIAS = np.array([0.5, -0.3, 0.2])


def with_layer(weights: Array, bias: Array | None) -> Network:
    return Network(layers=(Layer(weights=weights, bias=bias, activation="softmax"),))


def taking(count: int, labels: list[int]) -> Problem:
    """Take the first samples only, with other labels."""
    return replace(SOFTMAX_LAYER, inputs=SOFTMAX_LAYER.inputs[:count], targets=np.array(labels))


ONES = replace(SOFTMAX_LAYER, inputs=np.ones((4, 2)))
NOTHING = replace(SOFTMAX_LAYER, inputs=np.zeros((4, 2)))
NO_BIAS = replace(SOFTMAX_LAYER, network=with_layer(LAYER.weights, np.zeros(3)))
TWO_CLASSES = replace(SOFTMAX_LAYER, network=with_layer(LAYER.weights[:, :2], BIAS[:2]), targets=np.array([0, 1, 1, 1]))
SYMMETRIC = replace(TWO_CLASSES, network=with_layer(np.array([[0.4, -0.9], [-0.9, 0.2]]), BIAS[:2]))
AS_MANY_SAMPLES = taking(3, [2, 0, 2])
BALANCED = taking(3, [0, 1, 2])
TWO_SAMPLES = taking(2, [2, 0])
ONE_CLASS = taking(4, [1, 1, 1, 1])

PROBLEMS = {
    "ones": ONES,
    "zeros": NOTHING,
    "no bias": NO_BIAS,
    "two classes": TWO_CLASSES,
    "symmetric weights": SYMMETRIC,
    "N = K": AS_MANY_SAMPLES,
    "balanced": BALANCED,
    "two samples": TWO_SAMPLES,
    "one class": ONE_CLASS,
    "one sample": ONE_SAMPLE,
    "everything different": SOFTMAX_LAYER,
    "distributions": replace(SOFTMAX_LAYER, targets=np.array([[0.2, 0.5, 0.3]] * 4)),
    "squared error": replace(SOFTMAX_LAYER, loss="squared_error", targets=np.array([[0.2, 0.7, 0.4]] * 4)),
    "L2": replace(SOFTMAX_LAYER, conventions=Conventions(l2=L2(strength=0.3))),
}
each_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def hidden_in(audit: Audit) -> set[str]:
    return {hidden.mistake for hidden in audit.hidden}


def advice_on(audit: Audit, mistake: str) -> tuple[str, ...]:
    return next(hidden.advice for hidden in audit.hidden if hidden.mistake == mistake)


@pytest.mark.parametrize(
    ("problem", "asks", "mistake", "advice"),
    [
        (ONES, GRADIENTS, "inputs_missing", "inputs"),
        (NOTHING, ("dL_dW",), "sign_flipped", "inputs"),
        (ONE_SAMPLE, GRADIENTS, "summed_over_batch", "samples"),
        (ONE_SAMPLE, GRADIENTS, "averaged_twice", "samples"),
        (ONE_SAMPLE, GRADIENTS, "last_sample_only", "samples"),
        (ONE_SAMPLE, GRADIENTS, "bias_averaged", "samples"),
        (NO_BIAS, GRADIENTS, "bias_ignored", "biases"),
        (NO_BIAS, GRADIENTS, "bias_added_twice", "biases"),
        (SYMMETRIC, ("dL_dX",), "weights_not_transposed", "weights"),
        (BALANCED, ("dL_db",), "label_shifted", "targets"),
        (ONE_CLASS, GRADIENTS, "label_of_first_sample", "targets"),
        (ONE_CLASS, GRADIENTS, "labels_of_whole_batch", "targets"),
    ],
)
def test_what_the_numbers_hide_and_what_to_change(
    problem: Problem, asks: tuple[str, ...], mistake: str, advice: str
) -> None:
    audit = audit_problem(problem, asks)
    assert mistake in hidden_in(audit)
    assert advice in advice_on(audit, mistake)


@pytest.mark.parametrize(
    ("problem", "asks", "pair", "advice"),
    [
        (TWO_CLASSES, GRADIENTS, {"averaged_over_all_entries", "factor_half"}, "widths"),
        (AS_MANY_SAMPLES, ("dL_dZ",), {"averaged_twice", "averaged_over_all_entries"}, "samples"),
        (TWO_SAMPLES, ("dL_dZ",), {"summed_over_batch", "factor_two"}, "samples"),
        (TWO_SAMPLES, ("dL_dZ",), {"averaged_twice", "factor_half"}, "samples"),
    ],
)
def test_what_the_numbers_confuse_and_what_to_change(
    problem: Problem, asks: tuple[str, ...], pair: set[str], advice: str
) -> None:
    audit = audit_problem(problem, asks)
    assert any(pair <= set(group) for group in audit.confused)
    separating = [found for found in audit.advice if any(pair == set(names) for names in found.separates)]
    assert advice in {found.code for found in separating}


def test_with_everything_different_nothing_is_hidden_but_by_mathematics() -> None:
    assert audit_problem(SOFTMAX_LAYER, GRADIENTS).hidden == ()
    assert audit_problem(SOFTMAX_LAYER, ("dL_dW",)).hidden == ()
    # a softmax's Jacobian is symmetric
    jacobian = audit_problem(SOFTMAX_LAYER, ("dS_dZ",))
    assert [(hidden.mistake, hidden.always) for hidden in jacobian.hidden] == [("transposed", True)]


def test_a_mistake_that_gives_no_number_is_not_hidden() -> None:
    # the logarithm of a negative pre-activation
    exercise = draw_exercise("cross_entropy_loss", 0)
    audit = audit_problem(exercise.problem, ("S", "L"))
    assert (evaluate(exercise.problem, ["Z1"])["Z1"] < 0).any()
    assert "softmax_missing" in audit.modelled
    assert "softmax_missing" not in hidden_in(audit)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_a_certified_exercise_hides_nothing_that_numbers_could_show(kind: str, seed: int) -> None:
    exercise = draw_exercise(kind, seed)
    audit = audit_problem(exercise.problem, exercise.asks, decimals=exercise.decimals)
    # the form of some kinds hides mistakes, with one sample all that concern the batch
    of_form = {"samples", "widths"}
    assert all(hidden.always or set(hidden.advice) <= of_form for hidden in audit.hidden)
    assert {found.code for found in audit.advice} <= of_form
    if exercise.problem.n_samples > 1:
        assert all(hidden.always for hidden in audit.hidden)


@each_problem
def test_every_advice_when_followed_shows_what_it_says(problem: Problem) -> None:
    asks = ("L", "dL_dZ", "dL_dW", "dL_db", "dL_dX")
    for asked in (asks, ("dL_dW",)):
        audit = audit_problem(problem, asked)
        for advice in audit.advice:
            followed = CHANGES[advice.code].change(problem, 4)
            assert followed is not None
            after = audit_problem(followed[0], asked, decimals=followed[1])
            assert not set(advice.shows) & hidden_in(after)
            assert set(advice.shows) <= hidden_in(audit)
            for one, other in advice.separates:
                assert any({one, other} <= set(group) for group in audit.confused)
            assert advice.message == CHANGES[advice.code].describe(problem)


@each_problem
def test_what_an_audit_says_is_in_order_and_of_the_catalogue(problem: Problem) -> None:
    order = list(MISTAKES)
    audit = audit_problem(problem, ("dL_dZ", "dL_dW"))
    assert list(audit.modelled) == sorted(audit.modelled, key=order.index)
    assert [hidden.mistake for hidden in audit.hidden] == sorted(hidden_in(audit), key=order.index)
    assert hidden_in(audit) <= set(audit.modelled)
    for group in audit.confused:
        assert len(group) > 1
        assert list(group) == sorted(group, key=order.index)
        assert not set(group) & hidden_in(audit)
    assert all(hidden.always == (not hidden.advice) for hidden in audit.hidden)


def test_what_is_visible_is_named_when_it_is_handed_in() -> None:
    # the audit and marking say the same
    audit = audit_problem(ONES, ("dL_dW",))
    grad = (np.ones((4, 2)) / 4.0).T @ (np.full((4, 3), 1 / 3) - np.eye(3)[[2, 0, 2, 1]])
    assert "inputs_missing" in hidden_in(audit)
    assert "inputs_missing" not in names_in(mark(ONES, "dL_dW", np.round(grad, 4)))


@pytest.mark.parametrize("decimals", [1, 2, 4, 8, 12])
def test_more_decimals_hide_no_more(decimals: int) -> None:
    fewer = hidden_in(audit_problem(TWO_LAYERS, ("dL_dW1",), decimals=decimals))
    more = hidden_in(audit_problem(TWO_LAYERS, ("dL_dW1",), decimals=12))
    assert more <= fewer


def test_with_one_decimal_the_advice_is_more_decimals() -> None:
    audit = audit_problem(SOFTMAX_LAYER, GRADIENTS, decimals=1)
    assert "decimals" in advice_on(audit, "factor_half")
    assert "decimals" in {advice.code for advice in audit.advice}


def test_a_problem_without_biases_or_targets_has_no_advice_on_them() -> None:
    bare = Problem(network=with_layer(LAYER.weights, None), inputs=np.ones((4, 2)))
    audit = audit_problem(bare, ("S", "dS_dZ"))
    assert not {"biases", "targets"} & {code for hidden in audit.hidden for code in hidden.advice}
    assert CHANGES["biases"].change(bare, 4) is None
    assert CHANGES["targets"].change(bare, 4) is None


@pytest.mark.parametrize(
    ("problem", "code", "words"),
    [
        (ONES, "inputs", "the inputs are all 1;"),
        (NOTHING, "inputs", "the inputs are all 0;"),
        (replace(ONES, inputs=np.full((4, 2), 0.5)), "inputs", "the inputs are all the same;"),
        (replace(ONES, inputs=np.array([[1.0, 0.0]] * 4)), "inputs", "some of the inputs are 0;"),
        (SOFTMAX_LAYER, "inputs", "the inputs happen to give the same numbers;"),
        (NO_BIAS, "biases", "the biases are all 0;"),
        (SOFTMAX_LAYER, "weights", "the weights happen to give the same numbers;"),
        (ONE_CLASS, "targets", "there is one class only among the labels;"),
        (BALANCED, "targets", "the targets happen to give the same numbers;"),
        (ONE_SAMPLE, "samples", "N = 1 hides every mistake with the batch;"),
        (AS_MANY_SAMPLES, "samples", "N = 3 is also a width of the network;"),
        (replace(TWO_SAMPLES, network=with_layer(np.ones((4, 3)), None), inputs=np.ones((2, 4))), "samples",
         "N = 2 lets one factor pass for another;"),
        (SOFTMAX_LAYER, "samples", "these samples happen to give the same numbers;"),
    ],
)  # fmt: skip
def test_advice_says_what_is_special_about_the_numbers(problem: Problem, code: str, words: str) -> None:
    assert CHANGES[code].describe(problem).startswith(words)


@pytest.mark.parametrize(
    ("asks", "decimals", "error", "path"),
    [
        (GRADIENTS, 0, DomainError, ("decimals",)),
        (GRADIENTS, -1, DomainError, ("decimals",)),
        (GRADIENTS, 13, DomainError, ("decimals",)),
        ((), 4, ShapeError, ("asks",)),
        (("dL_dV",), 4, UnknownNameError, ("asks", 0)),
        (("dL_dW", "dL_dW1"), 4, DomainError, ("asks", 1)),
        (("dL_dW", "dZ_dS"), 4, DomainError, ("asks", 1)),
    ],
)
def test_what_cannot_be_audited_is_refused(
    asks: tuple[str, ...], decimals: int, error: type[CoreError], path: Path
) -> None:
    with pytest.raises(error) as caught:
        audit_problem(SOFTMAX_LAYER, asks, decimals=decimals)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("asks", "budget", "path"),
    [
        (("dL_dW", "dS_dW"), Budget(numbers=50), ("asks", 1)),
        (("dL_dW", "dS_dW"), Budget(numbers=2000), ("asks",)),
        (("dL_dW",), Budget(operations=10_000_000), ("problem",)),
    ],
)
def test_what_would_take_too_much_is_refused(asks: tuple[str, ...], budget: Budget, path: Path) -> None:
    with pytest.raises(TooLargeError) as caught:
        audit_problem(SOFTMAX_LAYER, asks, budget=budget)
    assert caught.value.path == path
