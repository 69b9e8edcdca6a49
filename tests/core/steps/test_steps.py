"""The table of steps: its order, its templates, and which of it is needed."""

from itertools import product

import pytest

from core.steps import RULES, Structure, fill, steps_of, structure_of
from core.steps.plan import needed_steps
from tests.support.problems import two_layers

STRUCTURES = [
    Structure(biases, has_loss, has_logits)
    for depth in (1, 2, 3)
    for biases in product((True, False), repeat=depth)
    for has_loss, has_logits in ((False, False), (True, False), (True, True))
]
SOURCES = {"X", *(f"{symbol}{number}" for symbol in "Wb" for number in (1, 2, 3))}


DEEP = Structure(biases=(True,) * 40, has_loss=True, has_logits=True)


@pytest.mark.parametrize("structure", [*STRUCTURES, DEEP], ids=str)
def test_every_steps_inputs_come_before_it_and_no_name_twice(structure: Structure) -> None:
    known = SOURCES | {f"{symbol}{number}" for symbol in "Wb" for number in range(1, structure.depth + 1)}
    for step in steps_of(structure):
        assert set(step.inputs) <= known, step
        assert step.output not in known, step
        known.add(step.output)


def test_every_rule_is_used_in_some_structure() -> None:
    assert {step.rule.name for structure in STRUCTURES for step in steps_of(structure)} == set(RULES)


def test_the_table_of_a_small_problem_reads_as_back_propagation() -> None:
    steps = steps_of(structure_of(two_layers()))
    assert [f"{step.output} <- {', '.join(step.inputs)}" for step in steps] == [
        "Z1 <- X, W1, b1",
        "A1 <- Z1",
        "Z2 <- A1, W2",
        "A2 <- Z2",
        "y <- ",
        "divisor <- ",
        "log_of_base <- ",
        "losses <- Z2, A2, y, log_of_base",
        "l2_coefficient <- ",
        "bias_l2_coefficient <- ",
        "weights_penalty <- l2_coefficient, W1, W2",
        "bias_penalty <- bias_l2_coefficient, b1",
        "L <- losses, divisor, weights_penalty, bias_penalty",
        "dL_dA2 <- Z2, A2, y, divisor, log_of_base",
        "dL_dZ2 <- Z2, A2, y, divisor, log_of_base",
        "dL_dW2 <- A1, dL_dZ2, W2, l2_coefficient",
        "dL_dA1 <- dL_dZ2, W2",
        "dL_dZ1 <- dL_dA1, Z1, A1",
        "dL_dW1 <- X, dL_dZ1, W1, l2_coefficient",
        "dL_db1 <- dL_dZ1, b1, bias_l2_coefficient",
        "dL_dX <- dL_dZ1, W1",
    ]


@pytest.mark.parametrize(
    ("template", "layer", "names"),
    [
        ("Z{l}", 2, ["Z2"]),
        ("A{l-1}", 2, ["A1"]),
        ("A{l-1}", 1, ["X"]),
        ("Z{l-1}", 1, ["X"]),
        ("dL_dA{l-1}", 1, ["dL_dX"]),
        ("A{n}", 1, ["A3"]),
        ("b{l}?", 1, ["b1"]),
        ("b{l}?", 2, []),
        ("W{*}", 2, ["W1", "W2", "W3"]),
        ("b{*}?", 2, ["b1", "b3"]),
        ("divisor", 2, ["divisor"]),
    ],
)
def test_templates_are_filled_in(template: str, layer: int, names: list[str]) -> None:
    structure = Structure(biases=(True, False, True), has_loss=True, has_logits=False)
    assert fill(template, layer, structure) == names


@pytest.mark.parametrize(
    ("wanted", "given", "outputs"),
    [
        (["Z1"], [], ["Z1"]),
        (["A1"], [], ["Z1", "A1"]),
        (["A2"], ["A1"], ["Z2", "A2"]),
        (["X", "W1"], [], []),
        (["dL_dZ2"], [], ["Z1", "A1", "Z2", "A2", "y", "divisor", "log_of_base", "dL_dZ2"]),
        (["dL_dZ2"], ["Z2", "A2", "y", "divisor", "log_of_base"], ["dL_dZ2"]),
        (["dL_dA1"], ["dL_dZ2"], ["dL_dA1"]),
        (["dL_dW2"], ["dL_dZ2", "A1"], ["l2_coefficient", "dL_dW2"]),
        (["divisor"], [], ["divisor"]),
    ],
)
def test_only_the_steps_that_are_needed_are_run(wanted: list[str], given: list[str], outputs: list[str]) -> None:
    steps = needed_steps(steps_of(structure_of(two_layers())), wanted, [*SOURCES, *given])
    assert [step.output for step in steps] == outputs
