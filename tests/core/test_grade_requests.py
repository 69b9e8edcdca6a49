"""Requests: a problem or an exercise, defaults for many, and one grade however an answer is written."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from core.answers.answer import MOST_NUMBERS
from core.arrays import Array
from core.budget import Budget
from core.conventions import StatedConventions
from core.errors import CoreError, DomainError, Path, ShapeError, TooLargeError, UnknownNameError
from core.exercises import LATEST_VERSION, draw_exercise
from core.grade_requests import ExerciseReference, Grader, GradeRequest
from core.grading import LEVELS, Grade, Policy, Tolerance
from tests.support.students import ONE_SAMPLE, SOFTMAX_LAYER, TWO_LAYERS, names_in, part_of, verdicts, work_out

EXERCISE = ExerciseReference(kind="weight_gradients", seed=3)
RIGHT = work_out(SOFTMAX_LAYER, 4)
GRADIENT = RIGHT["dL_dW1"]


def mark(request: GradeRequest, defaults: GradeRequest | None = None) -> Grade:
    return Grader(defaults).grade(request)


def assert_same(one: object, other: object) -> None:
    """Compare two grades field by field, arrays and all."""
    assert type(one) is type(other)
    for field in fields(one):  # type: ignore[arg-type]  # a grade, or one of its parts
        left, right = getattr(one, field.name), getattr(other, field.name)
        if field.name == "parts":
            for mine, yours in zip(left, right, strict=True):
                assert_same(mine, yours)
        elif isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right, strict=True)
        else:
            assert left == right


@pytest.mark.parametrize(
    ("given", "error", "path"),
    [
        ({"problem": SOFTMAX_LAYER, "exercise": EXERCISE}, DomainError, ("exercise",)),
        ({"exercise": EXERCISE, "asks": ("S",)}, DomainError, ("asks",)),
        ({"feedback": "everything"}, UnknownNameError, ("feedback",)),
        ({"feedback": ""}, UnknownNameError, ("feedback",)),
    ],
)
def test_a_request_that_contradicts_itself_is_refused(
    given: dict[str, object], error: type[CoreError], path: Path
) -> None:
    with pytest.raises(error) as caught:
        GradeRequest(**given)  # type: ignore[arg-type]  # a row of the table above
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("request_", "error", "path"),
    [
        (GradeRequest(answers={"S": "1"}), DomainError, ()),
        (GradeRequest(problem=SOFTMAX_LAYER), DomainError, ("answers",)),
        (GradeRequest(problem=SOFTMAX_LAYER, answers={}), DomainError, ("answers",)),
        (GradeRequest(problem=SOFTMAX_LAYER, asks=(), answers={}), ShapeError, ("asks",)),
        (GradeRequest(exercise=EXERCISE), DomainError, ("answers",)),
        (GradeRequest(problem=SOFTMAX_LAYER, answers={"dL_dV": 1}), UnknownNameError, ("answers", "dL_dV")),
        (GradeRequest(problem=SOFTMAX_LAYER, answers={"Z": 1, "Z1": 1}), DomainError, ("answers", "Z1")),
        (GradeRequest(problem=SOFTMAX_LAYER, asks=("S", "dL_dW2"), answers={}), UnknownNameError, ("asks", 1)),
        (GradeRequest(problem=SOFTMAX_LAYER, asks=("Z", "Z1"), answers={}), DomainError, ("asks", 1)),
        (GradeRequest(problem=SOFTMAX_LAYER, asks=("Z",), answers={"dL_dW2": 1}), UnknownNameError,
         ("answers", "dL_dW2")),
        (GradeRequest(exercise=EXERCISE, answers={"dL_dW2": 1}), UnknownNameError, ("answers", "dL_dW2")),
        (GradeRequest(exercise=replace(EXERCISE, kind="algebra"), answers={}), UnknownNameError,
         ("exercise", "kind")),
        (GradeRequest(exercise=replace(EXERCISE, seed=-1), answers={}), DomainError, ("exercise", "seed")),
        (GradeRequest(exercise=replace(EXERCISE, version=0), answers={}), DomainError, ("exercise", "version")),
        (GradeRequest(exercise=replace(EXERCISE, version=LATEST_VERSION + 1), answers={}), DomainError,
         ("exercise", "version")),
        (GradeRequest(problem=SOFTMAX_LAYER, answers={"S": 1}, policy=Policy(weights={"Z": 1.0})), DomainError,
         ("policy", "weights", "Z")),
    ],
)  # fmt: skip
def test_what_cannot_be_marked_is_refused_where_it_stands(
    request_: GradeRequest, error: type[CoreError], path: Path
) -> None:
    with pytest.raises(error) as caught:
        mark(request_)
    assert caught.value.path == path


def test_without_asks_what_is_answered_counts() -> None:
    grade = mark(GradeRequest(problem=SOFTMAX_LAYER, answers={"S": RIGHT["S"].tolist()}))
    assert (grade.score, verdicts(grade)) == (1.0, {"S": "correct"})
    asked = mark(GradeRequest(problem=SOFTMAX_LAYER, asks=("S", "L"), answers={"S": RIGHT["S"].tolist()}))
    assert (asked.score, verdicts(asked)) == (0.5, {"S": "correct", "L": "missing"})


def test_an_exercise_says_what_is_asked_and_with_how_many_decimals() -> None:
    exercise = draw_exercise(EXERCISE.kind, EXERCISE.seed)
    right = work_out(exercise.problem)
    grade = mark(GradeRequest(exercise=EXERCISE, answers={"dL_dW": np.round(right["dL_dW1"], 1).tolist()}))
    assert [part.quantity for part in grade.parts] == list(exercise.asks)
    # one decimal is too few where four were asked for
    part = part_of(grade, "dL_dW")
    assert part.tolerance is not None
    assert (part.verdict, part.tolerance.decimals) == ("incorrect", exercise.decimals)
    assert mark(GradeRequest(exercise=EXERCISE, answers={})).score == 0.0


def test_an_exercise_states_every_convention_and_a_problem_what_it_states() -> None:
    exercise = draw_exercise(EXERCISE.kind, EXERCISE.seed)
    summed = (exercise.problem.n_samples * work_out(exercise.problem)["dL_dW1"]).tolist()
    answers = {"dL_dW": summed}
    part = part_of(mark(GradeRequest(exercise=EXERCISE, answers=answers)), "dL_dW")
    assert (part.verdict, names_in(part)) == ("incorrect", {"summed_over_batch"})
    for stated, verdict in (
        (set(), "convention_mismatch"),
        ({"reduction"}, "incorrect"),
        ({"log_base"}, "convention_mismatch"),
    ):
        conventions = StatedConventions(stated=frozenset(stated))
        problem = replace(exercise.problem, conventions=conventions)
        grade = mark(GradeRequest(problem=problem, answers=answers))
        assert verdicts(grade) == {"dL_dW": verdict}
        # what is echoed are the conventions themselves
        assert type(grade.conventions) is not StatedConventions
        assert grade.conventions == exercise.problem.conventions


@pytest.mark.parametrize("level", [None, *LEVELS])
def test_feedback_is_as_asked(level: str | None) -> None:
    grade = mark(GradeRequest(problem=SOFTMAX_LAYER, answers={"dL_dW": (-GRADIENT).tolist()}, feedback=level))
    rank = LEVELS.index(level or "diagnosis")
    shown = [part.expected for part in grade.parts] + [part.entries for part in grade.parts]
    assert [value is not None for value in shown] == [rank >= 4, rank >= 3]
    assert (grade.first_wrong is not None) == (rank >= 2)
    assert (grade.parts[0].diagnoses is not None) == (rank >= 2)


DEFAULTS = GradeRequest(
    problem=SOFTMAX_LAYER,
    asks=("dL_dW", "L"),
    tolerance=Tolerance(absolute=0.5),
    feedback="full",
    follow_through=False,
    policy=Policy(weights={"dL_dW": 3.0}),
)


def test_what_a_line_leaves_out_is_taken_from_the_defaults() -> None:
    grade = mark(GradeRequest(answers={"dL_dW": GRADIENT.tolist()}), DEFAULTS)
    assert verdicts(grade) == {"dL_dW": "correct", "L": "missing"}
    assert grade.score == pytest.approx(0.75)
    assert grade.parts[0].expected is not None
    assert grade.parts[0].tolerance is not None
    assert grade.parts[0].tolerance.absolute == pytest.approx(0.5)


def test_what_a_line_says_itself_beats_the_defaults() -> None:
    line = GradeRequest(
        asks=("L",), answers={"L": 0.0}, tolerance=Tolerance(decimals=3), feedback="verdict", policy=Policy(),
        follow_through=True,
    )  # fmt: skip
    grade = mark(line, DEFAULTS)
    assert verdicts(grade) == {"L": "incorrect"}
    assert grade.parts[0].expected is None
    assert grade.parts[0].tolerance is not None
    assert grade.parts[0].tolerance.decimals == 3


def test_a_line_with_a_problem_of_its_own_takes_no_asks_from_the_defaults() -> None:
    right = work_out(ONE_SAMPLE, 4)
    defaults = replace(DEFAULTS, policy=None)
    grade = mark(GradeRequest(problem=ONE_SAMPLE, answers={"dL_dZ": right["dL_dZ1"].tolist()}), defaults)
    assert (verdicts(grade), grade.score) == ({"dL_dZ": "correct"}, 1.0)
    assert grade.parts[0].expected is not None
    grade = mark(GradeRequest(exercise=EXERCISE, answers={}), defaults)
    assert set(verdicts(grade)) == {"dL_dZ", "dL_dW", "dL_db"}


def test_defaults_can_be_an_exercise() -> None:
    grader = Grader(GradeRequest(exercise=EXERCISE))
    assert set(verdicts(grader.grade(GradeRequest(answers={})))) == {"dL_dZ", "dL_dW", "dL_db"}
    own = GradeRequest(problem=SOFTMAX_LAYER, asks=("S",), answers={"S": RIGHT["S"].tolist()})
    assert grader.grade(own).score == 1.0
    with pytest.raises(DomainError) as caught:
        grader.grade(GradeRequest(asks=("S",), answers={}))
    assert caught.value.path == ("asks",)


def test_a_line_that_cannot_be_marked_spoils_no_other() -> None:
    grader = Grader(DEFAULTS)
    line = GradeRequest(answers={"dL_dW": GRADIENT.tolist()})
    before = grader.grade(line)
    for bad in ({"dL_dV": 1}, {"dL_dW": 1, "dL_dW1": 1}):
        with pytest.raises(CoreError):
            grader.grade(GradeRequest(answers=bad))
    assert_same(grader.grade(line), before)
    # and the same alone as among others
    assert_same(mark(line, DEFAULTS), before)
    assert_same(mark(replace(DEFAULTS, answers=line.answers)), before)


def test_a_follow_through_that_is_switched_off_stays_off() -> None:
    s = RIGHT["S"].copy()
    s[1] += [0.05, -0.05, 0.0]
    grad = np.round((s - np.eye(3)[np.asarray(SOFTMAX_LAYER.targets)]) / 4.0, 4)
    request = GradeRequest(problem=SOFTMAX_LAYER, answers={"S": s.tolist(), "dL_dZ": grad.tolist()})
    for follow_through, verdict in ((None, "follows_through"), (True, "follows_through"), (False, "incorrect")):
        assert verdicts(mark(replace(request, follow_through=follow_through)))["dL_dZ"] == verdict


def test_an_answer_has_only_so_many_numbers() -> None:
    for count, verdict in ((MOST_NUMBERS, "wrong_shape"), (MOST_NUMBERS + 1, "unreadable")):
        request = GradeRequest(problem=SOFTMAX_LAYER, answers={"L": [0.0] * count})
        assert verdicts(mark(request)) == {"L": verdict}


def test_a_budget_bounds_each_request() -> None:
    grader = Grader(budget=Budget(numbers=50))
    with pytest.raises(TooLargeError) as caught:
        grader.grade(GradeRequest(problem=TWO_LAYERS, asks=("L", "dS_dW"), answers={}))
    assert caught.value.path == ("asks", 1)


def write(value: Array) -> dict[str, object]:
    """Write an array in every way that can be read."""
    rows = value.reshape(-1, value.shape[-1])
    numbers = [" ".join(f"{number:.4f}" for number in row) for row in rows.tolist()]
    return {
        "lists": value.tolist(),
        "JSON": json.dumps(value.tolist()),
        "print": str(value),
        "repr": repr(value),
        "MATLAB": f"[{'; '.join(numbers)}]",
        "lines": "\n".join(numbers),
        "minus": str(value.tolist()).replace("-", "\N{MINUS SIGN}"),
        "powers": json.dumps([[f"{number:.3e}" for number in row] for row in rows.tolist()]).replace('"', ""),
        "named": f"dW = {value.tolist()}",
    }


@pytest.mark.parametrize("answer", [GRADIENT, -GRADIENT, GRADIENT + 0.1, 4.0 * GRADIENT, GRADIENT.T])
@pytest.mark.parametrize("encoding", write(GRADIENT))
def test_a_grade_does_not_depend_on_how_an_answer_is_written(answer: Array, encoding: str) -> None:
    rounded = np.round(answer, 4)
    written = write(rounded)
    request = GradeRequest(problem=SOFTMAX_LAYER, asks=("dL_dW", "S"), feedback="full")
    plain = mark(replace(request, answers={"dL_dW": written["lists"]}))
    assert_same(mark(replace(request, answers={"dL_dW": written[encoding]})), plain)
