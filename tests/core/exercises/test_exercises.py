"""Exercises: the same numbers always, nothing hidden in them, and every mistake named that is made in them.

The golden file is written anew, for a new kind, by ``python -m tests.core.exercises.test_exercises``.
"""

import json
import platform
import re
from collections.abc import Iterator
from dataclasses import astuple
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from core.arrays import Array
from core.conventions import L2
from core.errors import CoreError, DomainError, UnknownNameError
from core.exercises import KINDS, LATEST_VERSION, Exercise, draw_exercise
from core.grading import Question, Solution, read_asks
from core.mistakes import MISTAKES
from core.quantities import to_quantity
from core.scenarios import Scenarios, select
from core.steps import evaluate
from core.verification import differentiate_numerically, differentiate_outputs
from tests.support.students import hand_in, names_in, part_of, work_out, work_out_jacobian

pytestmark = pytest.mark.long

GOLDEN = Path(__file__).parents[2] / "golden" / "exercises.json"
GOLDEN_SEEDS = (0, 1, 7)
each_kind = pytest.mark.parametrize("kind", KINDS)
each_seed = pytest.mark.parametrize("seed", range(3))


def numbers_of(exercise: Exercise) -> dict[str, object]:
    """Write down all that an exercise's solution depends on."""
    problem = exercise.problem
    assert problem.targets is not None
    return {
        "layers": [
            {
                "weights": layer.weights.tolist(),
                "bias": None if layer.bias is None else layer.bias.tolist(),
                "activation": layer.activation,
            }
            for layer in problem.network.layers
        ],
        "inputs": problem.inputs.tolist(),
        "targets": problem.targets.tolist(),
        "loss": problem.loss,
        "reduction": problem.conventions.reduction,
        "l2": list(astuple(problem.conventions.l2)),
        "log_base": problem.conventions.log_base,
        "asks": list(exercise.asks),
        "decimals": exercise.decimals,
    }


def write_golden() -> str:
    """Write the golden file: one exercise a line, so that a changed one is one changed line."""
    head = {
        "made_by": "python -m tests.core.exercises.test_exercises",
        "version": LATEST_VERSION,
        "versions": {"numpy": np.__version__, "python": platform.python_version()},
    }
    rows = {f"{kind} {seed}": numbers_of(draw_exercise(kind, seed)) for kind in KINDS for seed in GOLDEN_SEEDS}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    cases = [f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in rows.items()]
    return "{\n" + ",\n".join([*lines, '"exercises": {\n' + ",\n".join(cases) + "\n}"]) + "\n}\n"


@each_kind
def test_a_version_draws_the_numbers_that_it_has_always_drawn(kind: str) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))["exercises"]
    for seed in GOLDEN_SEEDS:
        assert numbers_of(draw_exercise(kind, seed)) == golden[f"{kind} {seed}"]


def test_the_golden_file_holds_the_kinds_there_are() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert list(golden["exercises"]) == [f"{kind} {seed}" for kind in KINDS for seed in GOLDEN_SEEDS]
    # all but the head, which says where it was made, is written the same anywhere
    assert GOLDEN.read_text(encoding="utf-8").splitlines()[4:] == write_golden().splitlines()[4:]


@each_kind
def test_an_exercise_is_what_its_kind_says(kind: str) -> None:
    exercise = draw_exercise(kind, 5)
    assert (exercise.kind, exercise.seed, exercise.version) == (kind, 5, LATEST_VERSION)
    assert (exercise.asks, exercise.decimals) == (KINDS[kind].asks, KINDS[kind].decimals)
    assert draw_exercise(kind, 5) is exercise
    assert numbers_of(draw_exercise(kind, 6)) != numbers_of(exercise)


@pytest.mark.parametrize(
    ("kind", "seed", "version", "error", "path"),
    [
        ("algebra", 0, None, UnknownNameError, ("kind",)),
        ("", 0, None, UnknownNameError, ("kind",)),
        ("softmax_chain", -1, None, DomainError, ("seed",)),
        ("softmax_chain", 2**31, None, DomainError, ("seed",)),
        ("softmax_chain", 0, 0, DomainError, ("version",)),
        ("softmax_chain", 0, -1, DomainError, ("version",)),
        ("softmax_chain", 0, LATEST_VERSION - 1, DomainError, ("version",)),
        ("softmax_chain", 0, LATEST_VERSION + 1, DomainError, ("version",)),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    kind: str, seed: int, version: int | None, error: type[CoreError], path: tuple[str, ...]
) -> None:
    with pytest.raises(error) as caught:
        draw_exercise(kind, seed, version)
    assert caught.value.path == path


def test_the_largest_seed_can_be_drawn() -> None:
    assert draw_exercise("softmax_forward", 2**31 - 1).seed == 2**31 - 1


@each_kind
@each_seed
def test_a_prompt_holds_every_number_and_asks_for_every_quantity(kind: str, seed: int) -> None:
    exercise = draw_exercise(kind, seed)
    for layer in exercise.problem.network.layers:
        assert str(layer.weights.tolist()) in exercise.prompt
        assert layer.bias is not None
        assert str(layer.bias.tolist()) in exercise.prompt
    assert str(exercise.problem.inputs.tolist()) in exercise.prompt
    assert exercise.problem.targets is not None
    # what nobody needs for what is asked would only lead astray
    assert (str(exercise.problem.targets.tolist()) in exercise.prompt) == asks_for_a_loss(exercise)
    asked = exercise.prompt.splitlines()[-1]
    assert asked == f"Give {', '.join(exercise.asks)} to {exercise.decimals} decimals."
    assert not re.search("None|array|nan", exercise.prompt)


@each_kind
@each_seed
def test_a_prompt_defines_every_symbol_that_it_uses(kind: str, seed: int) -> None:
    exercise = draw_exercise(kind, seed)
    # neither an article at the start nor the name of the penalty is a symbol
    text = re.sub("^A (layer|network) |an L2 term", "", exercise.prompt)
    used = set(re.findall(r"(?<![A-Za-z])[XWbZASYLNDK][0-9]*(?![A-Za-z0-9_])", text))
    used |= {node for ask in exercise.asks for node in re.findall("[XWbZASL][0-9]*", ask)}
    defined = set(re.findall(r"^([XWbZASY][0-9]*) \([0-9, ]+\): the", text, re.MULTILINE))
    defined |= set(re.findall(r"([NDK]) = [0-9]+ (?:is )?the number of", text)) | set(
        re.findall("The loss (L) is", text)
    )
    assert {"X", "N", "D", "K"} <= used
    assert used == defined


@each_kind
@each_seed
def test_a_prompt_gives_the_shape_of_every_answer_as_it_is(kind: str, seed: int) -> None:
    exercise = draw_exercise(kind, seed)
    for ask in exercise.asks:
        [key] = read_asks((ask,), exercise.problem).values()
        truth = Scenarios(exercise.problem).value(key)
        shape = str(truth.shape if truth.ndim < 3 else truth.shape[1:])
        line = next(
            (line for line in exercise.prompt.splitlines() if line.startswith((f"{ask} is the", f"{ask} ("))), ""
        )
        assert ask == "L" or shape in line
        assert ("down column 1" in line) == (truth.ndim == 3 and "W" in ask)


def asks_for_a_loss(exercise: Exercise) -> bool:
    return any("L" in ask for ask in exercise.asks)


@pytest.mark.parametrize("seed", range(4))
@each_kind
def test_a_prompt_states_the_conventions(kind: str, seed: int) -> None:
    exercise = draw_exercise(kind, seed)
    conventions, prompt = exercise.problem.conventions, exercise.prompt
    if not asks_for_a_loss(exercise):
        assert "loss" not in prompt
        return
    assert f"the {conventions.reduction} over the samples" in prompt
    assert ("natural logarithm" in prompt) == (conventions.log_base == "e")
    assert ("base 2" in prompt) == (conventions.log_base == 2)
    if conventions.l2 == L2():
        assert "L2" not in prompt
    else:
        assert f"factor {'½' if conventions.l2.factor == 0.5 else '1'} times {conventions.l2.strength:g}" in prompt
        assert ("weights and biases" in prompt) == conventions.l2.biases
        assert ("divided by the number of samples" in prompt) == conventions.l2.per_sample


def test_the_conventions_exercise_has_every_convention_sooner_or_later() -> None:
    drawn = [draw_exercise("conventions", seed).problem.conventions for seed in range(12)]
    assert {one.reduction for one in drawn} == {"mean", "sum"}
    assert {one.log_base for one in drawn} == {"e", 2}
    assert {one.l2.factor for one in drawn} == {0.5, 1.0}
    assert {one.l2.biases for one in drawn} == {one.l2.per_sample for one in drawn} == {True, False}


@cache
def opened(kind: str, seed: int) -> tuple[Exercise, Solution]:
    exercise = draw_exercise(kind, seed)
    asks = read_asks(exercise.asks, exercise.problem)
    return exercise, Solution(Question(problem=exercise.problem, asks=asks, decimals=exercise.decimals, stated=None))


def truths_of(exercise: Exercise) -> dict[str, Array]:
    """Compute what is asked without any derivative: forward, or by complex steps."""
    found = {}
    for name, key in read_asks(exercise.asks, exercise.problem).items():
        of, _, by = key[1:].partition("_d")
        if not by:
            found[name] = evaluate(exercise.problem, [key])[key]
        elif of == "L":
            found[name] = differentiate_numerically(exercise.problem, key)
        else:
            found[name] = differentiate_outputs(exercise.problem, of, by)
    return found


@each_kind
@each_seed
def test_the_solution_agrees_with_complex_steps(kind: str, seed: int) -> None:
    exercise, solution = opened(kind, seed)
    grade = hand_in(solution, {})
    for name, truth in truths_of(exercise).items():
        expected = part_of(grade, name).expected
        assert expected is not None
        assert np.abs(expected - truth).max() <= 1e-10 * np.abs(truth).max()


def mistakes_in(exercise: Exercise) -> Iterator[tuple[str, dict[str, Array]]]:
    """Make each mistake that applies, in each of its ways, in all that is asked; none that overflow."""
    asks, truths = read_asks(exercise.asks, exercise.problem), truths_of(exercise)
    for mistake in [mistake for mistake in MISTAKES.values() if mistake.applies(exercise.problem)]:
        scenarios = Scenarios(exercise.problem, mistake.variants)
        for bit in range(len(mistake.variants)):
            answers = {name: scenarios.value(key, select(bit)) for name, key in asks.items()}
            if all(np.isfinite(answer).all() for answer in answers.values()):
                yield mistake.name, answers
        for transform in [transform for transform in mistake.transforms if transform.accepts is None]:
            turned = {
                name: transform.apply(exercise.problem, to_quantity(key), truths[name], 1.0)
                for name, key in asks.items()
            }
            yield mistake.name, {name: truths[name] if value is None else value for name, value in turned.items()}


def differs(answer: Array, truth: Array) -> bool:
    return answer.shape != truth.shape or not np.allclose(answer, truth, rtol=1e-9, atol=1e-12)


@each_kind
@each_seed
def test_no_mistake_hides_in_the_rounding(kind: str, seed: int) -> None:
    exercise, solution = opened(kind, seed)
    truths, asks = truths_of(exercise), read_asks(exercise.asks, exercise.problem)
    assert hand_in(solution, {}).verdict == "incorrect"
    for mistake, answers in mistakes_in(exercise):
        for name, answer in answers.items():
            limits = solution.precision(asks[name]).limits(exercise.decimals)
            if differs(answer, truths[name]) and answer.shape == truths[name].shape:
                # by more than the rounding of the right answer and that of the mistake's
                assert (np.abs(answer - truths[name]) > 2.0 * limits).any(), f"{mistake} in {name}"
    for name, truth in truths.items():
        limits = solution.precision(asks[name]).limits(exercise.decimals)
        assert (np.abs(truth) > limits)[truth != 0].all()


@each_kind
@each_seed
def test_every_mistake_is_named_where_it_first_shows_and_never_accepted(kind: str, seed: int) -> None:
    exercise, solution = opened(kind, seed)
    truths, tried = truths_of(exercise), 0
    for mistake, answers in mistakes_in(exercise):
        wrong = [name for name, answer in answers.items() if differs(answer, truths[name])]
        if wrong:
            written = {name: np.round(answer, exercise.decimals) for name, answer in answers.items()}
            grade = hand_in(solution, written)
            assert grade.verdict != "correct"
            assert grade.first_wrong in wrong
            assert mistake in names_in(part_of(grade, grade.first_wrong)), f"{mistake}: {grade.first_wrong}"
            tried += 1
    assert tried >= 5


@pytest.mark.parametrize(
    "kind", ["softmax_chain", "logits_gradient", "weight_gradients", "two_layer_network", "conventions"]
)
@pytest.mark.parametrize("seed", range(8))
def test_a_forgotten_target_is_called_that_first(kind: str, seed: int) -> None:
    exercise, solution = opened(kind, seed)
    answers = next(answers for mistake, answers in mistakes_in(exercise) if mistake == "one_hot_missing")
    grade = hand_in(solution, {name: np.round(answer, exercise.decimals) for name, answer in answers.items()})
    assert grade.first_wrong is not None
    assert [d.mistakes for d in part_of(grade, grade.first_wrong).diagnoses or ()] == [("one_hot_missing",)]


def work_of(exercise: Exercise, decimals: int | None) -> dict[str, Array]:
    """Work an exercise out by hand, with every number rounded on the way."""
    found = work_out(exercise.problem, decimals)
    depth = exercise.problem.network.depth
    found |= {name.removesuffix(str(depth)): value for name, value in found.items() if depth == 1}
    s, targets = found["S"], exercise.problem.target_distribution()

    def by_hand(value: Array) -> Array:
        return value if decimals is None else np.asarray(np.round(value, decimals))

    found["dS_dZ"] = by_hand(work_out_jacobian(s))
    found["dL_dS"] = by_hand(-targets / s)
    found["dZ_dW"] = np.array([np.kron(np.eye(s.shape[1]), row[None]) for row in exercise.problem.inputs])
    return {name: found[name] for name in exercise.asks}


@each_kind
@pytest.mark.parametrize("seed", range(10))
def test_right_answers_are_correct_and_have_no_diagnosis(kind: str, seed: int) -> None:
    exercise, solution = opened(kind, seed)
    for decimals in (None, exercise.decimals, exercise.decimals + 1):
        grade = hand_in(solution, work_of(exercise, decimals))
        assert (grade.verdict, grade.score, grade.first_wrong) == ("correct", 1.0, None)
        assert not any(part.diagnoses or part.convention or part.hints for part in grade.parts)


@pytest.mark.slow
@each_kind
def test_honest_work_is_correct_in_all_of_1250_seeds(kind: str) -> None:
    for seed in range(1250):
        exercise = draw_exercise(kind, seed)
        asks = read_asks(exercise.asks, exercise.problem)
        solution = Solution(Question(problem=exercise.problem, asks=asks, decimals=exercise.decimals, stated=None))
        assert hand_in(solution, work_of(exercise, exercise.decimals)).verdict == "correct", f"seed {seed}"


if __name__ == "__main__":
    GOLDEN.write_text(write_golden(), encoding="utf-8")
