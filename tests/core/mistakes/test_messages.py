"""What a student reads: titles, and a sentence for each part and for the whole, made of what the level shows."""

import re
from collections.abc import Iterator

import numpy as np
import pytest

from core import __version__
from core.conventions import CHOICES_IN_WORDS, Conventions
from core.grade_requests import ExerciseReference, Grader, GradeRequest
from core.grading import LEVELS, Grade, MarkedAgainst
from core.grading.grade import VERDICT_SENTENCES, describe_part
from core.mistakes import MISTAKES
from core.problem import Problem
from core.quantities import parse_quantity, title_of
from tests.support.students import (
    ONE_SAMPLE,
    SOFTMAX_LAYER,
    TWO_LAYERS,
    grade_of,
    hand_in,
    part_of,
    set_question,
    slipped,
    work_out,
    work_out_by,
)

RIGHT = work_out(TWO_LAYERS, 4)


@pytest.mark.parametrize(
    ("problem", "text", "title"),
    [
        (TWO_LAYERS, "dL_dW2", "gradient by the weights of layer 2"),
        (TWO_LAYERS, "dL_dW", "gradient by the weights of layer 2"),
        (TWO_LAYERS, "dL_db1", "gradient by the biases of layer 1"),
        (TWO_LAYERS, "dL_dX", "gradient by the inputs"),
        (TWO_LAYERS, "Z1", "pre-activations of layer 1"),
        (TWO_LAYERS, "A1", "activations of layer 1"),
        (TWO_LAYERS, "A2", "probabilities"),
        (TWO_LAYERS, "L", "loss"),
        (TWO_LAYERS, "dZ2_dA1", "Jacobian of the pre-activations of layer 2 by the activations of layer 1"),
        (SOFTMAX_LAYER, "dL_dW", "gradient by the weights"),
        (SOFTMAX_LAYER, "dL_dS", "gradient by the probabilities"),
        (SOFTMAX_LAYER, "dS_dZ1", "Jacobian of the probabilities by the pre-activations"),
    ],
)
def test_every_quantity_has_a_title(problem: Problem, text: str, title: str) -> None:
    assert title_of(parse_quantity(text, problem), problem) == title


def hand_in_each_verdict() -> Grade:
    """Hand in parts with verdicts of every kind but another convention's."""
    wrong = RIGHT["dL_dZ2"].copy()
    wrong[0] += [0.05, -0.05, 0.0]
    own = work_on(wrong)
    answers = {
        "S": RIGHT["S"],
        "dL_dZ2": wrong,
        "dL_dW2": own["dL_dW2"],
        "dL_db2": [[float("nan")] * 3],
        "dL_dZ1": "[[1, ?]]",
        "dL_dW1": RIGHT["dL_dW1"].T,
        "L": -RIGHT["L"],
    }
    return hand_in(set_question(TWO_LAYERS, *answers, "dL_db1", stated=None, decimals=4), answers)


def work_on(grad: np.ndarray) -> dict[str, np.ndarray]:
    hidden = RIGHT["A1"]
    return {"dL_dW2": np.round(hidden.T @ grad, 4)}


def sentences(grade: Grade) -> Iterator[str]:
    yield grade.message
    yield from (part.message for part in grade.parts)


@pytest.mark.parametrize("level", LEVELS)
def test_every_part_has_a_message_at_every_level(level: str) -> None:
    grade = hand_in_each_verdict()
    assert {part.verdict for part in grade.parts} == {*VERDICT_SENTENCES} - {"convention_mismatch"}
    for text in sentences(grade.at(level)):
        assert re.fullmatch(r"[A-Z].*[.!?]", text)
    # a level that is asked for is what is left of a fuller one
    assert list(sentences(grade.at("full").at(level))) == list(sentences(grade.at(level)))


def test_a_message_is_made_of_what_the_level_shows() -> None:
    whole = hand_in_each_verdict().at("full")
    for level in LEVELS:
        grade = whole.at(level)
        for part in grade.parts:
            if part.verdict == "unreadable":
                assert part.reading is not None
                assert part.reading.message in part.message
                assert f"row {part.reading.row}, column {part.reading.column}" in part.message
            elif part.diagnoses:
                assert part.message == part.diagnoses[0].message
            elif part.right != part.of and part.verdict == "incorrect":
                assert part.message == f"You have {part.right} of {part.of} numbers right."
            else:
                assert part.message == (part.hints[0] if part.hints else VERDICT_SENTENCES[part.verdict])
        rank = LEVELS.index(level)
        assert ("look first at" in grade.message) == (rank >= LEVELS.index("diagnosis"))
        assert "2 of 8 parts" in grade.message
    first = part_of(whole, str(whole.first_wrong))
    assert first.title in whole.message


def test_a_slip_is_counted_from_the_level_that_shows_where_it_is() -> None:
    answers = {"dL_dW1": slipped(RIGHT["dL_dW1"], (0, 1), (1, 3))}
    grade = grade_of(TWO_LAYERS, answers)
    assert [part.right for level in LEVELS for part in grade.at(level).parts] == [None, None, None, 6, 6]
    assert grade.at("location").parts[0].message == "You have 6 of 8 numbers right."
    assert grade.at("diagnosis").parts[0].message == VERDICT_SENTENCES["incorrect"]


def test_no_wrong_answer_is_told_that_all_its_numbers_are_right() -> None:
    assert describe_part("incorrect", right=6, of=6) == VERDICT_SENTENCES["incorrect"]
    # one number is not counted
    assert describe_part("incorrect", right=0, of=1) == VERDICT_SENTENCES["incorrect"]


@pytest.mark.parametrize("level", LEVELS)
def test_another_convention_is_named_in_words_from_the_level_that_shows_it(level: str) -> None:
    summed = {key: 5.0 * work_out(TWO_LAYERS)[key] for key in ("dL_dW2",)}
    part = hand_in(set_question(TWO_LAYERS, *summed), summed).at(level).parts[0]
    assert part.verdict == "convention_mismatch"
    is_named = "sum over the samples" in part.message
    assert is_named == (LEVELS.index(level) >= LEVELS.index("diagnosis"))


def test_two_other_conventions_are_both_named() -> None:
    other = Problem(
        network=TWO_LAYERS.network,
        inputs=TWO_LAYERS.inputs,
        targets=TWO_LAYERS.targets,
        loss="cross_entropy",
        conventions=Conventions(reduction="sum", log_base=2),
    )
    answers = {"dL_dW2": work_out_by(other, lambda value: value)["dL_dW2"]}
    [part] = hand_in(set_question(TWO_LAYERS, *answers), answers).at("diagnosis").parts
    assert part.convention == {"reduction": "sum", "log_base": 2}
    assert "samples" in part.message
    assert "base 2" in part.message


def test_every_convention_that_an_answer_can_be_right_under_has_words() -> None:
    changes = [change for mistake in MISTAKES.values() for way in mistake.variants for change in way]
    switches = {change.switch for change in changes if change.switch}
    default = Conventions()
    told = {(key, value) for key, values in CHOICES_IN_WORDS.items() for value in values if key != "l2.biases"}
    assert switches == told
    for key, values in CHOICES_IN_WORDS.items():
        assert default.value(key) == next(iter(values))
        for value in values:
            assert default.under((key, value)).value(key) == value


@pytest.mark.parametrize(
    ("answers", "is_gradable"),
    [
        ({}, False),
        ({"S": "?"}, False),
        ({"S": "?", "L": "[1, [2]]"}, False),
        ({"S": "?", "L": 1.0}, True),
        ({"S": [[float("nan")]]}, True),
        ({"Z": [1.0]}, True),
        ({"S": RIGHT["S"]}, True),
    ],
)
def test_what_cannot_be_read_at_all_is_not_gradable(answers: dict[str, object], *, is_gradable: bool) -> None:
    grade = hand_in(set_question(TWO_LAYERS, "S", "L"), answers)
    assert grade.gradable == is_gradable
    for level in LEVELS:
        assert grade.at(level).gradable == is_gradable
        assert grade.at(level).message


def test_the_whole_of_one_part_is_told_as_that_part_is() -> None:
    grade = hand_in(set_question(ONE_SAMPLE, "L"), {"L": "1.0 x"}).at("verdict")
    assert grade.message == grade.parts[0].message


def test_all_right_is_told_so() -> None:
    answers = {key: RIGHT[key] for key in ("S", "L")}
    grade = hand_in(set_question(TWO_LAYERS, *answers), answers)
    texts = [list(sentences(grade.at(level))) for level in LEVELS]
    # at every level the same, whatever the numbers are
    assert all(text == texts[0] for text in texts)
    assert texts[0][1:] == [VERDICT_SENTENCES["correct"]] * 2


def test_a_reply_says_what_it_was_marked_against_and_by_which_release() -> None:
    exercise = Grader().grade(
        GradeRequest(exercise=ExerciseReference(kind="softmax_forward", seed=3), answers={}, feedback="verdict")
    )
    against = exercise.marked_against
    assert (against.kind, against.seed, against.release) == ("softmax_forward", 3, __version__)
    assert against.version is not None
    own = Grader().grade(GradeRequest(problem=SOFTMAX_LAYER, answers={"L": 1.0}))
    assert own.marked_against == MarkedAgainst(release=__version__)
