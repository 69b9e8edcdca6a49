"""How often marking is right, on certified exercises: ``python -m benchmarks.quality [--write] [checks]``."""

import random
from collections import Counter
from collections.abc import Mapping
from itertools import product

import numpy as np

from benchmarks.report import build_parser, publish
from benchmarks.students import Answers, are_finite, keys_of, make_mistakes, make_pairs, slip, work_by_hand
from core.answers import read_answer
from core.arrays import Array
from core.exercises import KINDS, draw_exercise
from core.grading import Grade, Part, Question, Solution, Submission, grade_submission
from core.scenarios import join

Counts = Counter[str]

COUNTED = (
    *("honest work", "mistakes that give numbers", "mistakes not accepted", "mistakes named"),
    *("pairs that give numbers", "pairs named", "slips not explained"),
)


def hand_in(solution: Solution, answers: Answers, decimals: int) -> Grade:
    """Hand answers in, rounded to their decimals."""
    written = {text: read_answer(np.round(value, decimals).tolist()) for text, value in answers.items()}
    return grade_submission(solution, Submission(answers=written))


def first_fault(grade: Grade) -> Part | None:
    """Return the part where it first goes wrong."""
    return next((part for part in grade.parts if part.quantity == grade.first_wrong), None)


def is_named(solution: Solution, part: Part | None, key: str, names: set[str], answer: Array) -> bool:
    """Tell whether a diagnosis is of these mistakes, or of others that give the same numbers."""
    for diagnosis in (part.diagnoses or ()) if part else ():
        classes = [set(diagnosis.mistakes), *(set(text.split("+")) for text in diagnosis.equivalent)]
        if any(found and found <= names for found in classes) or _produces(solution, key, diagnosis.mistakes, answer):
            return True
    return False


def _produces(solution: Solution, key: str, names: tuple[str, ...], answer: Array) -> bool:
    made = [[s.selection for s in solution.suspects.suspects if s.mistake.name == name] for name in names]
    values = (solution.suspects.scenarios.value(key, join(several)) for several in product(*made))
    return any(value.shape == answer.shape and np.allclose(value, answer, rtol=1e-9, atol=1e-12) for value in values)


def check_exercise(kind: str, seed: int, counts: dict[str, Counts], *, pairs: int, slips: int) -> None:
    """Mark every kind of student on one exercise."""
    exercise = draw_exercise(kind, seed)
    ids, decimals = keys_of(exercise), exercise.decimals
    solution = Solution(Question(problem=exercise.problem, asks=ids, decimals=decimals, stated=None))
    source = random.Random(f"{kind} {seed}")
    honest = work_by_hand(exercise.problem, ids, decimals)
    verdict = hand_in(solution, honest, decimals).verdict
    counts["honest work"]["right" if verdict == "correct" else "wrong"] += 1
    for suspect, answers in make_mistakes(solution.suspects, ids):
        counts["mistakes that give numbers"]["right" if are_finite(answers) else "wrong"] += 1
        if not are_finite(answers):
            counts.setdefault("  no numbers: " + suspect.mistake.name, Counter())["wrong"] += 1
            continue
        grade = hand_in(solution, answers, decimals)
        counts["mistakes not accepted"]["right" if grade.verdict != "correct" else "wrong"] += 1
        part = first_fault(grade)
        name = part.quantity if part else ""
        named = part is not None and is_named(solution, part, ids[name], {suspect.mistake.name}, answers[name])
        counts["mistakes named"]["right" if named else "wrong"] += 1
        if not named:
            counts.setdefault("  not named: " + suspect.mistake.name, Counter())["wrong"] += 1
    for (one, other), answers in make_pairs(solution.suspects, ids, source, pairs):
        counts["pairs that give numbers"]["right" if are_finite(answers) else "wrong"] += 1
        if not are_finite(answers):
            continue
        names = {one.mistake.name, other.mistake.name}
        grade = hand_in(solution, answers, decimals)
        # the two may go wrong in different parts
        parts = [part for part in grade.parts if part.diagnoses]
        found = all(is_named(solution, p, ids[p.quantity], names, answers[p.quantity]) for p in parts) and bool(parts)
        counts["pairs named"]["right" if found else "wrong"] += 1
    for _ in range(slips):
        grade = hand_in(solution, slip(honest, source, decimals), decimals)
        explained = any(part.diagnoses for part in grade.parts)
        counts["slips not explained"]["wrong" if explained else "right"] += 1


def write_counts(counts: Mapping[str, Counts]) -> str:
    """Write the counts as a Markdown table."""
    lines = ["| | right | wrong | share |", "|---|---:|---:|---:|"]
    for name, count in counts.items():
        total = count["right"] + count["wrong"]
        lines.append(f"| {name} | {count['right']} | {count['wrong']} | {count['right'] / total:.2%} |")
    return "\n".join(lines)


def main() -> None:
    """Check as many exercises as asked, over all kinds."""
    parser = build_parser("benchmarks.quality", __doc__)
    parser.add_argument("checks", nargs="?", type=int, default=5000, help="how many exercises; by default 5000")
    parsed = parser.parse_args()
    counts: dict[str, Counts] = {name: Counter() for name in COUNTED}
    seed = 0
    while counts["honest work"].total() < parsed.checks:
        for kind in KINDS:
            check_exercise(kind, seed, counts, pairs=5, slips=5) if seed < 20 else check_honest(kind, seed, counts)
        seed += 1
    publish("benchmarks.quality", write_counts(counts), write=parsed.write)


def check_honest(kind: str, seed: int, counts: dict[str, Counts]) -> None:
    """Mark honest work only."""
    exercise = draw_exercise(kind, seed)
    ids = keys_of(exercise)
    solution = Solution(Question(problem=exercise.problem, asks=ids, decimals=exercise.decimals, stated=None))
    verdict = hand_in(solution, work_by_hand(exercise.problem, ids, exercise.decimals), exercise.decimals).verdict
    counts["honest work"]["right" if verdict == "correct" else "wrong"] += 1


if __name__ == "__main__":
    main()
