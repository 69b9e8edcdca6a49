"""Other conventions: no mistake where nobody stated them, the mistake where somebody did."""

from dataclasses import replace

import numpy as np
import pytest

from core.arrays import Array
from core.conventions import L2, Conventions
from core.exercises import draw_exercise
from core.grading import Policy, Tolerance
from core.problem import Network, Problem
from tests.support.students import (
    ONE_SAMPLE,
    SOFTMAX_LAYER,
    hand_in,
    names_in,
    part_of,
    set_question,
    verdicts,
    with_hidden,
    work_out,
)

RELU = with_hidden("relu")
PENALISED = replace(SOFTMAX_LAYER, conventions=Conventions(l2=L2(strength=0.3)))
DIVIDED = L2(strength=0.3, per_sample=True)
LINEAR = replace(
    SOFTMAX_LAYER,
    network=Network(layers=(replace(SOFTMAX_LAYER.network.layers[0], activation="identity"),)),
    targets=np.array([[0.3, -0.2, 0.5], [0.1, 0.8, -0.4], [-0.6, 0.2, 0.9], [0.7, -0.5, 0.2]]),
    loss="squared_error",
)
Switches = dict[str, str | float]


def under(problem: Problem, **changed: object) -> Problem:
    """Change conventions of a problem."""
    return replace(problem, conventions=replace(problem.conventions, **changed))  # type: ignore[arg-type]  # any of them


def relu_gradient(problem: Problem, *, slope_at_zero: float) -> Array:
    """Work out dL/dW1 below a hidden layer of relu."""
    first, last = problem.network.layers
    assert first.bias is not None
    assert last.bias is not None
    z = problem.inputs @ first.weights + first.bias
    assert (z == 0.0).sum() == 1
    exponentials = np.exp(np.maximum(z, 0.0) @ last.weights + last.bias)
    s = exponentials / exponentials.sum(axis=1, keepdims=True)
    back = (s - np.eye(3)[np.asarray(problem.targets)]) / problem.n_samples @ last.weights.T
    return np.asarray(problem.inputs.T @ (back * np.where(z > 0, 1.0, np.where(z == 0, slope_at_zero, 0.0))))


def rows_first() -> Array:
    """Write dZ/dW of the one sample with the weights row by row."""
    return np.hstack([number * np.eye(4) for number in ONE_SAMPLE.inputs[0]])[None]


def linear_gradient(divisor: int) -> Array:
    """Work out dL/dW of the squared error over a divisor."""
    layer = LINEAR.network.layers[0]
    assert layer.bias is not None
    errors = LINEAR.inputs @ layer.weights + layer.bias - np.asarray(LINEAR.targets)
    return np.asarray(LINEAR.inputs.T @ (2.0 * errors) / divisor)


CASES = {
    "sum": (SOFTMAX_LAYER, "dL_dW", work_out(under(SOFTMAX_LAYER, reduction="sum"))["dL_dW1"],
            {"reduction": "sum"}, {"summed_over_batch"}),
    "base 2": (SOFTMAX_LAYER, "dL_dZ", work_out(under(SOFTMAX_LAYER, log_base=2))["dL_dZ1"],
               {"log_base": 2}, {"log_base_2"}),
    "base 10": (SOFTMAX_LAYER, "L", work_out(under(SOFTMAX_LAYER, log_base=10))["L"],
                {"log_base": 10}, {"log_base_10"}),
    "L2 factor": (PENALISED, "dL_dW", work_out(under(PENALISED, l2=L2(strength=0.3, factor=1.0)))["dL_dW1"],
                  {"l2.factor": 1}, {"l2_factor"}),
    "L2 factor of the loss": (PENALISED, "L", work_out(under(PENALISED, l2=L2(strength=0.3, factor=1.0)))["L"],
                              {"l2.factor": 1}, {"l2_factor"}),
    "columns": (ONE_SAMPLE, "dZ_dW", rows_first(), {"column_order": "rows_first"}, {"flattened_rows_first"}),
    "relu": (RELU, "dL_dW1", relu_gradient(RELU, slope_at_zero=1.0), {"relu_at_zero": 1}, {"relu_slope_at_zero"}),
    "relu in the middle": (RELU, "dL_dW1", relu_gradient(RELU, slope_at_zero=0.5),
                           {"relu_at_zero": 0.5}, {"relu_slope_at_zero"}),
    "mean over entries": (LINEAR, "dL_dW", linear_gradient(4 * 3),
                          {"reduction": "mean_over_entries"}, {"averaged_over_all_entries"}),
    "sum of squares": (LINEAR, "dL_dW", linear_gradient(1), {"reduction": "sum"}, {"summed_over_batch"}),
    "L2 per sample": (PENALISED, "dL_dW", work_out(under(PENALISED, l2=DIVIDED))["dL_dW1"],
                      {"l2.per_sample": True}, {"l2_averaged"}),
    "L2 per sample, of the loss": (PENALISED, "L", work_out(under(PENALISED, l2=DIVIDED))["L"],
                                   {"l2.per_sample": True}, {"l2_averaged"}),
    "L2 factor per sample": (PENALISED, "dL_dW",
                             work_out(under(PENALISED, l2=L2(strength=0.3, factor=1.0, per_sample=True)))["dL_dW1"],
                             {"l2.factor": 1, "l2.per_sample": True}, {"l2_factor", "l2_averaged"}),
    "sum in base 2": (SOFTMAX_LAYER, "dL_dW", work_out(under(SOFTMAX_LAYER, reduction="sum", log_base=2))["dL_dW1"],
                      {"reduction": "sum", "log_base": 2}, {"summed_over_batch", "log_base_2"}),
    "sum with L2": (PENALISED, "dL_dW",
                    work_out(under(PENALISED, reduction="sum", l2=L2(strength=0.3, factor=1.0)))["dL_dW1"],
                    {"reduction": "sum", "l2.factor": 1}, {"summed_over_batch", "l2_factor"}),
}  # fmt: skip
each_case = pytest.mark.parametrize(("problem", "key", "answer", "switches", "mistakes"), CASES.values(), ids=CASES)


@each_case
def test_where_it_was_not_stated_it_is_a_convention(
    problem: Problem, key: str, answer: Array, switches: Switches, mistakes: set[str]
) -> None:
    for written in (answer, np.round(answer, 4)):
        grade = hand_in(set_question(problem, key), {key: written})
        part = grade.parts[0]
        assert (part.verdict, part.convention, part.diagnoses) == ("convention_mismatch", switches, ())
        assert (part.score, grade.score, grade.verdict, grade.first_wrong) == (0.5, 0.5, "partly_correct", None)
        assert part.at("hint").convention is None


@each_case
def test_where_it_was_stated_it_is_the_mistake(
    problem: Problem, key: str, answer: Array, switches: Switches, mistakes: set[str]
) -> None:
    # as in every exercise, where all conventions are binding
    for stated in (None, frozenset(switches)):
        grade = hand_in(set_question(problem, key, stated=stated), {key: np.round(answer, 4)})
        part = grade.parts[0]
        assert (part.verdict, part.convention, part.score) == ("incorrect", None, 0.0)
        assert any(set(diagnosis.mistakes) == mistakes for diagnosis in part.diagnoses or ())
        assert grade.first_wrong == key


OTHERS = {
    "sum": (under(LINEAR, reduction="sum"), "dL_dW", linear_gradient(4), "averaged_over_batch"),
    "sum, over entries": (under(LINEAR, reduction="sum"), "dL_dW", linear_gradient(12), "averaged_over_all_entries"),
    "entries, sum": (under(LINEAR, reduction="mean_over_entries"), "dL_dW", linear_gradient(1), "summed_over_batch"),
    "entries": (under(LINEAR, reduction="mean_over_entries"), "dL_dW", linear_gradient(4), "averaged_over_batch"),
    "base 2": (under(SOFTMAX_LAYER, log_base=2), "L", work_out(SOFTMAX_LAYER)["L"], "natural_logarithm"),
    "rows first": (under(ONE_SAMPLE, column_order="rows_first"), "dZ_dW",
                   np.kron(np.eye(4), ONE_SAMPLE.inputs)[None], "flattened_columns_first"),
    "slope 1": (under(RELU, relu_at_zero=1.0), "dL_dW1", relu_gradient(RELU, slope_at_zero=0.0), "relu_slope_at_zero"),
    "slope 1, half": (under(RELU, relu_at_zero=1.0), "dL_dW1", relu_gradient(RELU, slope_at_zero=0.5),
                      "relu_slope_at_zero"),
    "slope ½": (under(RELU, relu_at_zero=0.5), "dL_dW1", relu_gradient(RELU, slope_at_zero=1.0), "relu_slope_at_zero"),
    "L2 factor": (under(PENALISED, l2=L2(strength=0.3, factor=1.0)), "dL_dW", work_out(PENALISED)["dL_dW1"],
                  "l2_factor"),
    "L2 per sample": (under(PENALISED, l2=DIVIDED), "dL_dW", work_out(PENALISED)["dL_dW1"],
                      "l2_not_averaged"),
}  # fmt: skip


@pytest.mark.parametrize(("problem", "key", "answer", "mistake"), OTHERS.values(), ids=OTHERS)
def test_where_another_choice_was_stated_the_default_is_the_mistake(
    problem: Problem, key: str, answer: Array, mistake: str
) -> None:
    stated = frozenset({"reduction", "log_base", "column_order", "relu_at_zero", "l2.factor", "l2.per_sample"})
    for some in (None, stated):
        part = hand_in(set_question(problem, key, stated=some, decimals=4), {key: np.round(answer, 4)}).parts[0]
        assert (part.verdict, part.convention, part.score) == ("incorrect", None, 0.0)
        assert [diagnosis.mistakes for diagnosis in part.diagnoses or ()] == [(mistake,)]


def test_a_mistake_that_is_nearer_than_a_convention_is_named_however_wide_the_tolerance() -> None:
    faint = under(SOFTMAX_LAYER, l2=L2(strength=0.004))
    divided = work_out(under(faint, l2=L2(strength=0.004, per_sample=True)))["dL_dW1"]
    missing, truth = work_out(SOFTMAX_LAYER)["dL_dW1"], work_out(faint)["dL_dW1"]
    wide = Tolerance(absolute=1e-3)
    assert np.abs(missing - divided).max() < 1e-3 < np.abs(missing - truth).max()
    part = hand_in(set_question(faint, "dL_dW"), {"dL_dW": missing}, tolerance=wide).parts[0]
    assert (part.verdict, part.convention, names_in(part)) == ("incorrect", None, {"l2_missing"})
    # of all digits, of five, and off by less than from anything else
    for answer in (divided, np.round(divided, 5), divided + 1e-5):
        part = hand_in(set_question(faint, "dL_dW"), {"dL_dW": answer}, tolerance=wide).parts[0]
        assert (part.verdict, part.convention) == ("convention_mismatch", {"l2.per_sample": True})


def test_a_mean_over_entries_is_no_convention_of_a_cross_entropy() -> None:
    part = hand_in(set_question(SOFTMAX_LAYER, "dL_dW"), {"dL_dW": work_out(SOFTMAX_LAYER)["dL_dW1"] / 3}).parts[0]
    assert (part.verdict, part.convention, names_in(part)) == ("incorrect", None, {"averaged_over_all_entries"})


@pytest.mark.parametrize("stated", ["reduction", "log_base"])
def test_of_two_switches_the_one_that_was_stated_is_the_mistake(stated: str) -> None:
    answer = work_out(under(SOFTMAX_LAYER, reduction="sum", log_base=2), 4)["dL_dW1"]
    part = hand_in(set_question(SOFTMAX_LAYER, "dL_dW", stated=frozenset({stated})), {"dL_dW": answer}).parts[0]
    named, switch = {
        "reduction": ("summed_over_batch", {"log_base": 2}),
        "log_base": ("log_base_2", {"reduction": "sum"}),
    }[stated]
    assert (part.verdict, part.convention) == ("incorrect", switch)
    assert names_in(part) == {named}


def test_a_mistake_under_another_convention_is_both() -> None:
    s, y = work_out(SOFTMAX_LAYER)["S"], np.eye(3)[np.asarray(SOFTMAX_LAYER.targets)]
    answer = np.round(SOFTMAX_LAYER.inputs.T @ (s + y), 4)
    policy = Policy(mistakes={"one_hot_added": 0.6}, convention=0.5)
    part = hand_in(set_question(SOFTMAX_LAYER, "dL_dW"), {"dL_dW": answer}, policy=policy).parts[0]
    assert (part.verdict, part.convention, names_in(part)) == ("incorrect", {"reduction": "sum"}, {"one_hot_added"})
    assert part.score == pytest.approx(0.3)


@pytest.mark.parametrize(("follow_through", "scores"), [(True, [0.5, 1.0, 1.0]), (False, [0.5, 0.5, 0.5])])
def test_a_convention_kept_to_costs_once(*, follow_through: bool, scores: list[float]) -> None:
    answers = work_out(under(SOFTMAX_LAYER, reduction="sum"), 4)
    answers = {"dL_dZ": answers["dL_dZ1"], "dL_dW": answers["dL_dW1"], "dL_db": answers["dL_db1"]}
    grade = hand_in(set_question(SOFTMAX_LAYER, *answers), answers, follow_through=follow_through)
    assert set(verdicts(grade).values()) == {"convention_mismatch"}
    assert [part.score for part in grade.parts] == scores


def test_a_convention_on_top_of_a_slip_is_still_a_convention() -> None:
    s = work_out(SOFTMAX_LAYER, 4)["S"].copy()
    s[1] += [0.0, 0.05, -0.05]
    summed = np.round(s - np.eye(3)[np.asarray(SOFTMAX_LAYER.targets)], 4)
    grade = hand_in(set_question(SOFTMAX_LAYER, "S", "dL_dZ"), {"S": s, "dL_dZ": summed})
    part = part_of(grade, "dL_dZ")
    assert (part.verdict, part.convention, part.score) == ("convention_mismatch", {"reduction": "sum"}, 0.5)
    assert not part.diagnoses
    stated = hand_in(set_question(SOFTMAX_LAYER, "S", "dL_dZ", stated=None), {"S": s, "dL_dZ": summed})
    assert names_in(part_of(stated, "dL_dZ")) == {"summed_over_batch"}


@pytest.mark.parametrize("seed", range(4))
def test_in_an_exercise_the_prompt_states_every_convention(seed: int) -> None:
    exercise = draw_exercise("conventions", seed)
    factor = 1.5 - exercise.problem.conventions.l2.factor
    other = under(exercise.problem, l2=replace(exercise.problem.conventions.l2, factor=factor))
    solution = set_question(exercise.problem, *exercise.asks, stated=None, decimals=exercise.decimals)
    right, wrong = work_out(exercise.problem, 4), work_out(other, 4)
    assert hand_in(solution, {"L": right["L"], "dL_dW": right["dL_dW1"], "dL_db": right["dL_db1"]}).verdict == "correct"
    grade = hand_in(solution, {"L": wrong["L"], "dL_dW": wrong["dL_dW1"], "dL_db": wrong["dL_db1"]})
    assert grade.first_wrong == "L"
    assert "l2_factor" in names_in(part_of(grade, "L"))
