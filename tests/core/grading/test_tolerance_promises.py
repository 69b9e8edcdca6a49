"""What is promised of tolerances, on random problems and numbers: each entry by its own digits."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp  # type: ignore[import-untyped]  # mpmath carries no types

from core.activations import ACTIVATIONS, MAX_SLOPE_PER_ACTIVATION, MAX_STEEPNESS, Activation
from core.answers import count_decimals, read_answer
from core.arrays import Array
from core.conventions import L2, Conventions
from core.exercises import KINDS, draw_exercise
from core.formulas import parse_formula
from core.grading import Part, Question, Solution, Submission, Tolerance, grade_submission, read_asks
from core.grading.allowance import allow
from core.grading.precision import Precision
from core.problem import Layer, Network, Problem
from tests.support import oracles

pytestmark = pytest.mark.long

ROUNDING = 0.3
"""What is on the way in the made-up quantity below, in units of the last decimal."""


def precise(truth: Array, *, exact: bool = False) -> Precision:
    """Make up a quantity whose way adds a part of a unit to every entry, or nothing."""
    share = 0.0 if exact else ROUNDING
    return Precision(truth, lambda decimals: np.full(truth.shape, share * 10.0**-decimals), float(np.abs(truth).max()))


def is_accepted(truth: Array, answer: Array, asked: int | None, tolerance: Tolerance | None = None) -> bool:
    allowance = allow(precise(truth), answer, tolerance, asked)
    return bool((np.abs(answer - truth) <= allowance.limits).all())


numbers = st.builds(
    lambda digits, exponent: float(f"{digits}e{exponent}"), st.integers(-(10**9), 10**9), st.integers(-14, -2)
)
truths = st.lists(numbers, min_size=1, max_size=6).map(np.array)
asks = st.sampled_from([None, 0, 1, 2, 3, 4, 6, 8])


def figures(truth: Array, count: int) -> Array:
    return np.array([float(f"%.{count - 1}e" % number) for number in truth])


@given(truths, asks, st.integers(0, 4))
@settings(max_examples=500)
def test_the_truth_rounded_to_the_decimals_asked_or_to_as_many_figures_is_right(
    truth: Array, asked: int | None, more: int
) -> None:
    raised = precise(truth).raise_decimals(2 if asked is None else asked)
    for answer in (np.round(truth, raised + more), figures(truth, max(raised, 3) + more)):
        for form in (answer, answer.astype(np.float32).astype(np.float64)):
            assert is_accepted(truth, form, asked), (form, raised)


@given(truths, asks, st.data())
@settings(max_examples=500)
def test_an_accepted_entry_stays_accepted_when_it_is_rounded_further(
    truth: Array, asked: int | None, data: st.DataObject
) -> None:
    limits = allow(precise(truth), truth, None, asked).limits
    off = np.array(data.draw(st.lists(st.floats(-1, 1), min_size=truth.size, max_size=truth.size)))
    answer = np.round(truth + off * limits, data.draw(st.integers(3, 12)))
    if not is_accepted(truth, answer, asked):
        return
    raised = precise(truth).raise_decimals(2 if asked is None else asked)
    for further in (np.round(answer, raised), figures(answer, max(raised, 3))):
        assert is_accepted(truth, further, asked), (answer, further, raised)


@given(truths, asks, numbers)
@settings(max_examples=300)
def test_no_entrys_digits_change_what_another_is_allowed(truth: Array, asked: int | None, other: float) -> None:
    answer = np.round(truth, 3)
    changed = answer.copy()
    changed[0] = other
    before, after = (allow(precise(truth), form, None, asked).limits for form in (answer, changed))
    # a 0 has no digits of its own
    has_digits = answer[1:] != 0
    np.testing.assert_array_equal(before[1:][has_digits], after[1:][has_digits])


@pytest.mark.parametrize("seed", range(6))
def test_a_zero_among_numbers_at_full_precision_is_no_rounded_number(seed: int) -> None:
    problem = draw_exercise("two_layer_network", seed).problem
    for key in ("dL_dW1", "dL_dW2", "dL_dZ1"):
        solution = Solution(Question(problem=problem, asks=read_asks((key,), problem)))
        solution.compute_truths({key: key})
        for place in range(solution.truth(key).size):
            answer = solution.truth(key).copy()
            answer.flat[place] = 0.0
            assert part_of(problem, key, answer.tolist()).verdict == "incorrect"


def test_digits_that_cancelling_costs_float64_are_no_mistake() -> None:
    sure = Problem(
        network=layers(([[30.0, 1.5, 2.0]], None, "softmax")),
        inputs=np.array([[1.0]]),
        targets=np.array([0]),
        loss="cross_entropy",
    )
    z = sure.inputs @ sure.network.layers[0].weights
    s = np.exp(z) / np.exp(z).sum()
    assert part_of(sure, "dL_dZ", (s - np.eye(3)[[0]]).tolist()).verdict == "correct"
    assert part_of(sure, "dL_dZ", np.zeros((1, 3)).tolist()).verdict == "incorrect"


@given(truths, asks)
@settings(max_examples=300)
def test_neither_zeros_nor_a_constant_pass_where_the_truth_is_something_else(truth: Array, asked: int | None) -> None:
    if np.abs(truth).max() > 0:
        assert not is_accepted(truth, np.zeros_like(truth), asked)
    if np.ptp(truth) > 1e-6 * np.abs(truth).max():
        for constant in (truth.mean(), np.median(truth), (truth.max() + truth.min()) / 2.0):
            for decimals in range(8):
                assert not is_accepted(truth, np.full(truth.shape, np.round(constant, decimals)), asked)


@pytest.mark.parametrize(
    ("number", "asked", "decimals"),
    [
        (0.8618, 4, 4),
        (0.05677, 4, 5),
        (0.102, 4, 4),
        (0.5, 4, 4),
        (1e-5, 4, 5),
        (12.3, 4, 2),
        (12.345, 4, 3),
        (12350.0, 4, -1),
        (0.0, 4, 4),
        (12.3, None, 1),
        (46.0, None, 1),
        (0.5, None, 2),
        (45700.0, None, -2),
        (float(np.float32(0.1909)), None, 4),
        (0.0, None, 2),
    ],
)
def test_an_entry_counts_as_written_with_so_many_decimals(number: float, asked: int | None, decimals: int) -> None:
    # beside 1 ten times as large as the entry, neither zeros nor constants pass
    truth = np.array([number, 10.0 * number + 1.0])
    allowance = allow(precise(truth, exact=True), truth, None, asked)
    assert allowance.own[0] == pytest.approx(5.0 / 9.0 * 10.0**-decimals, rel=1e-12)


@pytest.mark.parametrize(
    ("number", "decimals"),
    [(12.345, 3), (12350, -1), (1e-5, 5), (1e300, -300), (5e-324, 324), (0.1 + 0.2, 17), (123456792.0, -1)],
)
def test_decimals_are_those_of_the_shortest_form(number: float, decimals: int) -> None:
    assert count_decimals(np.array([number, -number])).tolist() == [decimals, decimals]


def layers(*specifications: tuple[list[list[float]], list[float] | None, str]) -> Network:
    return Network(
        layers=tuple(
            Layer(weights=np.array(weights), bias=None if bias is None else np.array(bias), activation=activation)
            for weights, bias, activation in specifications
        )
    )


DEAD_RELU = Problem(
    network=layers(([[-1.0, 0.7]], None, "relu"), ([[5.0, -5.0], [0.31, 0.17]], None, "softmax")),
    inputs=np.array([[10.3], [4.7]]),
    targets=np.array([0, 1]),
    loss="cross_entropy",
)
ONE_CLASS = Problem(
    network=layers(([[0.37], [1.21]], [0.13], "softmax")),
    inputs=np.array([[1.3, -0.7], [0.4, 2.2]]),
    targets=np.array([0, 0]),
    loss="cross_entropy",
)
EXACT_FIT = Problem(
    network=layers(([[2.1], [3.3]], None, "identity")),
    inputs=np.array([[0.5, 1.5]]),
    targets=np.array([[6.0]]),
    loss="half_squared_error",
)


def part_of(problem: Problem, key: str, answer: object, tolerance: Tolerance | None = None) -> Part:
    solution = Solution(Question(problem=problem, asks=read_asks((key,), problem)))
    return grade_submission(solution, Submission(answers={key: read_answer(answer)}, tolerance=tolerance)).parts[0]


@pytest.mark.parametrize(
    ("problem", "key"),
    [
        (DEAD_RELU, "dL_dW1"),
        (DEAD_RELU, "dL_dZ1"),
        *[(ONE_CLASS, key) for key in ("dL_dZ", "dL_dW", "dL_db", "dS_dZ", "dS_dW", "L")],
        *[(EXACT_FIT, key) for key in ("dL_dW", "dL_dZ", "dL_dA", "L")],
    ],
)
@pytest.mark.parametrize("tolerance", [None, Tolerance(relative=0.01), Tolerance(decimals=2)])
def test_where_the_truth_is_exactly_0_float_noise_is_right_and_nothing_else(
    problem: Problem, key: str, tolerance: Tolerance | None
) -> None:
    solution = Solution(Question(problem=problem, asks=read_asks((key,), problem)))
    [number] = solution.question.asks.values()
    solution.compute_truths({number: key})
    truth = solution.truth(number)
    zeros = np.abs(truth) <= 1e-15
    assert zeros.any()
    for size, is_right in ((0.0, True), (1e-17, True), (1e-9, True), (0.5, False), (0.01, False), (0.001, False)):
        verdict = part_of(problem, key, np.where(zeros, size, truth).tolist(), tolerance).verdict
        assert (verdict == "correct") == is_right, size


def test_numbers_that_only_rounding_keeps_from_cancelling_are_right_where_the_truth_is_0() -> None:
    # each third is 0.3333, and -0.6667 + 0.3333 + 0.3333 is not 0
    even = Problem(
        network=layers(([[0.0, 0.0, 0.0]], [0.0, 0.0, 0.0], "softmax")),
        inputs=np.array([[1.0], [2.0], [-1.0]]),
        targets=np.array([0, 1, 2]),
        loss="cross_entropy",
        conventions=Conventions(reduction="sum"),
    )
    assert part_of(even, "dL_db", [-0.0001, -0.0001, -0.0001]).verdict == "correct"
    assert part_of(even, "dL_db", [0.03, 0.01, -0.04]).verdict == "incorrect"


@pytest.mark.parametrize(("answer", "verdict"), [(46, "correct"), (45.6, "correct"), (46.001, "incorrect")])
def test_a_stated_tolerance_has_a_few_ulps_of_slack_at_its_edge(answer: float, verdict: str) -> None:
    problem = Problem(network=layers(([[45.8]], None, "identity")), inputs=np.array([[1.0]]))
    assert part_of(problem, "A", [[answer]], Tolerance(absolute=0.2)).verdict == verdict


@pytest.mark.parametrize("tolerance", [None, Tolerance(decimals=3), Tolerance(relative=0.01)])
def test_no_tolerance_makes_another_shape_right(tolerance: Tolerance | None) -> None:
    part = part_of(EXACT_FIT, "dL_dW", [[0.0, 0.0, 0.0]], tolerance)
    assert (part.verdict, part.score) == ("wrong_shape", 0.0)


@pytest.mark.parametrize("off", [0.0, 0.004, 0.03])
def test_whoever_may_not_widen_a_tolerance_is_marked_by_the_narrower(off: float) -> None:
    solution = Solution(Question(problem=DEAD_RELU, asks=read_asks(("Z2",), DEAD_RELU)))
    solution.compute_truths({"Z2": "Z2"})
    answer = read_answer((np.round(solution.truth("Z2"), 4) + off).tolist())
    for tolerance in (Tolerance(absolute=0.01), Tolerance(relative=1e-9), Tolerance(decimals=1)):
        verdicts = [
            grade_submission(solution, Submission(answers={"Z2": answer}, tolerance=given, may_widen=may_widen)).verdict
            for given, may_widen in ((tolerance, False), (tolerance, True), (None, True))
        ]
        assert (verdicts[0] == "correct") == (verdicts[1] == verdicts[2] == "correct")


def cut(value: Array, decimals: int) -> Array:
    return np.trunc(value * 10.0**decimals) / 10.0**decimals


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("decimals", [2, 4])
def test_an_answer_that_is_cut_off_is_right_or_told_so(kind: str, decimals: int) -> None:
    told = 0
    for seed in range(5):
        exercise = draw_exercise(kind, seed)
        solution = Solution(
            Question(problem=exercise.problem, asks=read_asks(exercise.asks, exercise.problem), decimals=4)
        )
        solution.compute_truths({key: text for text, key in solution.question.asks.items()})
        for text, key in solution.question.asks.items():
            truth = solution.truth(key)
            answer = cut(truth, decimals)
            grade = grade_submission(solution, Submission(answers={text: read_answer(answer.tolist())})).at("hint")
            part = next(part for part in grade.parts if part.quantity == text)
            is_told = any("cut off" in hint for hint in part.hints or ())
            if decimals == 4:
                assert part.verdict == "correct" or is_told
            told += is_told
    assert told == 0 or decimals == 4


def test_decimals_that_are_stated_hold_for_numbers_that_a_machine_has_calculated_on_from() -> None:
    problem = draw_exercise("cross_entropy_loss", 1).problem
    solution = Solution(Question(problem=problem, asks=read_asks(("L",), problem)))
    solution.compute_truths({"L": "L"})
    off = float(solution.truth("L")) + 0.0011111111
    assert part_of(problem, "L", off, Tolerance(decimals=2)).verdict == "correct"
    assert part_of(problem, "L", off).verdict == "incorrect"


def test_what_is_exact_adds_nothing_and_a_factor_of_0_passes_nothing_on() -> None:
    conventions = Conventions(l2=L2(strength=0.5))
    problem = Problem(
        network=layers(([[0.2, -0.4], [0.6, 1.0]], [0.1, 0.3], "identity")),
        inputs=np.array([[1.0, 0.0], [2.0, 0.0]]),
        targets=np.array([[1.0, 2.0], [0.5, 0.1]]),
        loss="half_squared_error",
        conventions=conventions,
    )
    solution = Solution(Question(problem=problem, asks=read_asks(("L", "dL_dW"), problem)))
    for key in ("Z1", "A1", "dL_dZ1", "dL_dW1"):
        assert not solution.scenarios.rounding_bound(key, 4).any()
    thirds = Problem(
        network=layers(([[1.0 / 3.0, 0.4], [2.0 / 3.0, 1.0]], None, "identity")),
        inputs=np.array([[0.7, 0.0]]),
        targets=np.array([[1.0, 2.0]]),
        loss="half_squared_error",
    )
    bound = Solution(Question(problem=thirds, asks={})).scenarios.rounding_bound("dL_dW1", 4)
    # of the first output alone the pre-activation is rounded, and the second input is 0
    assert bound[0, 0] > 0
    assert bound[0, 1] == bound[1, 0] == bound[1, 1] == 0


# without 0, where kinks are: no bound of first order follows a jump of the slope
GRID = np.sort([*np.linspace(-8.0, 8.0, 320), -1e-3, 1e-3])


def find_steepness(entry: Activation) -> tuple[Array, Array]:
    """Compute f′ and f″ on the grid from the entry's formulas, at many digits."""
    with mp.workdps(oracles.DIGITS):
        z, step = oracles.exact(GRID), mp.mpf(10) ** (-oracles.DIGITS // 3)

        def slope(at: oracles.Exact) -> oracles.Exact:
            a = oracles.evaluate_formula(entry.formula, Z=at)
            return np.broadcast_to(oracles.evaluate_formula(entry.derivative, Z=at, A=a), at.shape)

        return slope(z).astype(float), ((slope(z + step) - slope(z - step)) / (2 * step)).astype(float)


def broken_conditions(entry: Activation) -> list[str]:
    """List what rounding bounds assume of an activation and it breaks."""
    slopes, bends = find_steepness(entry)
    conditions = {
        "no steeper than stated": np.abs(bends).max() <= entry.steepest,
        "stated no larger than needed": np.abs(bends).max() >= 0.98 * entry.steepest,
        "steepness small enough": entry.steepest <= MAX_STEEPNESS
        or bool((np.abs(bends) <= np.maximum(MAX_STEEPNESS, 2.0 * np.abs(slopes))).all()),
        "slope follows the activation": entry.slope is None
        or bool((np.abs(bends) <= MAX_SLOPE_PER_ACTIVATION * np.abs(slopes)).all()),
        "slope is the derivative": entry.slope is None
        or np.allclose(entry.slope(entry.value(GRID)), slopes, atol=1e-15),
    }
    return [name for name, is_met in conditions.items() if not is_met]


@pytest.mark.parametrize("name", [entry.name for entry in ACTIVATIONS.values() if not entry.gives_distribution])
def test_every_activation_is_what_rounding_bounds_assume(name: str) -> None:
    assert broken_conditions(ACTIVATIONS[name]) == []


def test_an_activation_that_rounding_bounds_cannot_follow_is_found() -> None:
    # 1 − tanh² of 3·z
    sharp = replace(
        ACTIVATIONS["tanh"], formula=parse_formula("tanh(3·Z)"), derivative=parse_formula("3·(1 − tanh(3·Z)²)")
    )
    assert broken_conditions(sharp) == ["no steeper than stated"]
    assert broken_conditions(replace(sharp, steepest=6.93)) == ["steepness small enough"]
    own = replace(ACTIVATIONS["softplus"], derivative=parse_formula("1 − e^(−A)"), steepest=0.2)
    assert broken_conditions(own) == ["no steeper than stated"]
    fast = replace(sharp, value=lambda z: np.tanh(3.0 * z), derivative=parse_formula("3·(1 − A²)"), steepest=6.93)
    assert broken_conditions(fast) == ["steepness small enough", "slope follows the activation"]
