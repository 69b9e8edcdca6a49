"""Submissions that are right outright: told from the others by their numbers alone, and never too many."""

import math
import random

import numpy as np
import pytest

from core.answers import count_decimals, read_answer
from core.grade_requests import Grader, GradeRequest
from core.grading import (
    NO_MATCH,
    Question,
    Solution,
    Submission,
    Tolerance,
    find_exact_matcher,
    grade_submission,
    read_ids,
)
from core.grading.exact import BY_MACHINE, LARGEST_ENTRY, MOST_PARTS, count_decimals_of_rows
from core.problem import Layer, Network, Problem

PROBLEM = Problem(
    network=Network(
        layers=(
            Layer(
                weights=np.array([[0.3, -1.2, 0.7], [0.9, 0.4, -0.5]]),
                bias=np.array([0.1, 0.2, 0.0]),
                activation="softmax",
            ),
        )
    ),
    inputs=np.array([[1.5, -0.2], [0.4, 2.0]]),
    targets=np.array([0, 2]),
    loss="cross_entropy",
)


@pytest.mark.parametrize("size", [1e-12, 1e-6, 1e-3, 1.0, 1e3, 1e6, LARGEST_ENTRY])
def test_decimals_are_counted_as_reading_an_answer_counts_them(size: float) -> None:
    source = random.Random(0)
    numbers = [round(source.uniform(-size, size), source.randrange(18)) for _ in range(5000)]
    numbers += [math.nextafter(number, source.choice([-math.inf, math.inf])) for number in numbers]
    numbers += [0.0, -0.0, 5e-324, 1e-6, 1e-7, size]
    counted = count_decimals_of_rows(np.array(numbers)[:, None])
    for number, count in zip(numbers, counted, strict=True):
        assert count == np.clip(count_decimals(np.array(number)), 0, BY_MACHINE), number


def test_a_row_has_the_decimals_of_the_number_with_the_most() -> None:
    rows = [[0.5, 0.25, 3], [1, 2, 3], [0.1, 1e-7, 0], [1 / 3, 0, 0], [0, 0, 1 / 3], [1e300, math.nan, math.inf]]
    assert count_decimals_of_rows(np.array(rows, dtype=float)).tolist()[:5] == [
        2,
        0,
        BY_MACHINE,
        BY_MACHINE,
        BY_MACHINE,
    ]


TOLERANCES = [None, Tolerance(decimals=3), Tolerance(decimals=9), Tolerance(relative=1e-3), Tolerance(absolute=1e-7)]


@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize("text", ["dL_dW", "L", "dS_dZ"])
def test_what_is_right_outright_is_correct_with_the_grade_of_all_that_is_written_so(
    text: str, tolerance: Tolerance | None
) -> None:
    ids = read_ids({text: None}, PROBLEM)
    solution = Solution(Question(problem=PROBLEM, asks=ids))
    [key] = ids.values()
    solution.compute_truths({key: text})
    truth = solution.truth(key)
    matcher = find_exact_matcher(solution, {key: read_answer(truth.tolist())}, tolerance)
    assert matcher is not None
    noise = np.random.default_rng(0)
    values = [np.round(truth + size * noise.normal(size=truth.shape), d) for d in range(16) for size in (0, 1e-9, 1e-6)]
    values.append(truth)
    told = matcher.match(np.array([value.ravel() for value in values]))
    shown: dict[int, str] = {}
    for value, written in zip(values, told, strict=True):
        if written != NO_MATCH:
            grade = grade_submission(
                solution, Submission(answers={text: read_answer(value.tolist())}, tolerance=tolerance)
            )
            assert grade.verdict == "correct"
            below = repr(grade.at("location"))
            assert shown.setdefault(written, below) == below
    # the truth itself is among them, and what is wrong is not
    assert told[-1] != NO_MATCH
    assert (matcher.match(np.full((3, truth.size), [[np.nan], [np.inf], [1e308]])) == NO_MATCH).all()


def test_with_decimals_for_tolerance_an_answer_by_machine_is_right_outright_only_where_it_is_the_truth() -> None:
    grader = Grader(GradeRequest(problem=PROBLEM, tolerance=Tolerance(decimals=3)))
    matcher = grader.find_exact_matcher(GradeRequest(answers={"S": [[0.0] * 3] * 2}))
    assert matcher is not None
    solution = Solution(Question(problem=PROBLEM, asks=read_ids({"S": None}, PROBLEM)))
    solution.compute_truths({"A1": "S"})
    truth = solution.truth("A1").ravel()
    first, second = matcher.match(np.array([truth, truth + 1e-5])).tolist()
    assert (first, second) == (BY_MACHINE, NO_MATCH)


@pytest.mark.parametrize(
    "request_",
    [
        GradeRequest(answers={"L": None}),
        GradeRequest(answers={"L": [[1.0], [1.0, 2.0]]}),
        GradeRequest(answers={"L": [1.0, 2.0]}),
        GradeRequest(answers={"L": 1.0}, feedback="full"),
        GradeRequest(),
    ],
)
def test_requests_that_have_to_be_marked_one_by_one_are_told(request_: GradeRequest) -> None:
    grader = Grader(GradeRequest(problem=PROBLEM))
    assert grader.find_exact_matcher(request_) is None
    assert grader.find_exact_matcher(GradeRequest(answers={"L": 1.0}, feedback="location")) is not None


def test_truths_too_large_to_count_decimals_of_rows_and_too_many_answers_are_marked_one_by_one() -> None:
    layer = Layer(weights=np.array([[LARGEST_ENTRY]]), bias=np.zeros(1), activation="identity")
    problem = Problem(network=Network(layers=(layer,)), inputs=np.ones((1, 1)))
    grader = Grader(GradeRequest(problem=problem))
    assert grader.find_exact_matcher(GradeRequest(answers={"Z": [[1.0]]})) is None
    deep = Problem(
        network=Network(layers=(Layer(weights=np.eye(2), bias=np.zeros(2), activation="tanh"),) * 21),
        inputs=np.ones((1, 2)),
    )
    grader = Grader(GradeRequest(problem=deep))
    answers = {f"Z{number}": [[1.0, 2.0]] for number in range(1, MOST_PARTS + 1)}
    assert grader.find_exact_matcher(GradeRequest(answers=answers)) is not None
    assert grader.find_exact_matcher(GradeRequest(answers={**answers, "Z21": [[1.0, 2.0]]})) is None
