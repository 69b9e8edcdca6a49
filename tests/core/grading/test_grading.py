"""Verdicts: what is right however it was computed and written, what each kind of wrong answer is called."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from core.arrays import Array
from core.conventions import L2, Conventions
from core.grading import LEVELS, Grade, Policy
from core.problem import Layer, Network, Problem
from core.verification import differentiate_numerically
from tests.support.students import (
    ONE_SAMPLE,
    SOFTMAX_LAYER,
    TWO_LAYERS,
    hand_in,
    mark,
    names_in,
    part_of,
    set_question,
    verdicts,
    work_out,
    work_out_by,
    work_out_jacobian,
)

PROBLEMS = {
    "softmax layer": SOFTMAX_LAYER,
    "two layers": TWO_LAYERS,
    "one sample": ONE_SAMPLE,
    "sum in base 10": replace(SOFTMAX_LAYER, conventions=Conventions(reduction="sum", log_base=10)),
    "L2 with biases": replace(TWO_LAYERS, conventions=Conventions(l2=L2(strength=0.3, factor=1.0, biases=True))),
}
each_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)

LARGE_LOGITS = replace(SOFTMAX_LAYER, inputs=np.array([[900.0, -800.0], [-0.6, 1.0], [0.3, 0.7], [-0.8, -0.5]]))
NOTHING_TO_LEARN = replace(
    SOFTMAX_LAYER,
    network=Network(layers=(Layer(weights=np.zeros((2, 3)), bias=np.zeros(3), activation="softmax"),)),
    inputs=SOFTMAX_LAYER.inputs[:3],
    targets=np.array([0, 1, 2]),
)
"""dL/db is 0 by mathematics, and about 1e-17 in float64."""


ONE_OUTPUT = Problem(
    network=Network(layers=(Layer(weights=np.array([[0.5], [0.25]]), bias=np.array([0.1]), activation="sigmoid"),)),
    inputs=np.array([[1.0, 2.0], [0.5, -1.0], [-0.3, 0.8]]),
    targets=np.array([[1.0], [0.0], [0.0]]),
    loss="binary_cross_entropy",
)


def assert_all_correct(grade: Grade) -> None:
    assert set(verdicts(grade).values()) == {"correct"}
    assert (grade.score, grade.verdict, grade.first_wrong) == (1.0, "correct", None)
    assert not any(part.diagnoses or part.convention for part in grade.parts)


def forward_differences(problem: Problem, key: str, step: float = 1e-6) -> Array:
    """Differentiate the loss worked out above by hand, one entry at a time."""
    number = int(key[-1]) - 1
    layer = problem.network.layers[number]
    array = layer.weights if key[-2] == "W" else layer.bias
    assert array is not None
    found = np.zeros(array.shape)
    for index in np.ndindex(array.shape):
        moved = array.copy()
        moved[index] += step
        nudged = replace(layer, weights=moved) if key[-2] == "W" else replace(layer, bias=moved)
        layers = tuple(nudged if i == number else other for i, other in enumerate(problem.network.layers))
        there = replace(problem, network=Network(layers=layers))
        found[index] = (work_out(there)["L"] - work_out(problem)["L"]) / step
    return found


@each_problem
@pytest.mark.parametrize("decimals", [None, 15, 9, 6, 5, 4, 3])
def test_work_rounded_at_every_number_to_the_decimals_it_is_written_in_is_correct(
    problem: Problem, decimals: int | None
) -> None:
    answers = work_out(problem, decimals)
    assert_all_correct(hand_in(set_question(problem, *answers), answers))


@pytest.mark.parametrize("seed", range(25))
def test_work_rounded_by_hand_is_correct_whatever_the_numbers_are(seed: int) -> None:
    inputs = np.round(np.random.default_rng(seed).uniform(-1.0, 1.0, TWO_LAYERS.inputs.shape), 1)
    problem = replace(TWO_LAYERS, inputs=inputs)
    answers = work_out(problem, 4)
    # what is graded as an exercise is read with its decimals
    grade = hand_in(set_question(problem, *answers, stated=None, decimals=4), answers)
    off = {part.quantity: names_in(part) for part in grade.parts if part.verdict != "correct"}
    # these numbers are not certified: a mistake may happen to lie nearer than the truth, and is then named
    assert all(off.values())


@each_problem
def test_the_jacobian_by_hand_is_correct(problem: Problem) -> None:
    for decimals in (None, 4):
        rounded = work_out(problem, decimals)["S"]
        jacobian = work_out_jacobian(rounded)
        answer = jacobian if decimals is None else np.round(jacobian, decimals)
        assert_all_correct(hand_in(set_question(problem, "dS_dZ"), {"dS_dZ": answer}))


@each_problem
def test_single_precision_is_correct(problem: Problem) -> None:
    answers = work_out_by(problem, lambda value: value.astype(np.float32).astype(np.float64))
    assert_all_correct(hand_in(set_question(problem, *answers), answers))


@each_problem
def test_finite_differences_are_correct(problem: Problem) -> None:
    for key in [name for name in work_out(problem) if name.startswith(("dL_dW", "dL_db"))]:
        for answer in (
            forward_differences(problem, key),
            differentiate_numerically(problem, key, method="central_differences"),
        ):
            assert_all_correct(hand_in(set_question(problem, key), {key: answer}))


@pytest.mark.parametrize("answer", [[0.0, 0.0, 0.0], [1.5e-8, 1.5e-8, -2e-8], [1e-17, 5e-17, 0.0], [0.0, 1e-4, -1e-4]])
def test_a_gradient_that_is_0_but_for_rounding_is_correct_as_0_and_as_rounding_errors(answer: list[float]) -> None:
    assert np.abs(work_out(NOTHING_TO_LEARN)["dL_db1"]).max() < 1e-16
    assert mark(NOTHING_TO_LEARN, "dL_db", answer).verdict == "correct"


@pytest.mark.parametrize("answer", [[0.1, -0.1, 0.0], [1e-5, 1.23456789e-5, 0.0], [1 / 3, 1 / 3, -2 / 3]])
def test_a_gradient_that_is_0_is_not_just_anything(answer: list[float]) -> None:
    assert mark(NOTHING_TO_LEARN, "dL_db", answer).verdict == "incorrect"


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (None, "missing"),
        ("[[1, 2], [3", "unreadable"),
        ("0,5", "unreadable"),
        ([[1.0, 2.0], [3.0]], "unreadable"),
        ([], "unreadable"),
        ([[float("nan"), 0.1, 0.2], [0.3, 0.4, 0.5]], "not_finite"),
        ("[[inf 0.1 0.2] [0.3 0.4 0.5]]", "not_finite"),
        (0.25, "wrong_shape"),
        ([[0.1, 0.2, 0.3]], "wrong_shape"),
        ([[0.11, 0.22, -0.33], [0.44, 0.55, 0.66]], "incorrect"),
    ],
)
def test_what_a_wrong_part_is_called(answer: object, verdict: str) -> None:
    right = work_out(SOFTMAX_LAYER, 4)
    answers = {"S": right["S"], "dL_dZ": right["dL_dZ1"], "dL_db": right["dL_db1"]}
    answers |= {} if answer is None else {"dL_dW": answer}  # type: ignore[dict-item]  # whatever is handed in
    grade = hand_in(set_question(SOFTMAX_LAYER, "S", "dL_dZ", "dL_dW", "dL_db"), answers)
    assert verdicts(grade) == {"S": "correct", "dL_dZ": "correct", "dL_dW": verdict, "dL_db": "correct"}
    assert (grade.score, grade.verdict) == (0.75, "partly_correct")
    assert grade.first_wrong == (None if verdict in {"missing", "unreadable"} else "dL_dW")


def test_what_cannot_be_read_is_located() -> None:
    reading = mark(SOFTMAX_LAYER, "dL_db", "[0.1, 0.2,\n 0.3, x]").reading
    assert reading is not None
    assert (reading.row, reading.column) == (2, 7)


@pytest.mark.parametrize(
    ("problem", "key", "shape", "is_right"),
    [
        (SOFTMAX_LAYER, "dL_db", (1, 3), True),
        (SOFTMAX_LAYER, "dL_db", (3, 1), False),
        (SOFTMAX_LAYER, "dL_db", (1, 1, 3), False),
        (SOFTMAX_LAYER, "dL_dW", (6,), False),
        (SOFTMAX_LAYER, "dL_dW", (1, 2, 3), False),
        (SOFTMAX_LAYER, "dS_dZ", (12, 3), False),
        (SOFTMAX_LAYER, "L", (1,), True),
        (SOFTMAX_LAYER, "L", (1, 1), True),
        (SOFTMAX_LAYER, "L", (1,) * 8, True),
        (ONE_OUTPUT, "dL_db", (), True),
        (ONE_OUTPUT, "dL_db", (1, 1), True),
        (ONE_OUTPUT, "dL_dW", (2,), False),
        (ONE_OUTPUT, "dL_dW", (1, 2), False),
        (ONE_OUTPUT, "dL_dZ", (3,), False),
        (ONE_SAMPLE, "S", (4,), True),
        (ONE_SAMPLE, "dL_dZ", (4,), True),
        (ONE_SAMPLE, "dS_dZ", (4, 4), True),
        (ONE_SAMPLE, "dZ_dW", (4, 12), True),
        (ONE_SAMPLE, "dS_dZ", (1, 1, 4, 4), False),
        (ONE_SAMPLE, "dS_dZ", (16,), False),
    ],
)
def test_the_right_numbers_need_the_right_shape(
    problem: Problem, key: str, shape: tuple[int, ...], *, is_right: bool
) -> None:
    truth = part_of(hand_in(set_question(problem, key), {}), key).expected
    assert truth is not None
    part = mark(problem, key, truth.reshape(shape))
    assert part.verdict == ("correct" if is_right else "wrong_shape")
    if is_right:
        assert part.entries is not None
        assert part.entries.shape == shape
    else:
        assert part.entries is None


@pytest.mark.parametrize("answer", [0.25, "0.25", [[0.25]], [0.25]])
def test_nothing_is_broadcast(answer: object) -> None:
    part = mark(SOFTMAX_LAYER, "dL_dW", answer)
    assert part.verdict == "wrong_shape"
    assert part.hints is not None
    assert "shape (2, 3)" in part.hints[0]


@pytest.mark.parametrize(
    ("key", "shape", "names", "told"),
    [
        # nothing is swapped in a list
        ("dL_dW", (2,), {"not_reshaped"}, "a column of 2 rows"),
        ("dL_dZ", (3,), set(), "a column of 3 rows"),
        ("dL_dW", (1, 2), {"transposed", "not_reshaped"}, "shape (2, 1)"),
    ],
)
def test_a_column_without_its_second_axis_is_not_transposed(
    key: str, shape: tuple[int, ...], names: set[str], told: str
) -> None:
    truth = part_of(hand_in(set_question(ONE_OUTPUT, key), {}), key).expected
    assert truth is not None
    part = mark(ONE_OUTPUT, key, truth.reshape(shape))
    assert (part.verdict, names_in(part)) == ("wrong_shape", names)
    assert part.hints is not None
    assert told in part.hints[0]


def test_a_matrix_written_as_a_list_is_told_its_rows() -> None:
    part = mark(SOFTMAX_LAYER, "dL_dW", work_out(SOFTMAX_LAYER)["dL_dW1"].ravel())
    assert part.hints is not None
    assert "2 rows of 3 numbers" in part.hints[0]


def test_an_overflow_is_named() -> None:
    logits = LARGE_LOGITS.inputs @ LARGE_LOGITS.network.layers[0].weights + np.array([0.5, -0.3, 0.2])
    with np.errstate(all="ignore"):
        exponentials = np.exp(logits)
        s = exponentials / exponentials.sum(axis=1, keepdims=True)
    assert np.isnan(s).any()
    part = mark(LARGE_LOGITS, "S", s)
    assert (part.verdict, names_in(part)) == ("not_finite", {"overflowed"})
    # not where it overflows, nor in a problem where nothing does
    assert names_in(mark(LARGE_LOGITS, "S", np.full((4, 3), np.nan))) == set()
    assert names_in(mark(SOFTMAX_LAYER, "S", s)) == set()
    assert names_in(mark(LARGE_LOGITS, "S", [[float("nan")] * 3])) == set()
    assert names_in(mark(LARGE_LOGITS, "S", 0.9 * s)) == set()
    credited = hand_in(set_question(LARGE_LOGITS, "S"), {"S": s}, policy=Policy(mistakes={"overflowed": 0.5}))
    assert credited.score == pytest.approx(0.5)


def floats_of(value: object) -> Iterator[float]:
    """List every number anywhere in a dataclass."""
    if is_dataclass(value):
        for field in fields(value):
            yield from floats_of(getattr(value, field.name))
    elif isinstance(value, dict):
        yield from (number for entry in value.values() for number in floats_of(entry))
    elif isinstance(value, tuple | list):
        yield from (number for entry in value for number in floats_of(entry))
    elif isinstance(value, np.ndarray):
        yield from (float(number) for number in value.ravel())
    elif isinstance(value, float | int):
        yield float(value)


def wrong_in_many_ways() -> tuple[Grade, set[float]]:
    right = work_out(TWO_LAYERS)
    slipped = right["dL_dW1"].copy()
    slipped[0, 1] += 0.05
    answers = {
        "S": right["S"][:, ::-1],
        "dL_dZ2": -right["dL_dZ2"],
        "dL_dW2": right["dL_dW2"].T,
        "dL_db2": [[float("nan")]],
        "dL_dW1": slipped,
        "dL_db1": "?",
    }
    answers = {name: np.round(value, 4) if isinstance(value, np.ndarray) else value for name, value in answers.items()}
    truths = {float(number) for name in right for number in np.ravel(right[name])}
    return hand_in(set_question(TWO_LAYERS, *answers, "L"), answers), truths


def test_feedback_levels_add_to_one_another() -> None:
    grade, _ = wrong_in_many_ways()
    added = {
        "verdict": {"quantity", "title", "verdict", "score", "weight", "message", "tolerance", "reading"},
        "hint": {"hints"},
        "diagnosis": {"diagnoses", "convention"},
        "location": {"entries", "right", "of"},
        "full": {"expected", "largest_error"},
    }
    shown: set[str] = set()
    for level in LEVELS:
        shown |= added[level]
        for part, whole in zip(grade.at(level).parts, grade.parts, strict=True):
            for field in fields(part):
                value, known = getattr(part, field.name), getattr(whole, field.name)
                if field.name not in shown:
                    assert value is None
                elif field.name not in {"tolerance", "message"}:
                    assert value is known
    assert [grade.at(level).first_wrong for level in LEVELS] == [None, None, "S", "S", "S"]


@pytest.mark.parametrize("level", LEVELS)
def test_only_the_level_full_has_a_number_of_the_truth(level: str) -> None:
    grade, truths = wrong_in_many_ways()
    shown = set(floats_of(grade.at(level).parts))
    assert bool(shown & truths) == (level == "full")
    parts = grade.at(level).parts
    text = " ".join([grade.at(level).message, *(text for p in parts for text in (p.message, *(p.hints or ())))])
    assert not any(f"{abs(number):.3f}" in text for number in truths)
    if level != "full":
        assert all(part.tolerance is None or part.tolerance.allowed is None for part in grade.at(level).parts)
