"""The grammar of quantity ids: what is read, what is refused and how components are labelled."""

import numpy as np
import pytest

from core.arrays import Array
from core.errors import CoreError, DomainError, UnknownNameError
from core.jacobians.labels import labels
from core.nodes import NODES, NodeSymbol, n_components, position, shape_of, split_node, symbol_of
from core.problem import Layer, Network, Problem
from core.quantities import (
    Quantity,
    is_quantity_template,
    parse_quantities,
    parse_quantity,
    public_name,
    title_of,
    to_quantity,
)
from core.steps import evaluate, sources_of, steps_of, structure_of
from tests.support.problems import numbered_quantities, random_problem


def network_of(*widths: int, last: str = "softmax", biases: bool = True, loss: bool = True) -> Problem:
    """Build a problem of these widths: tanh below, zeros throughout."""
    names = ["tanh"] * (len(widths) - 2) + [last]
    layers = tuple(
        Layer(weights=np.zeros((n_in, n_out)), bias=np.zeros(n_out) if biases else None, activation=name)
        for n_in, n_out, name in zip(widths, widths[1:], names, strict=False)
    )
    targets: Array | None = np.full((2, widths[-1]), 1.0 / widths[-1]) if loss else None
    return Problem(
        network=Network(layers=layers),
        inputs=np.zeros((2, widths[0])),
        targets=targets,
        loss="squared_error" if loss else None,
    )


@pytest.mark.parametrize("seed", range(60))
def test_every_quantity_of_a_network_is_read_back_from_its_public_name(seed: int) -> None:
    problem = random_problem(seed)
    computed, pairs = numbered_quantities(problem)
    for quantity in [Quantity(node) for node in computed] + [Quantity(of, by) for of, by in pairs]:
        name = public_name(quantity.key, problem)
        assert parse_quantity(name, problem) == quantity
        assert parse_quantity(quantity.key, problem) == quantity


@pytest.mark.parametrize("seed", range(30))
def test_every_node_has_the_shape_that_is_computed(seed: int) -> None:
    problem = random_problem(seed)
    computed, _ = numbered_quantities(problem)
    for node in computed:
        assert shape_of(node, problem) == evaluate(problem, [node])[node].shape
    for by in ("X", "W1"):
        assert shape_of(by, problem) == evaluate(problem, [f"dL_d{by}"])[f"dL_d{by}"].shape


@pytest.mark.parametrize("seed", range(30))
def test_a_step_takes_nodes_that_stand_before_it_only(seed: int) -> None:
    problem = random_problem(seed)
    sources = sources_of(problem)
    for step in steps_of(structure_of(problem)):
        if is_quantity_template(step.rule.output) and to_quantity(step.output).by is None:
            nodes = [name for name in step.inputs if name in sources or is_quantity_template(name)]
            assert all(position(name) < position(step.output) for name in nodes), step
    for name in sources:
        assert not symbol_of(name).is_computed


@pytest.mark.parametrize("symbol", NODES.values(), ids=lambda symbol: symbol.name)
def test_what_a_symbol_says_of_its_nodes_is_so(symbol: NodeSymbol) -> None:
    problem = network_of(2, 4, 3)
    if symbol.stands_for:
        node = parse_quantity(symbol.name, problem).of
        assert (split_node(node)[0], public_name(node, problem)) == (NODES[symbol.stands_for], symbol.name)
    else:
        node = f"{symbol.name}1" if symbol.is_numbered else symbol.name
        assert split_node(node)[0] is symbol
    assert title_of(Quantity(node), problem).startswith(symbol.title)
    by_sample, shape = symbol.shape_in_sample((2, 4, 3), 2), symbol.shape((2, 4, 3), 2, 5)
    assert shape == ((5, *by_sample) if symbol.has_samples else by_sample)
    assert symbol.is_stacked == (len(by_sample) == 2)
    if symbol.is_parameter:
        name = f"{symbol.name}1"
        np.testing.assert_array_equal(
            sources_of(problem)[name], getattr(problem.network.layers[0], symbol.parameter or "")
        )
        assert symbol.l2_coefficient in next(
            s.inputs for s in steps_of(structure_of(problem)) if s.output == f"dL_d{name}"
        )


@pytest.mark.parametrize("seed", range(30))
def test_no_derivative_by_something_downstream_is_read(seed: int) -> None:
    problem = random_problem(seed)
    computed, pairs = numbered_quantities(problem)
    nodes = sorted({by for _, by in pairs})
    for of in computed:
        for by in set(nodes) - {by for other, by in pairs if other == of}:
            with pytest.raises(DomainError, match="is not upstream of"):
                parse_quantity(f"d{of}_d{by}", problem)


@pytest.mark.parametrize(
    ("text", "problem", "key", "name"),
    [
        ("Z", network_of(2, 3), "Z1", "Z"),
        ("Z1", network_of(2, 3), "Z1", "Z"),
        ("S", network_of(2, 3), "A1", "S"),
        ("A", network_of(2, 3), "A1", "S"),
        ("A", network_of(2, 3, last="tanh"), "A1", "A"),
        ("L", network_of(2, 3), "L", "L"),
        ("dL_dW", network_of(2, 3), "dL_dW1", "dL_dW"),
        ("dL_db1", network_of(2, 3), "dL_db1", "dL_db"),
        ("dS_dX", network_of(2, 3), "dA1_dX", "dS_dX"),
        ("Z", network_of(2, 4, 3), "Z2", "Z2"),
        ("A1", network_of(2, 4, 3), "A1", "A1"),
        ("A2", network_of(2, 4, 3), "A2", "S"),
        ("dL_dS", network_of(2, 4, 3), "dL_dA2", "dL_dS"),
        ("dZ_dA1", network_of(2, 4, 3), "dZ2_dA1", "dZ2_dA1"),
        ("dA_dX", network_of(2, 4, 3, last="tanh"), "dA2_dX", "dA2_dX"),
        ("dL_dX", network_of(2, 4, 3), "dL_dX", "dL_dX"),
    ],
)
def test_an_id_has_one_numbered_and_one_public_name(text: str, problem: Problem, key: str, name: str) -> None:
    quantity = parse_quantity(text, problem)
    assert (quantity.key, public_name(quantity.key, problem)) == (key, name)


NOT_AN_ID = "this is not a quantity id"


@pytest.mark.parametrize(
    ("text", "problem", "error", "message"),
    [
        ("", network_of(2, 3), UnknownNameError, NOT_AN_ID),
        ("Q", network_of(2, 3), UnknownNameError, NOT_AN_ID),
        ("z", network_of(2, 3), UnknownNameError, NOT_AN_ID),
        ("Z0", network_of(2, 3), UnknownNameError, NOT_AN_ID),
        ("Z01", network_of(2, 3), UnknownNameError, NOT_AN_ID),
        ("Z1\n", network_of(2, 3), UnknownNameError, NOT_AN_ID),
        ("Z٣", network_of(2, 3), UnknownNameError, NOT_AN_ID),
        ("Z1000000", network_of(2, 3), UnknownNameError, NOT_AN_ID),
        ("X", network_of(2, 3), UnknownNameError, NOT_AN_ID),
        ("W1", network_of(2, 3), UnknownNameError, NOT_AN_ID),
        ("dW_dX", network_of(2, 3), UnknownNameError, NOT_AN_ID),
        ("dX_dX", network_of(2, 3), UnknownNameError, NOT_AN_ID),
        ("dZ_dL", network_of(2, 3), UnknownNameError, NOT_AN_ID),
        ("dLdW", network_of(2, 3), UnknownNameError, NOT_AN_ID),
        ("dL_dW_dX", network_of(2, 3), UnknownNameError, NOT_AN_ID),
        (" dL_dW", network_of(2, 3), UnknownNameError, NOT_AN_ID),
        ("Z2", network_of(2, 3), UnknownNameError, "found layer 2, the network has 1"),
        ("dL_dW3", network_of(2, 4, 3), UnknownNameError, "found layer 3, the network has 2"),
        ("S1", network_of(2, 3), UnknownNameError, "S takes no layer number"),
        ("L1", network_of(2, 3), UnknownNameError, "L takes no layer number"),
        ("dL_dX1", network_of(2, 3), UnknownNameError, "X takes no layer number"),
        ("S", network_of(2, 3, last="tanh"), UnknownNameError, "the network has no S: its last activation is tanh"),
        ("dL_dS", network_of(2, 4, 3, last="tanh"), UnknownNameError, "its outputs are A2"),
        ("L", network_of(2, 3, loss=False), UnknownNameError, "the problem has no L: it needs targets and loss"),
        ("dL_dW", network_of(2, 3, loss=False), UnknownNameError, "the problem has no L"),
        ("dL_db", network_of(2, 3, biases=False), UnknownNameError, "the network has no b1: layer 1 has no bias"),
        ("dZ_dZ", network_of(2, 3), DomainError, "Z is not upstream of Z"),
        ("dZ_dS", network_of(2, 3), DomainError, "S is not upstream of Z"),
        ("dS_dA", network_of(2, 3), DomainError, "S is not upstream of S"),
        ("dZ1_dW2", network_of(2, 4, 3), DomainError, "W2 is not upstream of Z1"),
        ("dA1_db2", network_of(2, 4, 3), DomainError, "b2 is not upstream of A1"),
        ("dZ1_dA1", network_of(2, 4, 3), DomainError, "A1 is not upstream of Z1"),
    ],
)
def test_a_bad_id_is_refused_where_it_stands(text: str, problem: Problem, error: type[CoreError], message: str) -> None:
    with pytest.raises(error) as caught:
        parse_quantity(text, problem, path=("asks", 3))
    assert type(caught.value) is error
    assert message in str(caught.value)
    assert caught.value.path == ("asks", 3)


def test_ids_asked_together_keep_their_spellings_and_order() -> None:
    found = parse_quantities(["dL_dW", "Z1", "S"], network_of(2, 4, 3), path=("asks",))
    assert {text: quantity.key for text, quantity in found.items()} == {"dL_dW": "dL_dW2", "Z1": "Z1", "S": "A2"}
    assert list(found) == ["dL_dW", "Z1", "S"]


@pytest.mark.parametrize(("first", "second"), [("Z", "Z"), ("S", "A2"), ("dL_dW2", "dL_dW"), ("dS_dZ", "dA2_dZ2")])
def test_two_spellings_of_one_quantity_are_refused(first: str, second: str) -> None:
    with pytest.raises(DomainError, match="is asked for twice; name each quantity once") as caught:
        parse_quantities(["L", first, second], network_of(2, 4, 3), path=("asks",))
    assert caught.value.path == ("asks", 2)


@pytest.mark.parametrize(
    ("node", "problem", "expected"),
    [
        ("A1", network_of(2, 3), ("S1", "S2", "S3")),
        ("A1", network_of(2, 3, last="tanh"), ("A1", "A2", "A3")),
        ("Z1", network_of(2, 3), ("Z1", "Z2", "Z3")),
        ("X", network_of(2, 3), ("X1", "X2")),
        ("b1", network_of(2, 3), ("b1", "b2", "b3")),
        ("W1", network_of(3, 2), ("W11", "W21", "W31", "W12", "W22", "W32")),
        ("W2", network_of(3, 2, 2), ("W2[1,1]", "W2[2,1]", "W2[1,2]", "W2[2,2]")),
        ("Z2", network_of(2, 1, 3), ("Z2[1]", "Z2[2]", "Z2[3]")),
        ("A1", network_of(2, 2, 3), ("A1[1]", "A1[2]")),
        ("A2", network_of(2, 2, 3), ("S1", "S2", "S3")),
        ("X", network_of(2, 2, 3), ("X1", "X2")),
        ("W1", network_of(10, 1), tuple(f"W[{i},1]" for i in range(1, 11))),
        ("A1", network_of(2, 10), tuple(f"S[{i}]" for i in range(1, 11))),
        ("Z1", network_of(10, 2), ("Z1", "Z2")),
    ],
)
def test_components_are_labelled_from_one(node: str, problem: Problem, expected: tuple[str, ...]) -> None:
    assert labels(node, problem) == expected
    assert n_components(node, problem) == len(expected)


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ("Z{l}", True),
        ("A{l-1}", True),
        ("dL_dA{n}", True),
        ("dL_dW{l}", True),
        ("L", True),
        ("losses", False),
        ("divisor", False),
        ("bias_l2_coefficient", False),
        ("weights_penalty", False),
    ],
)
def test_names_of_the_table_are_told_from_intermediates(template: str, *, named: bool) -> None:
    assert is_quantity_template(template) is named


def test_two_figures_of_an_index_are_kept_apart() -> None:
    found = labels("W1", network_of(12, 2))
    assert (found[10], found[12], found[-1]) == ("W[11,1]", "W[1,2]", "W[12,2]")
