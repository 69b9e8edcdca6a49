"""How long marking one answer takes, in core time: ``python -m benchmarks.marking``."""

import random
import sys
import time
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np

from benchmarks.students import make_mistakes, make_pairs, work_by_hand
from core.answers import read_answer
from core.arrays import Array
from core.grading import Question, Solution, Submission, grade_submission, read_asks
from core.problem import Layer, Network, Problem

ROUNDS = 40
ASKS = ("dL_dZ2", "dL_dW2", "dL_db2", "dL_dZ1", "dL_dW1", "dL_db1")


def small_problem() -> Problem:
    """Return a 3-5-4 network with tanh and softmax, at four samples."""
    source = np.random.default_rng(0)

    def tenths(*shape: int) -> Array:
        return np.round(source.uniform(-1.0, 1.0, shape), 1)

    layers = (
        Layer(weights=tenths(3, 5), bias=tenths(5), activation="tanh"),
        Layer(weights=tenths(5, 4), bias=tenths(4), activation="softmax"),
    )
    return Problem(
        network=Network(layers=layers),
        inputs=tenths(4, 3),
        targets=np.array([0, 2, 2, 1]),
        loss="cross_entropy",
    )


def time_marking(problem: Problem, text: str, answer: Array) -> float:
    """Time one answer, from a problem that nothing has been computed of."""
    ids = read_asks((text,), problem)
    raw = np.round(answer, 4).tolist()
    start = time.perf_counter()
    solution = Solution(Question(problem=problem, asks=ids, decimals=4, stated=None))
    grade_submission(solution, Submission(answers={text: read_answer(raw)}))
    return time.perf_counter() - start


def medians(problem: Problem, answers: Mapping[str, list[Array]], show: Callable[[float], str]) -> str:
    """Write the medians over the answers of each quantity, and over all of them."""
    times = {text: [time_marking(problem, text, value) for value in values] for text, values in answers.items()}
    everything = [one for several in times.values() for one in several]
    return " | ".join(show(median(several)) for several in [*times.values(), everything])


def differs(one: Array, other: Array) -> bool:
    """Tell whether two answers differ, in shape or in numbers."""
    return one.shape != other.shape or not np.allclose(one, other)


def main() -> None:
    """Print a table: right answers, single mistakes, pairs, and what nothing explains, pairs searched."""
    problem = small_problem()
    ids = read_asks(ASKS, problem)
    suspects = Solution(Question(problem=problem, asks=ids)).suspects
    scenarios = suspects.scenarios
    exact = {text: [scenarios.value(key)] * ROUNDS for text, key in ids.items()}
    by_hand = {text: [value] * ROUNDS for text, value in work_by_hand(problem, ids, 4).items()}
    made = [answers for _, answers in make_mistakes(suspects, ids)]
    paired = [answers for _, answers in make_pairs(suspects, ids, random.Random(0), ROUNDS)]
    wrong, doubly_wrong = (
        {text: [answers[text] for answers in several if differs(answers[text], exact[text][0])] for text in ids}
        for several in (made, paired)
    )
    noise = np.random.default_rng(1)
    unexplained = {
        text: [value + noise.uniform(-0.2, 0.2, value.shape) for value in values] for text, values in exact.items()
    }
    sys.stdout.write(f"| ms | {' | '.join(ASKS)} | all |\n|---|{'---:|' * (len(ASKS) + 1)}\n")
    rows: dict[str, dict[str, list[Array]]] = {
        "right, rounded at the end": exact,
        "right, rounded on the way": by_hand,
        "one mistake": wrong,
        "two mistakes": doubly_wrong,
        "nothing explains it, pairs searched": unexplained,
    }
    for name, several in rows.items():
        sys.stdout.write(f"| {name} | {medians(problem, several, lambda seconds: f'{seconds * 1e3:.2f}')} |\n")


if __name__ == "__main__":
    main()
