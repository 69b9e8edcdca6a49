"""What a teacher's own numbers hide, and advice that holds when it is followed."""

from dataclasses import replace

import numpy as np
import pytest

from core.arrays import Array
from core.budget import Budget
from core.conventions import L2, Conventions
from core.errors import CoreError, DomainError, Path, ShapeError, TooLargeError, UnknownNameError
from core.exercises import KINDS, Audit, Confused, Hidden, audit_problem, draw_exercise
from core.exercises.changes import PROBLEM_CHANGES, SOME_ARE_HIDDEN
from core.exercises.definition import find_equalities
from core.exercises.distinguishability import Distinguishability, mistake_of
from core.exercises.redrawn import redraw
from core.grading import read_asks
from core.mistakes import MISTAKES
from core.problem import Layer, Network, Problem
from core.propagation import gradient_names
from core.steps import evaluate
from tests.support.problems import Seeded, draw_problem
from tests.support.students import ONE_SAMPLE, SOFTMAX_LAYER, TWO_LAYERS, mark, names_in, with_hidden

pytestmark = pytest.mark.long

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
ONE_OUTPUT = Network(layers=(Layer(weights=np.array([[0.5], [0.25]]), bias=np.array([0.1]), activation="sigmoid"),))
YES_OR_NO = replace(
    SOFTMAX_LAYER, network=ONE_OUTPUT, targets=np.array([[1.0], [0.0], [1.0], [1.0]]), loss="binary_cross_entropy"
)
REGRESSION = replace(
    YES_OR_NO,
    network=Network(layers=(replace(ONE_OUTPUT.layers[0], activation="identity"),)),
    targets=np.zeros((4, 1)),
    loss="squared_error",
)
TWO_REGRESSIONS = replace(
    REGRESSION,
    network=Network(layers=(Layer(weights=LAYER.weights[:, :2], activation="identity"),)),
    targets=np.array([[0.2, 0.7]] * 4),
)
ONE_OUTPUT_CLASS = replace(
    SOFTMAX_LAYER, network=with_layer(LAYER.weights[:, :1], BIAS[:1]), targets=np.zeros(4, dtype=np.int64)
)

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
    "yes or no": YES_OR_NO,
    "regression": REGRESSION,
    "softmax over one class": ONE_OUTPUT_CLASS,
    "L2": replace(SOFTMAX_LAYER, conventions=Conventions(l2=L2(strength=0.3))),
}
each_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def hidden_in(audit: Audit) -> set[str]:
    return {hidden.mistake for hidden in audit.hidden}


def entries_of(audit: Audit) -> list[Hidden | Confused]:
    return [*audit.hidden, *audit.confused]


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
        (TWO_CLASSES, GRADIENTS, {"averaged_over_all_entries", "factor_half"}, "outputs"),
        (AS_MANY_SAMPLES, ("dL_dZ",), {"averaged_twice", "averaged_over_all_entries"}, "samples"),
        (TWO_SAMPLES, ("dL_dZ",), {"summed_over_batch", "factor_two"}, "samples"),
        (TWO_SAMPLES, ("dL_dZ",), {"averaged_twice", "factor_half"}, "samples"),
    ],
)
def test_what_the_numbers_confuse_and_what_to_change(
    problem: Problem, asks: tuple[str, ...], pair: set[str], advice: str
) -> None:
    audit = audit_problem(problem, asks)
    group = next(group for group in audit.confused if pair <= set(group.mistakes))
    assert not group.always
    assert advice in group.advice
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
    of_form = {"samples", "widths", "outputs"}
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
            followed = PROBLEM_CHANGES[advice.code].change(problem, 4)
            assert followed is not None
            after = audit_problem(followed[0], asked, decimals=followed[1])
            assert not set(advice.shows) & hidden_in(after)
            assert set(advice.shows) <= hidden_in(audit)
            for one, other in advice.separates:
                assert any({one, other} <= set(group.mistakes) for group in audit.confused)
            assert advice.message == PROBLEM_CHANGES[advice.code].describe(problem, 4)


@each_problem
def test_what_an_audit_says_is_in_order_and_of_the_catalogue(problem: Problem) -> None:
    order = list(MISTAKES)
    audit = audit_problem(problem, ("dL_dZ", "dL_dW"))
    assert list(audit.modelled) == sorted(audit.modelled, key=order.index)
    assert [hidden.mistake for hidden in audit.hidden] == sorted(hidden_in(audit), key=order.index)
    assert hidden_in(audit) <= set(audit.modelled)
    for group in audit.confused:
        assert len(group.mistakes) > 1
        assert list(group.mistakes) == sorted(group.mistakes, key=order.index)
        assert not set(group.mistakes) & hidden_in(audit)
    assert not any(entry.always and entry.advice for entry in entries_of(audit))


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
    assert PROBLEM_CHANGES["biases"].change(bare, 4) is None
    assert PROBLEM_CHANGES["targets"].change(bare, 4) is None


@pytest.mark.parametrize(
    ("problem", "code", "words"),
    [
        (ONES, "inputs", "All inputs are 1."),
        (NOTHING, "inputs", "All inputs are 0."),
        (replace(ONES, inputs=np.full((4, 2), 0.5)), "inputs", "All inputs are equal."),
        (replace(ONES, inputs=np.array([[1.0, 0.0]] * 4)), "inputs", "Some inputs are 0."),
        (SOFTMAX_LAYER, "inputs", f"With these inputs, {SOME_ARE_HIDDEN}"),
        (YES_OR_NO, "biases", f"With these biases, {SOME_ARE_HIDDEN}"),
        (NO_BIAS, "biases", "All biases are 0."),
        (SOFTMAX_LAYER, "weights", f"With these weights, {SOME_ARE_HIDDEN}"),
        (ONE_CLASS, "targets", "All labels are equal. Use at least two classes,"),
        (BALANCED, "targets", f"With these labels, {SOME_ARE_HIDDEN} Use at least two classes,"),
        (TWO_SAMPLES, "targets", f"With these labels, {SOME_ARE_HIDDEN} Take other labels."),
        (YES_OR_NO, "targets", f"With these targets, {SOME_ARE_HIDDEN} Use both 0 and 1,"),
        (REGRESSION, "targets", "All targets are 0. Take targets that all differ,"),
        (PROBLEMS["distributions"], "targets", f"With these targets, {SOME_ARE_HIDDEN} In each row,"),
        (ONE_SAMPLE, "samples", "With one sample, a mistake about the batch changes no number."),
        (AS_MANY_SAMPLES, "samples", "The number of samples, 3, is also a width of the network."),
        (replace(TWO_SAMPLES, network=with_layer(np.ones((4, 3)), None), inputs=np.ones((2, 4))), "samples",
         "With 2 samples, some mistakes"),
        (SOFTMAX_LAYER, "widths", "Some dimensions are equal or small."),
        (ONE_OUTPUT_CLASS, "outputs", "A softmax over one class is always 1:"),
        (TWO_CLASSES, "outputs", "With two classes,"),
        (TWO_REGRESSIONS, "outputs", "With 2 outputs,"),
        (SOFTMAX_LAYER, "outputs", "With 3 classes,"),
        (SOFTMAX_LAYER, "decimals", "Rounding to 4 decimals hides the difference. Ask for 6."),
        (YES_OR_NO, "everything", "Several things hide these mistakes together."),
    ],
)  # fmt: skip
def test_advice_says_what_is_special_about_the_numbers(problem: Problem, code: str, words: str) -> None:
    assert PROBLEM_CHANGES[code].describe(problem, 4).startswith(words)


def is_equal_by_definition(audit: Audit, *mistakes: str) -> bool:
    return any(group.always and set(mistakes) <= set(group.mistakes) for group in audit.confused)


def test_mistakes_that_are_equal_by_definition_are_marked_apart_from_those_that_numbers_confuse() -> None:
    audit = audit_problem(AS_MANY_SAMPLES, ("dL_dZ",))
    # without diag(s) the product with -y/s is s, as without the one-hot row
    assert is_equal_by_definition(audit, "softmax_jacobian_no_diagonal", "one_hot_missing")
    # 1/N² and 1/(N·K) are equal where N = K
    assert not is_equal_by_definition(audit, "averaged_twice", "averaged_over_all_entries")
    assert all(group.advice for group in audit.confused if "averaged_twice" in group.mistakes)


@pytest.mark.parametrize("problem", [YES_OR_NO, REGRESSION], ids=["yes or no", "regression"])
@pytest.mark.parametrize("asks", [GRADIENTS, ("dL_dX",), ("L",)])
def test_one_output_is_left_as_it_is(problem: Problem, asks: tuple[str, ...]) -> None:
    assert PROBLEM_CHANGES["outputs"].change(problem, 4) is None
    for advice in audit_problem(problem, asks).advice:
        assert "3 outputs" not in advice.message
        followed = PROBLEM_CHANGES[advice.code].change(problem, 4)
        assert followed is not None
        assert followed[0].n_out == 1


def test_a_softmax_over_one_class_is_told_to_take_more() -> None:
    audit = audit_problem(ONE_OUTPUT_CLASS, ("dL_dW",))
    assert "outputs" in {advice.code for advice in audit.advice}
    assert not any(hidden.always for hidden in audit.hidden if hidden.mistake == "sign_flipped")


def test_without_room_for_more_decimals_none_are_advised() -> None:
    assert PROBLEM_CHANGES["decimals"].change(SOFTMAX_LAYER, 12) is None
    assert PROBLEM_CHANGES["decimals"].change(SOFTMAX_LAYER, 11) == (SOFTMAX_LAYER, 12)


def one_hot_or_yes_or_no(problem: Problem) -> bool:
    """Tell whether rows of targets are all 0 or 1, some of each."""
    return (
        not problem.has_labels
        and bool(np.isin(np.asarray(problem.targets), (0.0, 1.0)).all())
        and np.ptp(np.asarray(problem.targets)) > 0
    )


def shown_by(told: Distinguishability) -> set[tuple[str, str]]:
    """List the pairs of mistakes that no numbers in a problem's answers tell apart, though each is seen."""
    names = [wrong.name for wrong in told.wrong_answers]
    rows = np.flatnonzero(~(told.hidden | told.doubtful).all(axis=1))
    return {(names[i], names[j]) for i in rows for j in rows if told.confused[i, j]}


def draw_asked(seed: int) -> tuple[Problem, tuple[str, ...]]:
    """Draw any problem, of widths and samples from 1 on, and some of its gradients."""
    rng = np.random.default_rng(seed)
    problem = draw_problem(Seeded(rng))
    names = gradient_names(problem)
    return problem, tuple(name for name in names if rng.random() < 0.5) or ("L",)


@pytest.mark.parametrize("seed", range(60))
def test_advice_on_any_problem_can_be_followed_and_holds(seed: int) -> None:
    problem, asks = draw_asked(seed)
    keys = list(read_asks(asks, problem).values())
    audit = audit_problem(problem, asks)
    codes = {advice.code for advice in audit.advice}
    for entry in entries_of(audit):
        assert not entry.advice or codes & set(entry.advice)
    for advice in audit.advice:
        # a problem checks itself, so what comes back can be computed
        followed = PROBLEM_CHANGES[advice.code].change(problem, 4)
        assert followed is not None
        after, decimals = followed
        assert decimals <= 12
        assert (after.loss, after.conventions) == (problem.loss, problem.conventions)
        assert [x.activation for x in after.network.layers] == [x.activation for x in problem.network.layers]
        assert after.network.biases == problem.network.biases
        assert after.has_labels == problem.has_labels
        assert one_hot_or_yes_or_no(after) or not one_hot_or_yes_or_no(problem)
        may_have_more_outputs = problem.n_out > 1 or problem.network.gives_distribution
        if after.n_out != problem.n_out:
            assert may_have_more_outputs
            assert str(after.n_out) in advice.message
        told = Distinguishability(after, keys, decimals)
        assert set(advice.shows) <= told.visible
        assert not set(advice.separates) & shown_by(told)


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


def names_shown(problem: Problem, key: str) -> set[str]:
    return {mistake_of(label) for label in find_equalities(problem, [key], 4).shown}


def test_a_gradient_that_is_always_0_hides_every_factor_by_definition() -> None:
    # a softmax over one class is 1 and its cross-entropy 0
    assert not {"sign_flipped", "factor_two", "summed_over_batch"} & names_shown(ONE_OUTPUT_CLASS, "dL_dW1")


def test_a_unit_that_is_dead_by_accident_hides_nothing_by_definition() -> None:
    layers = [Layer(weights=np.ones((1, 1)), activation="relu") for _ in range(2)]
    problem = replace(
        REGRESSION, network=Network(layers=tuple(layers)), inputs=np.ones((1, 1)), targets=np.array([[0.5]])
    )
    assert not evaluate(redraw(problem, 1), ["dL_dW1"])["dL_dW1"].any()
    assert {"sign_flipped", "factor_two"} <= names_shown(problem, "dL_dW1")


def test_one_hot_rows_stay_one_hot() -> None:
    one_hot = replace(SOFTMAX_LAYER, targets=np.eye(3)[[2, 0, 2, 1]])
    redrawn = redraw(one_hot, 1, n_samples=7)
    assert sorted(np.unique(np.asarray(redrawn.targets))) == [0.0, 1.0]
    assert (np.asarray(redrawn.targets).sum(axis=1) == 1.0).all()


def test_a_slope_at_0_is_hidden_by_numbers_and_not_by_definition() -> None:
    redrawn = redraw(with_hidden("relu"), 1)
    problem = replace(redrawn, conventions=Conventions(relu_at_zero=1.0))
    audit = audit_problem(problem, ("L", "dL_db1"))
    [hidden] = [entry for entry in audit.hidden if entry.mistake == "relu_slope_at_zero"]
    assert (hidden.always, hidden.advice) == (False, ("kink",))
    changed = PROBLEM_CHANGES["kink"].change(problem, 4)
    assert changed is not None
    assert "relu_slope_at_zero" not in {entry.mistake for entry in audit_problem(changed[0], ("dL_db1",)).hidden}
