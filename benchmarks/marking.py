"""How long marking one answer takes, in core time: ``python -m benchmarks.marking [--write]``."""

import random
import time
from collections.abc import Mapping
from statistics import median

import numpy as np

from benchmarks.problems import small_problem
from benchmarks.report import build_parser, publish
from benchmarks.students import are_finite, make_mistakes, make_pairs, suspects_of, work_by_hand
from core.answers import read_answer
from core.arrays import Array
from core.grading import Question, Solution, Submission, grade_submission, read_asks
from core.problem import Problem

ROUNDS = 40
ASKS = ("dL_dZ2", "dL_dW2", "dL_db2", "dL_dZ1", "dL_dW1", "dL_db1")


def time_marking(problem: Problem, text: str, answer: Array) -> float:
    """Time one answer, from a problem that nothing has been computed of."""
    ids = read_asks((text,), problem)
    raw = np.round(answer, 4).tolist()
    start = time.perf_counter()
    solution = Solution(Question(problem=problem, asks=ids, decimals=4, stated=None))
    grade_submission(solution, Submission(answers={text: read_answer(raw)}))
    return time.perf_counter() - start


def medians(problem: Problem, answers: Mapping[str, list[Array]]) -> str:
    """Write the medians, in milliseconds, over the answers of each quantity, and over all of them."""
    times = {text: [time_marking(problem, text, value) for value in values] for text, values in answers.items()}
    everything = [one for several in times.values() for one in several]
    return " | ".join(f"{median(several) * 1e3:.2f}" for several in [*times.values(), everything])


def differs(one: Array, other: Array) -> bool:
    """Tell whether two answers differ, in shape or in numbers."""
    return one.shape != other.shape or not np.allclose(one, other)


def main() -> None:
    """Print a table: right answers, single mistakes, pairs, and what nothing explains, pairs searched."""
    parsed = build_parser("benchmarks.marking", __doc__).parse_args()
    problem = small_problem()
    ids = read_asks(ASKS, problem)
    suspects = suspects_of(problem, ids)
    scenarios = suspects.scenarios
    exact = {text: [scenarios.value(key)] * ROUNDS for text, key in ids.items()}
    by_hand = {text: [value] * ROUNDS for text, value in work_by_hand(problem, ids, 4).items()}
    made = [answers for _, answers in make_mistakes(suspects, ids) if are_finite(answers)]
    paired = [answers for _, answers in make_pairs(suspects, ids, random.Random(0), ROUNDS) if are_finite(answers)]
    wrong, doubly_wrong = (
        {text: [answers[text] for answers in several if differs(answers[text], exact[text][0])] for text in ids}
        for several in (made, paired)
    )
    noise = np.random.default_rng(1)
    unexplained = {
        text: [value + noise.uniform(-0.2, 0.2, value.shape) for value in values] for text, values in exact.items()
    }
    lines = [f"| ms | {' | '.join(ASKS)} | all |", f"|---|{'---:|' * (len(ASKS) + 1)}"]
    rows: dict[str, dict[str, list[Array]]] = {
        "right, rounded at the end": exact,
        "right, rounded on the way": by_hand,
        "one mistake": wrong,
        "two mistakes": doubly_wrong,
        "nothing explains it, pairs searched": unexplained,
    }
    for name, several in rows.items():
        lines.append(f"| {name} | {medians(problem, several)} |")
    publish("benchmarks.marking", "\n".join(lines), write=parsed.write)


if __name__ == "__main__":
    main()
