"""Simulated students: honest work by hand, mistakes of the catalogue, pairs of them, and slips."""

import random
from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

from core.arrays import Array
from core.exercises import Exercise
from core.grading import Question, Solution, read_asks
from core.grading.diagnosis.suspects import Suspect, Suspects
from core.jacobians.paths import identity_rows, own_rows, path_between
from core.problem import Problem
from core.quantities import nodes_in
from core.scenarios import Selection, join
from core.steps import RuleContext, sources_of, steps_of, structure_of

Answers = dict[str, Array]


def suspects_of(problem: Problem, ids: Mapping[str, str]) -> Suspects:
    """Return the mistakes that can be made in what is asked."""
    return Solution(Question(problem=problem, asks=ids)).suspects


def keys_of(exercise: Exercise) -> dict[str, str]:
    """Name what an exercise asks: numbered keys under ids."""
    return read_asks(exercise.asks, exercise.problem)


def work_by_hand(problem: Problem, ids: Mapping[str, str], decimals: int) -> Answers:
    """Work a problem out as textbooks do, with every number rounded on the way."""
    values = sources_of(problem)
    for step in steps_of(structure_of(problem)):
        apply = step.rule.from_outputs or step.rule.apply
        value = apply(RuleContext(problem, step.number), *(values[name] for name in step.inputs))
        values[step.output] = value if step.rule.rounding_bound is None else np.round(value, decimals)
    return {
        text: values[key] if key in values else _multiply(problem, key, values, decimals) for text, key in ids.items()
    }


def _multiply(problem: Problem, key: str, values: Mapping[str, Array], decimals: int) -> Array:
    of, by = nodes_in(key)
    rows = identity_rows(problem, of)
    for link in path_between(problem, of, by):
        context = RuleContext(problem, link.step.number)
        rows = np.round(link.local.pull(context, rows, *(values[name] for name in link.inputs)), decimals)
    return own_rows(problem, rows)


def make_mistakes(suspects: Suspects, ids: Mapping[str, str]) -> Iterator[tuple[Suspect, Answers]]:
    """Make each mistake, in each of its variants, in all that is asked; only those that make a difference.

    Some may overflow: see `are_finite`.
    """
    for suspect in suspects.suspects:
        yield from ((suspect, answers) for answers in [_answers(suspects, ids, suspect.selection)] if answers)


def make_pairs(
    suspects: Suspects, ids: Mapping[str, str], source: random.Random, count: int
) -> Iterator[tuple[tuple[Suspect, Suspect], Answers]]:
    """Make pairs of compatible mistakes, drawn by chance; only those in which both make a difference."""
    keys = list(ids.values())
    compatible = {pair for key in keys for pair in suspects.pairs(suspects.scenarios, key)}
    by_selection = {
        join((one.selection, other.selection)): (one, other)
        for one, other in combinations(suspects.suspects, 2)
        if join((one.selection, other.selection)) in compatible
    }
    for selection in source.sample(sorted(by_selection), min(count, len(by_selection))):
        answers = _answers(suspects, ids, selection)
        if answers:
            yield by_selection[selection], answers


def _answers(suspects: Suspects, ids: Mapping[str, str], selection: Selection) -> Answers:
    values = {text: suspects.scenarios.value(key, selection) for text, key in ids.items()}
    truths = {text: suspects.scenarios.value(key) for text, key in ids.items()}
    is_right = all(
        value.shape == truths[text].shape and np.abs(value - truths[text]).max() <= 1e-9
        for text, value in values.items()
    )
    return {} if is_right else values


def are_finite(answers: Answers) -> bool:
    """Tell whether answers are numbers in every entry: NaN and infinity cannot be handed in."""
    return all(np.isfinite(value).all() for value in answers.values())


def slip(answers: Answers, source: random.Random, decimals: int) -> Answers:
    """Make one arithmetic slip in one entry: a sign, two digits, a digit, or the place of the point."""
    # the sign of the only number there is, is no slip: it is the mistake of that name
    text = source.choice([text for text, value in answers.items() if np.count_nonzero(value) > 1])
    value = np.array(answers[text], dtype=np.float64)
    index = source.randrange(value.size)
    before = round(float(value.flat[index]), decimals)
    after = before
    while abs(after - before) < 20 * 10.0**-decimals:
        after = source.choice((_flip, _digit, _swap, _shift, _nudge))(before, source, decimals)
    value.flat[index] = after
    return {**answers, text: value}


def _flip(value: float, source: random.Random, decimals: int) -> float:
    return -value


def _digit(value: float, source: random.Random, decimals: int) -> float:
    place = source.randrange(1, decimals + 1)
    return value + source.choice((-1, 1)) * source.randrange(1, 10) * 10.0**-place


def _swap(value: float, source: random.Random, decimals: int) -> float:
    digits = list(f"{abs(value):.{decimals}f}")
    one, other = source.sample([i for i, c in enumerate(digits) if c.isdigit()], 2)
    digits[one], digits[other] = digits[other], digits[one]
    return float("".join(digits)) * (-1 if value < 0 else 1)


def _shift(value: float, source: random.Random, decimals: int) -> float:
    return value * source.choice((0.1, 10.0))


def _nudge(value: float, source: random.Random, decimals: int) -> float:
    return value + source.uniform(-0.5, 0.5)
