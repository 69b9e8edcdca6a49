"""A right answer is right and a wrong one wrong, in whatever form its numbers are written."""

import json
import random
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest

from core.answers import read_answer
from core.arrays import Array
from core.exercises import KINDS, Exercise, draw_exercise
from core.grading import Grade, Part, Question, Solution, Submission, Tolerance, grade_submission, read_asks
from tests.support.students import work_out_by, work_out_jacobian

Write = Callable[[Array], object]
Rounding = Callable[[Array], Array]

FEW_SEEDS, MANY_SEEDS = range(4), range(50)
ASKED = 4
"""The decimals that every kind of exercise asks for."""

MINUS = "\N{MINUS SIGN}"


def rounded(decimals: int) -> Rounding:
    return lambda value: np.asarray(np.round(value, decimals))


def exact(value: Array) -> Array:
    return value


def softmax_by_hand(z: Array, by_hand: Rounding) -> Array:
    """Write down e^z, their sum and the quotients, each rounded."""
    powers = by_hand(np.exp(z))
    return by_hand(powers / by_hand(powers.sum(axis=1, keepdims=True)))


def work_on(exercise: Exercise, by_hand: Rounding = exact, *, powers: bool = False) -> dict[str, Array]:
    """Work an exercise out from the textbook's formulas; with powers, through a softmax with every number rounded."""
    problem = exercise.problem
    found, targets = work_out_by(problem, by_hand), problem.target_distribution()
    depth = problem.network.depth
    found |= {name.removesuffix(str(depth)): value for name, value in found.items() if depth == 1}
    if powers:
        found["S"] = softmax_by_hand(found[f"Z{depth}"], by_hand)
    found["dS_dZ"] = by_hand(work_out_jacobian(found["S"]))
    found["dL_dS"] = by_hand(-targets / found["S"])
    found["dZ_dW"] = np.array([np.kron(np.eye(found["S"].shape[1]), row[None]) for row in problem.inputs])
    return {name: found[name] for name in exercise.asks}


def each(value: Array, write: Callable[[float], object]) -> object:
    """Write every entry, in nested lists."""
    if np.ndim(value) == 0:
        return write(float(value))
    return [each(row, write) for row in value]


def in_digits(digits: int) -> Write:
    return lambda value: each(value, lambda number: float(f"{number:.{digits}g}"))


def in_decimals(decimals: int) -> Write:
    return lambda value: each(value, lambda number: float(f"{number:.{decimals}f}"))


def rows_of(value: Array) -> Array:
    """Drop the axis of the one sample, for forms that have two axes at most."""
    return np.atleast_2d(value[0] if np.ndim(value) == 3 else value)


def in_rows(between_entries: str, between_rows: str, pattern: str = "%.6f") -> Write:
    def write(value: Array) -> str:
        return between_rows.join(between_entries.join(pattern % number for number in row) for row in rows_of(value))

    return write


def in_single_precision(value: Array) -> object:
    return np.asarray(value, np.float32).tolist()


def rounded_in_single_precision(value: Array) -> object:
    return np.round(np.asarray(value, np.float32), ASKED).tolist()


DIGITS: dict[str, Write] = {f"%.{digits}g": in_digits(digits) for digits in range(3, 10)}
PRINTS: dict[str, Write] = {
    "all digits": lambda value: value.tolist(),
    "JSON": lambda value: json.dumps(value.tolist()),
    "four decimals": in_decimals(4),
    "six decimals": in_decimals(6),
    "nine decimals": in_decimals(9),
    "float32": in_single_precision,
    "float32 rounded": rounded_in_single_precision,
    "str of NumPy": str,
    "repr of NumPy": repr,
    "repr of NumPy in float32": lambda value: repr(np.asarray(value, np.float32)),
    "NumPy scalars in lists": lambda value: str(each(value, np.float64)),
    "tensor": lambda value: f"tensor({each(value, lambda number: round(number, 4))})",
    "unicode minus": lambda value: str(each(value, lambda number: round(number, 6))).replace("-", MINUS),
    "MATLAB rows": in_rows(" ", "; "),
    "comma-separated lines": in_rows(",", "\n"),
    "tab-separated lines": in_rows("\t", "\n"),
    "np.savetxt": in_rows(" ", "\n", "%.18e"),
}
AT_OR_ABOVE_THE_DECIMALS = {**{name: DIGITS[name] for name in DIGITS if name != "%.3g"}, **PRINTS}
BY_HAND = {
    "four decimals on the way": (rounded(4), False),
    "five decimals on the way": (rounded(5), False),
    "six decimals on the way": (rounded(6), False),
    "four decimals, powers of e too": (rounded(4), True),
}
ENCODINGS = [*DIGITS, *PRINTS, *BY_HAND]


@cache
def opened(kind: str, seed: int, *, is_asked: bool) -> tuple[Exercise, Solution]:
    """Draw an exercise; either its decimals are asked for, or none are."""
    exercise = draw_exercise(kind, seed)
    asks = read_asks(exercise.asks, exercise.problem)
    question = Question(problem=exercise.problem, asks=asks, stated=None)
    if is_asked:
        question = Question(problem=exercise.problem, asks=asks, decimals=exercise.decimals, stated=None)
    return exercise, Solution(question)


def hand_in(solution: Solution, answers: dict[str, object], tolerance: Tolerance | None = None) -> Grade:
    read = {name: read_answer(raw) for name, raw in answers.items()}
    return grade_submission(solution, Submission(answers=read, tolerance=tolerance, follow_through=False))


def refused_or_diagnosed(kind: str, seed: int) -> list[str]:
    """Hand the right answer in in every form, and list what is not taken as right, or gets a reason."""
    faults = []
    for is_asked in (True, False):
        exercise, solution = opened(kind, seed, is_asked=is_asked)
        truth = work_on(exercise)
        forms = AT_OR_ABOVE_THE_DECIMALS if is_asked else DIGITS | PRINTS
        written = {form: {name: write(value) for name, value in truth.items()} for form, write in forms.items()}
        for form, (by_hand, powers) in BY_HAND.items():
            work = work_on(exercise, by_hand, powers=powers)
            written[form] = {name: value.tolist() for name, value in work.items()}
        for form, answers in written.items():
            faults += [
                f"{form} ({'asked' if is_asked else 'not asked'}): {part.quantity} is {part.verdict}"
                for part in hand_in(solution, answers).parts
                if part.verdict != "correct" or part.diagnoses or part.convention
            ]
    return faults


def test_there_are_twenty_encodings() -> None:
    assert len(set(ENCODINGS)) >= 20


@pytest.mark.parametrize("seed", FEW_SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_right_answer_is_right_however_it_is_written(kind: str, seed: int) -> None:
    assert refused_or_diagnosed(kind, seed) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_right_answers_of_fifty_seeds_are_right_however_they_are_written(kind: str) -> None:
    assert {seed: faults for seed in MANY_SEEDS if (faults := refused_or_diagnosed(kind, seed))} == {}


def limit_of(part: Part) -> float:
    """Return how far the entries of a part may lie off, at most."""
    assert part.tolerance is not None
    return float(np.max(np.asarray(part.tolerance.allowed)))


def make_wrong(solution: Solution, source: random.Random, pairs: int) -> Iterator[dict[str, Array]]:
    """Make every mistake of the catalogue alone, and pairs of them, in all that is asked."""
    suspects, keys = solution.suspects, solution.question.asks
    choices = [suspect.selection for suspect in suspects.suspects]
    compatible = sorted({pair for key in keys.values() for pair in suspects.pairs(suspects.scenarios, key)})
    choices += source.sample(compatible, min(pairs, len(compatible)))
    for bits in choices:
        yield {name: suspects.scenarios.value(key, bits) for name, key in keys.items()}


def is_wrong(value: Array, truth: Array, limit: float) -> bool:
    return value.shape != truth.shape or bool(np.abs(np.round(value, ASKED) - truth).max() > limit)


def missed(truth: Array, off: float, source: random.Random) -> Array:
    """Put one entry off by so much, to either side."""
    value = np.array(truth, dtype=np.float64)
    value.flat[source.randrange(value.size)] += source.choice((-1.0, 1.0)) * off
    return value


def near_misses(
    exercise: Exercise, solution: Solution, source: random.Random
) -> Iterator[tuple[str, object, Tolerance]]:
    """Put one entry of each quantity just outside of the tolerance: by default, of decimals, and of parts."""
    truth = work_on(exercise)
    names = [name for name in truth if name != "dZ_dW"]
    for tolerance in (Tolerance(decimals=3), Tolerance(decimals=5), Tolerance(relative=1e-2), Tolerance(relative=1e-4)):
        right = hand_in(solution, {name: truth[name].tolist() for name in names}, tolerance)
        for name in names:
            limit = limit_of(next(part for part in right.parts if part.quantity == name))
            yield name, missed(truth[name], 1.01 * limit, source).tolist(), tolerance
    for absolute in (1e-2, 1e-6):
        for name in names:
            yield name, missed(truth[name], 1.001 * absolute, source).tolist(), Tolerance(absolute=absolute)


def accepted(kind: str, seed: int, *, pairs: int) -> tuple[int, list[str]]:
    """Hand wrong answers in, and list what is taken as right."""
    exercise, solution = opened(kind, seed, is_asked=True)
    source = random.Random(f"{kind} {seed}")
    truth = work_on(exercise)
    right = {part.quantity: part for part in hand_in(solution, {n: v.tolist() for n, v in truth.items()}).parts}
    by_hand = {
        part.quantity: part for part in hand_in(solution, {n: in_decimals(4)(v) for n, v in truth.items()}).parts
    }
    limits = {name: max(limit_of(right[name]), limit_of(by_hand[name])) for name in truth}
    count, faults = 0, []
    for wrong in make_wrong(solution, source, pairs):
        if not any(is_wrong(wrong[name], truth[name], limits[name]) for name in truth):
            continue
        count += 1
        if (
            hand_in(solution, {name: np.round(value, ASKED).tolist() for name, value in wrong.items()}).verdict
            == "correct"
        ):
            faults.append(f"{wrong}")
    for name, answer, tolerance in near_misses(exercise, solution, source):
        count += 1
        part = next(part for part in hand_in(solution, {name: answer}, tolerance).parts if part.quantity == name)
        if part.verdict == "correct":
            faults.append(f"{name} {tolerance}")
    return count, faults


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_answer_is_not_accepted(kind: str) -> None:
    with np.errstate(all="ignore"):
        count, faults = accepted(kind, 0, pairs=10)
    assert count > 20
    assert faults == []


@pytest.mark.slow
def test_of_ten_thousand_wrong_answers_none_is_accepted() -> None:
    total, seed = 0, 0
    faults: dict[str, list[str]] = {}
    with np.errstate(all="ignore"):
        while total < 10_000:
            for kind in KINDS:
                count, found = accepted(kind, seed, pairs=20)
                total += count
                faults |= {f"{kind} {seed}": found} if found else {}
            seed += 1
    assert faults == {}
