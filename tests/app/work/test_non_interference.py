"""A reply below the level full tells of a problem's numbers what verdicts, scores and diagnoses tell, and no more.

Two problems of one form, one submission: where these are the same, the bytes of the replies are the same. Below the
level diagnosis, verdicts and scores are enough; at the level location, which entries are right is part of it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.access.admission import Access, Caller
from app.access.rights import AuthorisedGrader
from app.schemas.grade_bodies import GradeLineBody, MarkedProblemBody, PolicyBody
from app.settings import Settings
from app.wire.writing import encode
from core.arrays import Array
from core.budget import Budget
from core.conventions import L2, Conventions
from core.errors import NonFiniteError
from core.grading import LEVELS, Grade, Tolerance
from core.mistakes import MISTAKES
from core.problem import Network, Problem
from core.scenarios import Scenarios, select
from tests.support.students import ONE_SAMPLE, SOFTMAX_LAYER, TWO_LAYERS

GRADER = Caller(scopes=frozenset({"grade"}), tokens=Access(Settings.model_construct()).tokens)

FORMS = (
    (SOFTMAX_LAYER, ("Z1", "A1", "L", "dL_dZ1", "dL_dW1", "dL_db1")),
    (replace(SOFTMAX_LAYER, conventions=Conventions(reduction="sum", l2=L2(strength=0.3))), ("L", "dL_dW1", "dL_db1")),
    (ONE_SAMPLE, ("A1", "dA1_dZ1", "dL_dA1", "dZ1_dW1", "dL_dW1")),
    (TWO_LAYERS, ("A1", "A2", "dL_dZ2", "dL_dW2", "dL_dW1")),
)
TOLERANCES = (
    None,
    None,
    Tolerance(decimals=2),
    Tolerance(decimals=5),
    Tolerance(relative=1e-4),
    Tolerance(relative=1e-9, absolute=1e-3),
    Tolerance(absolute=0.5),
)
POLICIES = (None, None, PolicyBody(once=True), PolicyBody(follow_through=0.5, mistakes={"sign_flipped": 0.5}))
SCALES = (1.0, 1.0, 0.3, 0.03, 1e-3, 10.0)


def draw_problem(source: np.random.Generator, form: Problem) -> Problem:
    """Draw other numbers for a problem, large or small ones."""
    layers = tuple(
        replace(
            layer,
            weights=np.round(source.normal(size=layer.weights.shape), 2) * source.choice(SCALES),
            bias=np.round(source.normal(size=layer.n_out), 2) * source.choice(SCALES),
        )
        for layer in form.network.layers
    )
    inputs = np.round(source.normal(size=form.inputs.shape), 2) * source.choice(SCALES)
    return replace(form, network=Network(layers=layers), inputs=inputs)


def nudge(source: np.random.Generator, problem: Problem) -> Problem:
    """Change a problem's numbers by a little, so that most answers are as right or as wrong as before."""
    inputs = problem.inputs * (1.0 + 10.0 ** source.uniform(-9, -5) * source.normal(size=problem.inputs.shape))
    return replace(problem, inputs=inputs)


def draw_answer(source: np.random.Generator, problem: Problem, key: str) -> object:
    """Draw what a student may hand in for a quantity: right, mistaken, careless, or nothing that was computed."""
    mistake = source.choice(list(MISTAKES))
    ways = MISTAKES[mistake].variants if MISTAKES[mistake].applies(problem) else ()
    truth: Array = Scenarios(problem).value(key)
    decimals = int(source.choice([2, 3, 4, 4, 6, 9]))
    match int(source.integers(9)):
        case 0 | 1:
            value = truth
        case 2 | 3 if ways:
            value = Scenarios(problem, ways[:1]).value(key, select(0))
        case 4:
            value = truth + source.choice([0.0, 0.05, 3e-3], size=truth.shape)
        case 5:
            value = truth * source.choice([-1.0, 0.0, 0.5, 2.0, 1.02])
        case 6:
            value = np.full(truth.shape, source.choice([0.0, 0.01, 0.25, 1.0 / 3.0]))
        case 7:
            return source.choice(["[1, x]", "nan", "", "[[1 2] [3]]"])
        case _:
            value = source.normal(size=truth.shape) * source.choice(SCALES)
    return np.round(value, decimals).tolist()


def to_body(problem: Problem) -> MarkedProblemBody:
    fields = ("network", "inputs", "targets", "loss", "conventions")
    return MarkedProblemBody(**{name: getattr(problem, name) for name in fields})


def grade_at(
    level: str, problem: Problem, answers: Mapping[str, object], tolerance: Tolerance | None, policy: PolicyBody | None
) -> Grade:
    caller = replace(GRADER, scopes=GRADER.scopes | {"author"}) if level == "full" else GRADER
    submission = GradeLineBody(
        problem=to_body(problem),
        answers=answers,
        tolerance=tolerance,  # type: ignore[arg-type]  # as above
        feedback=level,
        policy=policy,
    )
    return AuthorisedGrader(caller, budget=Budget()).grade(submission)


def told(grade: Grade, level: str) -> Any:
    """Return what is allowed to tell two problems apart at a level."""
    return grade.score, [
        (
            part.verdict,
            part.score,
            part.diagnoses,
            part.convention,
            None if part.entries is None else part.entries.tolist(),
        )
        for part in grade.at(level).parts
    ]


def compare_pairs(count: int, seed: int) -> dict[str, int]:
    """Compare replies on pairs of problems until so many were the same in what may differ; count the verdicts seen."""
    source = np.random.default_rng(seed)
    compared, seen = 0, dict.fromkeys(("correct", "diagnosed", "hinted", "other problems", "other diagnoses"), 0)
    for _ in range(20 * count):
        form, keys = FORMS[source.integers(len(FORMS))]
        one = draw_problem(source, form)
        is_near = source.random() < 0.5
        other = nudge(source, one) if is_near else draw_problem(source, form)
        chosen = source.choice(keys, size=int(source.integers(1, 3)), replace=False)
        tolerance = TOLERANCES[source.integers(len(TOLERANCES))]
        policy = POLICIES[source.integers(len(POLICIES))]
        try:
            answers = {str(key): draw_answer(source, one, str(key)) for key in chosen}
            both = [grade_at("location", problem, answers, tolerance, policy) for problem in (one, other)]
        except NonFiniteError:
            continue
        levels = [level for level in LEVELS[:4] if told(both[0], level) == told(both[1], level)]
        for level in levels:
            first, second = (encode(grade.at(level)) for grade in both)
            assert first == second, (level, one, other, answers, tolerance, policy)
        seen["other diagnoses"] += "hint" in levels and "diagnosis" not in levels
        if "diagnosis" not in levels:
            continue
        compared += 1
        # a level that is asked for is what is left of a fuller one
        assert encode(grade_at(levels[compared % len(levels)], one, answers, tolerance, policy)) == encode(
            both[0].at(levels[compared % len(levels)])
        )
        seen["correct"] += both[0].verdict == "correct"
        seen["diagnosed"] += any(part.diagnoses for part in both[0].parts)
        seen["hinted"] += any(part.hints for part in both[0].parts)
        seen["other problems"] += not is_near
        if compared == count:
            return seen
    raise AssertionError(f"{compared} pairs in which the same is told")


def test_replies_on_200_pairs_of_problems_tell_no_more_than_verdicts_scores_and_diagnoses() -> None:
    seen = compare_pairs(200, seed=0)
    assert all(number > 10 for number in seen.values()), seen


@pytest.mark.slow
def test_replies_on_2000_pairs_of_problems_tell_no_more_than_verdicts_scores_and_diagnoses() -> None:
    seen = compare_pairs(2000, seed=1)
    assert all(number > 150 for number in seen.values()), seen
