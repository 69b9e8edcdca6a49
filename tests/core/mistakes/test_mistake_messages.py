"""Feedback is true for the problem: its loss, its reduction, its activations, and the quantity that is marked."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np
import pytest

from core.conventions import L2, REDUCTIONS, Conventions
from core.grading.diagnosis.suspects import Suspects
from core.losses import LOSSES
from core.mistakes import EXAMPLE_PROBLEM, MISTAKES
from core.problem import Layer, Network, Problem
from core.quantities import Quantity, to_quantity
from core.scenarios import Scenarios, select
from tests.support.problems import numbered_quantities
from tests.support.students import (
    DECIMALS,
    ONE_SAMPLE,
    SOFTMAX_LAYER,
    TWO_LAYERS,
    hand_in,
    mark,
    set_question,
    work_out,
)

MOST_WORDS = 24
"""The longest sentence that is read once."""


@dataclass(frozen=True, eq=False)
class Case:
    """A problem with a loss, a reduction and a number of layers."""

    problem: Problem
    label: str

    def __str__(self) -> str:
        return self.label


def cases() -> Iterator[Case]:
    """Combine losses, outputs, targets, reductions, depths and penalties."""
    rng = np.random.default_rng(3)
    for loss, reduction, depth, strength in product(LOSSES.values(), REDUCTIONS, (1, 2, 3), (0.0, 0.3)):
        outputs = [loss.output_activation] if loss.output_activation else ["identity", "softmax"]
        for last in outputs if reduction != "mean_over_entries" or loss.mean_over_entries else []:
            widths = (2, *(4, 5)[: depth - 1], 3)
            layers = tuple(
                Layer(
                    weights=rng.uniform(-1.0, 1.0, widths[number : number + 2]),
                    bias=rng.uniform(-1.0, 1.0, widths[number + 1]),
                    activation=last if number == depth - 1 else "relu",
                )
                for number in range(depth)
            )
            for targets in (np.eye(3)[[2, 0, 2, 1]], np.array([2, 0, 2, 1]))[: 1 + (last == "softmax")]:
                problem = Problem(
                    network=Network(layers=layers),
                    inputs=rng.uniform(-1.0, 1.0, (4, 2)),
                    targets=targets,
                    loss=loss.name,
                    conventions=Conventions(reduction=reduction, l2=L2(strength=strength)),
                )
                kind = "labels" if problem.has_labels else "rows"
                yield Case(problem, f"{loss.name}-{last}-{kind}-{reduction}-{depth}-{strength}")


@cache
def messages(case: Case) -> tuple[tuple[str, Quantity, str], ...]:
    """Give the feedback of every mistake on every quantity that it can be handed in for."""
    problem, found = case.problem, []
    suspects = Suspects(problem)
    computed, pairs = numbered_quantities(problem)
    for quantity in [*(Quantity(node) for node in computed), *(Quantity(of, by) for of, by in pairs)]:
        reach = suspects.scenarios.reach(quantity.key)
        names = {s.mistake.name for s in suspects.suspects if s.selection & reach}
        value = suspects.scenarios.value(quantity.key)
        names |= {m.name for m, t in suspects.transforms if t.apply(problem, quantity, value, 1.0) is not None}
        found += [(name, quantity, MISTAKES[name].say(problem, quantity)) for name in sorted(names)]
    return tuple(found)


CASES = list(cases())
each_case = pytest.mark.parametrize("case", CASES, ids=str)


@each_case
def test_feedback_speaks_to_the_student_in_short_sentences(case: Case) -> None:
    for _, _, text in messages(case):
        assert re.match("(You|Your|Every entry of yours) ", text)
        assert text.endswith(".")
        assert all(len(sentence.split()) <= MOST_WORDS for sentence in re.split(r"[.:;] ", text)), text


@each_case
def test_feedback_gives_no_number_of_the_solution(case: Case) -> None:
    for _, _, text in messages(case):
        assert set(re.findall(r"\d[\d.]*\d|\d", re.sub(r"[A-Z]\d", "", text))) <= {"0", "1", "2", "10"}


@each_case
def test_feedback_is_true_for_the_problem(case: Case) -> None:
    problem = case.problem
    has_softmax = problem.network.gives_distribution
    has_logarithm = LOSSES[str(problem.loss)].logarithmic
    forbidden = {
        r"\bmean\b|[^d] divide(s|d)? by (N|the number of e)": problem.conventions.reduction == "sum",
        r"\bS\b|softmax|\bclass(es)?\b": not has_softmax,
        r"probabilit": not (has_softmax or has_logarithm),
        r"one-hot": not problem.has_labels,
        r"label": not problem.has_labels,
        r"−y·ln s|logarithm (has|is)|cross-entropy": not has_logarithm,
        r"\bL2\b": problem.conventions.l2.strength == 0,
        r"there is no square": problem.conventions.l2.strength > 0,
        r"½ in the loss": problem.loss != "half_squared_error",
    }
    for name, quantity, text in messages(case):
        for pattern, is_false in forbidden.items():
            assert not (is_false and re.search(pattern, text)), f"{name} in {quantity.key}: {text}"


@each_case
def test_feedback_speaks_of_the_kind_of_quantity(case: Case) -> None:
    for name, quantity, text in messages(case):
        is_gradient = quantity.of == "L" and quantity.by is not None
        assert is_gradient or not text.startswith("Your gradient"), f"{name} in {quantity.key}"
        assert quantity.key == "L" or not text.startswith("Your loss"), f"{name} in {quantity.key}"
        assert quantity.is_jacobian or "of the Jacobian" not in text


def test_two_mistakes_never_have_the_same_feedback() -> None:
    for key in ("dL_dW2", "L", "dA2_dZ2"):
        said = [mistake.say(EXAMPLE_PROBLEM, to_quantity(key)) for mistake in MISTAKES.values()]
        assert len(set(said)) == len(said)


@pytest.mark.parametrize(
    ("problem", "key", "mistake", "start"),
    [
        (TWO_LAYERS, "dL_dW1", "bias_ignored", "In the forward pass, you left out the bias"),
        (TWO_LAYERS, "L", "softmax_over_batch", "In the forward pass, you normalised"),
        (TWO_LAYERS, "A2", "bias_ignored", "In Z1, you left out the bias"),
        (TWO_LAYERS, "Z1", "bias_ignored", "You left out the bias"),
        (TWO_LAYERS, "dL_dW1", "one_hot_added", "In dL/dZ2, you added the targets"),
        (TWO_LAYERS, "dL_dZ2", "one_hot_added", "You added the targets"),
        (TWO_LAYERS, "dL_dW2", "softmax_jacobian_diagonal", "In dS/dZ2, you kept only the diagonal"),
        (TWO_LAYERS, "dL_dW1", "activation_derivative_dropped", "In dA1/dZ1, you left out the derivative"),
        (SOFTMAX_LAYER, "dL_dW1", "extra_output_derivative", "In dL/dZ, you multiplied"),
        # a factor may be forgotten in any step
        (TWO_LAYERS, "dL_dW1", "summed_over_batch", "You added the samples' gradients"),
        (TWO_LAYERS, "dL_dW1", "label_shifted", "Your labels are off"),
        (TWO_LAYERS, "L", "logarithm_missing", "You left out the logarithm"),
        (ONE_SAMPLE, "dA1_dW1", "softmax_jacobian_no_product", "In dS/dZ, you left out"),
    ],
)
def test_feedback_on_a_mistake_further_up_names_the_step(problem: Problem, key: str, mistake: str, start: str) -> None:
    answer = Scenarios(problem, MISTAKES[mistake].variants).value(key, select(0))
    part = hand_in(set_question(problem, key, stated=None, decimals=DECIMALS), {key: np.round(answer, 6)}).parts[0]
    assert part.diagnoses is not None
    assert part.diagnoses[0].mistakes == (mistake,)
    assert part.diagnoses[0].message.startswith(start)


@pytest.mark.parametrize(
    ("loss", "key", "phrase"),
    [
        ("cross_entropy", "dL_dW1", "no square here"),
        ("half_squared_error", "dL_dW1", "½ in the loss cancels"),
        ("squared_error", "dL_dW1", "counts once"),
        ("squared_error", "L", "Look for a factor 2"),
    ],
)
def test_feedback_on_a_factor_depends_on_the_loss(loss: str, key: str, phrase: str) -> None:
    problem = replace(SOFTMAX_LAYER, loss=loss, targets=np.eye(3)[[2, 0, 2, 1]])
    part = mark(problem, key, np.round(2.0 * Scenarios(problem).value(key), 6))
    assert part.diagnoses is not None
    assert part.diagnoses[0].mistakes == ("factor_two",)
    assert phrase in part.diagnoses[0].message


@pytest.mark.parametrize(("reduction", "phrase"), [("mean", "already divided by N"), ("sum", "do not divide.")])
def test_feedback_on_an_averaged_bias_depends_on_the_reduction(reduction: str, phrase: str) -> None:
    problem = replace(TWO_LAYERS, conventions=Conventions(reduction=reduction))
    right = work_out(problem)
    grade = hand_in(
        set_question(problem, "dL_dW2", "dL_db2", stated=None),
        {"dL_dW2": np.round(right["dL_dW2"], 6), "dL_db2": np.round(right["dL_db2"] / 5.0, 6)},
    )
    diagnoses = grade.parts[1].diagnoses
    assert diagnoses is not None
    assert phrase in " ".join(MISTAKES["bias_averaged"].say(problem, to_quantity("dL_db2")).split())
    assert "bias_averaged" in {name for d in diagnoses for name in (*d.mistakes, *d.equivalent)}
