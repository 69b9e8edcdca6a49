"""Why an answer is wrong: every mistake by its name, alone and in pairs, and no name for a slip."""

import random
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from app.examples import ARTICLE_INPUTS, ARTICLE_TARGET, ARTICLE_WEIGHTS, PRINTED_BY_ARTICLE
from core.arrays import Array
from core.budget import Budget
from core.conventions import L2, Conventions
from core.grading import Part, Solution
from core.grading.precision import find_precision
from core.mistakes import MISTAKES, Mistake
from core.problem import Layer, Network, Problem
from core.quantities import to_quantity
from core.scenarios import Scenarios, select
from tests.support.problems import numbered_quantities
from tests.support.students import (
    DECIMALS,
    ONE_SAMPLE,
    SOFTMAX_LAYER,
    TWO_LAYERS,
    hand_in,
    mark,
    names_in,
    set_question,
    with_hidden,
    work_out,
)

pytestmark = pytest.mark.long

FITTED = {"scaled", "divided_by_constant", "negated_step", "new_weights_given"}
"""A factor is a number of the student's own: several different entries have to speak for it."""

ARTICLE = Problem(
    network=Network(layers=(Layer(weights=np.array(ARTICLE_WEIGHTS), activation="softmax"),)),
    inputs=np.array([ARTICLE_INPUTS]),
    targets=np.array([ARTICLE_TARGET]),
    loss="cross_entropy",
)


PROBLEMS = {
    "softmax layer": SOFTMAX_LAYER,
    "one sample": ONE_SAMPLE,
    "two layers": TWO_LAYERS,
    "relu": with_hidden("relu"),
    "sigmoid": with_hidden("sigmoid"),
    "L2": replace(SOFTMAX_LAYER, conventions=Conventions(l2=L2(strength=0.3), reduction="sum")),
    "L2 with biases": replace(SOFTMAX_LAYER, conventions=Conventions(l2=L2(strength=0.3, biases=True), log_base=2)),
    "square": replace(
        TWO_LAYERS,
        network=Network(
            layers=(
                replace(TWO_LAYERS.network.layers[0], weights=np.array([[0.6, -0.8, 0.4], [-0.5, 0.3, 1.0]]),
                        bias=np.array([0.7, -0.4, 0.3])),
                replace(TWO_LAYERS.network.layers[1], weights=TWO_LAYERS.network.layers[1].weights[:3]),
            )
        ),
    ),
}  # fmt: skip
each_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def keys_of(problem: Problem) -> list[str]:
    """List all that can be handed in for a problem."""
    computed, pairs = numbered_quantities(problem)
    return [*computed, *(f"d{of}_d{by}" for of, by in pairs)]


def made(mistake: Mistake, problem: Problem, key: str, scenarios: Scenarios) -> Iterator[Array]:
    """Make a mistake in each of its ways and transforms, the ones that overflow left out."""
    answers: list[Array | None] = [scenarios.value(key, select(bit)) for bit in range(len(mistake.variants))]
    truth, quantity = scenarios.value(key), to_quantity(key)
    for transform in mistake.transforms:
        answers += [transform.apply(problem, quantity, truth, number) for number in transform.examples]
    yield from (answer for answer in answers if answer is not None and np.isfinite(answer).all())


def is_visible(answer: Array, truth: Array, limits: Array) -> bool:
    """Tell whether an answer differs from the truth by more than rounding moves both, and not in one entry alone."""
    if answer.shape != truth.shape:
        return True
    growth = max(1.0, float(np.abs(answer).max() / np.abs(truth).max()))
    differing = np.abs(answer - truth) > limits + growth * limits.max()
    return int(differing.sum()) >= min(2, truth.size)


def is_telling(name: str, answer: Array) -> bool:
    """Tell whether there are numbers enough to speak for a factor of the student's own."""
    sizes = np.unique(np.round(np.abs(answer[np.abs(answer) > 0.01]), 2))
    return name not in FITTED or sizes.size > 4


@each_problem
def test_every_mistake_is_diagnosed_by_its_name_wherever_it_shows(problem: Problem) -> None:
    for key in keys_of(problem):
        solution = set_question(problem, key, stated=None, decimals=DECIMALS)
        for mistake in [mistake for mistake in MISTAKES.values() if mistake.applies(problem)]:
            scenarios = Scenarios(problem, mistake.variants)
            truth = scenarios.value(key)
            for answer in made(mistake, problem, key, scenarios):
                limits = find_precision(scenarios, key, truth).limits(DECIMALS)
                if is_visible(answer, truth, limits) and is_telling(mistake.name, answer):
                    part = hand_in(solution, {key: np.round(answer, DECIMALS)}).parts[0]
                    assert (part.verdict == "incorrect") == (answer.shape == truth.shape)
                    assert mistake.name in names_in(part), f"{mistake.name} in {key}: {part.diagnoses}"


def classes_in(part: Part) -> list[set[str]]:
    """List the sets of mistakes that a part may be due to."""
    found = part.diagnoses or ()
    return [c for d in found for c in (set(d.mistakes), *(set(text.split("+")) for text in d.equivalent))]


@pytest.mark.parametrize(
    ("problem", "key"),
    [
        (SOFTMAX_LAYER, "dL_dZ1"),
        (SOFTMAX_LAYER, "dL_dW1"),
        (SOFTMAX_LAYER, "dL_db1"),
        (TWO_LAYERS, "dL_dZ2"),
        (TWO_LAYERS, "dL_dW2"),
        (TWO_LAYERS, "dL_dZ1"),
        (TWO_LAYERS, "dL_dW1"),
        (TWO_LAYERS, "dL_db1"),
    ],
)
def test_pairs_of_mistakes_are_diagnosed_as_pairs(problem: Problem, key: str) -> None:
    solution = set_question(problem, key, stated=None, decimals=DECIMALS)
    suspects, scenarios = solution.suspects, solution.suspects.scenarios
    truth = scenarios.value(key)
    pairs = [
        bits
        for bits in suspects.pairs(scenarios, key)
        if np.isfinite(scenarios.value(key, bits)).all()
        and is_visible(scenarios.value(key, bits), truth, find_precision(scenarios, key, truth).limits(DECIMALS))
    ]
    named = []
    for bits in random.Random(key).sample(pairs, 80):
        part = hand_in(solution, {key: np.round(scenarios.value(key, bits), DECIMALS)}).parts[0]
        # one of them may make no difference beside the other
        named.append(any(names and names <= set(suspects.names(bits)) for names in classes_in(part)))
        assert part.verdict != "correct"
    # these numbers are not certified: two pairs may come near to each other
    assert sum(named) >= 0.93 * len(named)


def test_a_factor_or_an_orientation_on_top_is_found() -> None:
    gradient = work_out(TWO_LAYERS)["dL_dW2"]
    decay = replace(TWO_LAYERS, conventions=Conventions(reduction="sum"))
    summed = work_out(decay)["dL_dW2"]
    for answer, names in (
        (gradient.T, {"transposed"}),
        (summed.T, {"summed_over_batch", "transposed"}),
        (0.37 * gradient, {"scaled"}),
        (-0.37 * gradient, {"negated_step"}),
        (TWO_LAYERS.network.layers[1].weights - 0.2 * gradient, {"new_weights_given"}),
    ):
        assert names in classes_in(mark(TWO_LAYERS, "dL_dW2", np.round(answer, 5)))


def slips(answer: Array, source: random.Random) -> Array:
    """Slip in one entry: by a sign, or by a number."""
    index = source.randrange(answer.size)
    slipped = answer.copy()
    slipped.flat[index] = source.choice([-answer.flat[index], answer.flat[index] + source.choice([-0.3, 0.1, 0.02])])
    return slipped


@pytest.mark.parametrize("problem", [SOFTMAX_LAYER, TWO_LAYERS], ids=["softmax layer", "two layers"])
def test_slips_and_noise_get_no_name(problem: Problem) -> None:
    source, rng = random.Random(5), np.random.default_rng(5)
    for key, truth in work_out(problem, DECIMALS).items():
        solution = set_question(problem, key, stated=None, decimals=DECIMALS)
        for _ in range(10):
            noise = np.round(rng.normal(0.0, 0.3, truth.shape), DECIMALS)
            answers = [noise, truth + noise] if truth.ndim else []
            answers += [slips(truth, source)] if np.unique(np.abs(truth)).size > 2 else []
            for answer in answers:
                part = hand_in(solution, {key: answer}).parts[0]
                assert names_in(part) == set()
                assert part.convention is None


@pytest.mark.parametrize("problem", [SOFTMAX_LAYER, TWO_LAYERS], ids=["softmax layer", "two layers"])
def test_a_number_alone_that_is_wrong_is_seldom_explained(problem: Problem) -> None:
    rng = np.random.default_rng(3)
    solution = set_question(problem, "L", stated=None, decimals=DECIMALS)
    guesses = np.round(work_out(problem)["L"] + rng.normal(0.0, 0.5, 200), DECIMALS)
    named = sum(bool(names_in(hand_in(solution, {"L": float(guess)}).parts[0])) for guess in guesses)
    # a number that stands alone hits a mistake, or two, now and then
    assert named <= 0.05 * len(guesses)


def test_the_gradient_that_the_article_prints_is_put_back_by_rows() -> None:
    part = mark(ARTICLE, "dL_dW", PRINTED_BY_ARTICLE)
    assert part.verdict == "incorrect"
    assert part.diagnoses is not None
    assert part.diagnoses[0].mistakes == ("reshaped_rows_first",)
    assert part.score == 0.0


def test_the_row_of_the_article_is_no_gradient_by_the_weights() -> None:
    row = np.ravel(PRINTED_BY_ARTICLE)
    for answer in (row, row[None], work_out(ARTICLE)["dL_dW1"].ravel()):
        part = mark(ARTICLE, "dL_dW", answer)
        assert part.verdict == "wrong_shape"
        assert names_in(part) == {"not_reshaped"}
    assert names_in(mark(ARTICLE, "dL_dW", row[:, None])) == set()


def test_the_largest_class_lists_no_more_than_it_shows() -> None:
    # everything that makes a gradient 0 is one class
    certain = replace(SOFTMAX_LAYER, inputs=np.array([[0.0, 0.0]] * 4))
    part = mark(certain, "dL_dW", [[0.1, -0.1, 0.2], [0.3, 0.1, -0.1]])
    assert part.verdict == "incorrect"
    assert all(len(diagnosis.equivalent) <= 20 for diagnosis in part.diagnoses or ())


def test_a_diagnosis_reads_as_what_it_says() -> None:
    part = mark(TWO_LAYERS, "dL_dW2", np.round(-work_out(TWO_LAYERS)["dL_dW2"].T, 6))
    assert part.diagnoses is not None
    (diagnosis,) = part.diagnoses
    assert diagnosis.mistakes == ("sign_flipped", "transposed")
    messages = [MISTAKES[name].say(TWO_LAYERS, to_quantity("dL_dW2")) for name in diagnosis.mistakes]
    assert diagnosis.message == " ".join(messages)


@pytest.mark.parametrize(
    ("problem", "key", "mistake", "first"),
    [
        # S/N is also −s·sᵀ behind −Y/S, one step before
        (SOFTMAX_LAYER, "dL_dZ1", "softmax_jacobian_no_diagonal", "one_hot_missing"),
        (SOFTMAX_LAYER, "dL_dW1", "softmax_jacobian_no_diagonal", "one_hot_missing"),
        (TWO_LAYERS, "dL_db1", "softmax_jacobian_no_diagonal", "one_hot_missing"),
        # (Z − Y)/N is also what follows from Z for S
        (SOFTMAX_LAYER, "dL_dZ1", "softmax_missing", "logits_for_probabilities"),
        (SOFTMAX_LAYER, "A1", "softmax_missing", "softmax_missing"),
        # db/N is also what follows from a mean, and where all else is divided again
        (TWO_LAYERS, "dL_db1", "bias_averaged", "averaged_twice"),
        # ΣG over everything is 0
        (SOFTMAX_LAYER, "dL_db1", "bias_summed_over_all", "all_zero"),
        (SOFTMAX_LAYER, "dA1_dZ1", "softmax_jacobian_no_diagonal", "softmax_jacobian_no_diagonal"),
    ],
)
def test_of_a_class_the_mistake_nearest_to_the_quantity_speaks(
    problem: Problem, key: str, mistake: str, first: str
) -> None:
    answer = Scenarios(problem, MISTAKES[mistake].variants).value(key, select(0))
    part = hand_in(set_question(problem, key, stated=None, decimals=DECIMALS), {key: np.round(answer, 6)}).parts[0]
    assert part.diagnoses is not None
    (diagnosis,) = part.diagnoses
    assert diagnosis.mistakes == (first,)
    assert mistake in {first, *diagnosis.equivalent}


def test_of_equally_near_mistakes_the_first_in_the_registry_speaks() -> None:
    two_samples = replace(SOFTMAX_LAYER, inputs=SOFTMAX_LAYER.inputs[:2], targets=np.array([2, 0]))
    part = mark(two_samples, "dL_dZ", np.round(2.0 * work_out(two_samples)["dL_dZ1"], 6))
    assert part.diagnoses is not None
    (diagnosis,) = part.diagnoses
    assert (diagnosis.mistakes, diagnosis.equivalent) == (("summed_over_batch",), ("factor_two",))
    assert diagnosis.message.startswith("Several mistakes give these numbers")
    assert diagnosis.message.endswith(MISTAKES["summed_over_batch"].say(two_samples, to_quantity("dL_dZ1")))


@pytest.mark.parametrize(
    ("operations", "single", "pair"),
    [(10_000_000_000, {"summed_over_batch"}, {"one_hot_added", "inputs_missing"}),
     (50_000_000, {"summed_over_batch"}, set()),
     (3_000_000, {"summed_over_batch"}, set())],
)  # fmt: skip
def test_a_search_that_would_take_too_much_is_left_out(operations: int, single: set[str], pair: set[str]) -> None:
    budget = Budget(operations=operations)
    solution = Solution(set_question(SOFTMAX_LAYER, "dL_dW", stated=None).question, budget=budget)
    s, y = work_out(SOFTMAX_LAYER)["S"], np.eye(3)[np.asarray(SOFTMAX_LAYER.targets)]
    for answer, names in (
        (SOFTMAX_LAYER.inputs.T @ (s - y), single),
        (np.tile((s + y).sum(axis=0) / 4.0, (2, 1)), pair),
        (work_out(SOFTMAX_LAYER)["dL_dW1"].T, {"transposed"}),
    ):
        part = hand_in(solution, {"dL_dW": np.round(answer, DECIMALS)}).parts[0]
        assert names_in(part) <= {*names, "+".join(sorted(names))}
        assert {name for diagnosis in part.diagnoses or () for name in diagnosis.mistakes} == names
    grade = hand_in(solution, {"dL_dW": work_out(SOFTMAX_LAYER, DECIMALS)["dL_dW1"]})
    assert (grade.verdict, grade.parts[0].cut) == ("correct", None)


BASE_2 = replace(SOFTMAX_LAYER, conventions=Conventions(log_base=2))
SUM = replace(SOFTMAX_LAYER, conventions=Conventions(reduction="sum"))
FACTORS = [
    (SOFTMAX_LAYER, "dL_dW1", 4.0, "summed_over_batch"),
    (SOFTMAX_LAYER, "dL_dW1", 1 / 4, "averaged_twice"),
    (SOFTMAX_LAYER, "dL_dZ1", 1 / 3, "averaged_over_all_entries"),
    (SOFTMAX_LAYER, "dL_dZ1", 3.0, "multiplied_by_outputs"),
    (SOFTMAX_LAYER, "L", 4.0, "summed_over_batch"),
    (SUM, "dL_db1", 1 / 4, "averaged_over_batch"),
    (SOFTMAX_LAYER, "dL_dW1", 1 / np.log(2), "log_base_2"),
    (SOFTMAX_LAYER, "dL_db1", 1 / np.log(10), "log_base_10"),
    (BASE_2, "dL_dZ1", np.log(2), "natural_logarithm"),
    (TWO_LAYERS, "dL_dW2", 1 / 4, "divided_by_features"),
    (TWO_LAYERS, "dL_dW2", 4.0, "multiplied_by_features"),
    (TWO_LAYERS, "dL_dZ1", 2.0, "factor_two"),
    (TWO_LAYERS, "dL_dZ1", 0.5, "factor_half"),
    (TWO_LAYERS, "Z1", 2.0, "factor_two"),
    (TWO_LAYERS, "dA1_dZ1", 0.5, "factor_half"),
    (TWO_LAYERS, "dL_dW1", 1 / 7, "divided_by_constant"),
    (TWO_LAYERS, "dL_dW1", 7.0, "scaled"),
]  # fmt: skip


@pytest.mark.parametrize("operations", [10_000_000_000, 2_000_000], ids=["whole", "cut"])
@pytest.mark.parametrize(("problem", "key", "factor", "name"), FACTORS, ids=[f"{f[3]}-{f[1]}" for f in FACTORS])
def test_a_factor_that_has_a_name_is_called_by_it(
    problem: Problem, key: str, factor: float, name: str, operations: int
) -> None:
    question = set_question(problem, key, stated=None).question
    solution = Solution(question, budget=Budget(operations=operations))
    truth = Scenarios(problem).value(key)
    # a number of the student's own has no sign beside it
    negative = {"negated_step"} if name in FITTED else {"sign_flipped", name}
    for sign, names in ((1.0, {name}), (-1.0, negative)):
        part = hand_in(solution, {key: np.round(sign * factor * truth, 6)}).parts[0]
        assert names in classes_in(part)
        assert name == "scaled" or "scaled" not in names_in(part)


def test_a_factor_on_top_of_a_mistake_is_called_by_its_name() -> None:
    # the L2 term is left out and the sign is wrong, so that no two mistakes alone explain the answer
    penalised = replace(SOFTMAX_LAYER, conventions=Conventions(l2=L2(strength=0.3)))
    bare = work_out(SOFTMAX_LAYER)["dL_dW1"]
    part = mark(penalised, "dL_dW", np.round(3.0 * bare, 6))
    assert {"l2_missing", "multiplied_by_outputs"} in classes_in(part)
    part = mark(penalised, "dL_dW", np.round(3.7 * bare, 6))
    assert {"l2_missing", "scaled"} in classes_in(part)


@pytest.mark.parametrize(("operations", "cut"), [(10_000_000_000, None), (50_000_000, True), (3_000_000, True)])
def test_a_part_says_that_its_search_was_shortened(operations: int, cut: bool | None) -> None:
    question = set_question(SOFTMAX_LAYER, "dL_dZ", "dL_dW", stated=None).question
    nonsense = [[0.1, 0.7, -0.3], [0.9, 0.2, -0.6]]
    grade = hand_in(Solution(question, budget=Budget(operations=operations)), {"dL_dW": nonsense})
    missing, part = grade.parts
    assert (missing.verdict, missing.cut) == ("missing", None)
    assert (part.verdict, part.cut, part.diagnoses) == ("incorrect", cut, ())
    assert [grade.at(level).parts[1].cut for level in ("hint", "diagnosis")] == [None, cut]
