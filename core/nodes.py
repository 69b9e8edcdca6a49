"""Nodes: what a network's table computes and starts from, one symbol for each kind of them.

Every node of a network carries its layer's number: ``"Z2"``, ``"W1"``, and ``"A2"`` for the outputs, softmax or
not. X, S and L have none. Whoever has to know something about a node reads it from its symbol's entry in `NODES`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.arrays import Array
from core.problem import Network, Problem
from core.registry import Registry


def _never(problem: Problem, layer: int) -> None:
    """Find nothing that a problem lacks."""


def _batch_shape(widths: Sequence[int], layer: int, n_samples: int) -> tuple[int, ...]:
    return (n_samples, widths[layer])


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSymbol:
    """One kind of node of a network.

    Parameters
    ----------
    name : str
        Its letter.
    title : str
        What students call it.
    shape : callable
        ``shape(widths, layer, n_samples)``: the shape of a node, where layer l has ``widths[l]`` outputs and
        ``widths[l - 1]`` inputs.
    offset : float
        Where it stands in its layer: a node is computed from nodes of smaller ``3 · layer + offset`` only.
    is_computed : bool
        Whether a step computes it, so that it can be asked for and differentiated.
    is_numbered : bool
        Whether each layer has one.
    has_samples : bool
        Whether its first axis is the samples.
    parameter : str or None
        The field of `Layer` that it is, for a parameter.
    l2_coefficient : str or None
        What in the table of steps its penalty is multiplied by, for a parameter.
    is_stacked : bool
        Whether it has two axes besides samples: the columns of a Jacobian by it follow `column_order`.
    stands_for : str or None
        The symbol of which it is the name in the output layer, where outputs are a distribution.
    find_lack : callable
        ``find_lack(problem, layer)`` says why the problem has no such node; None if it has.
    """

    name: str
    title: str
    shape: Callable[[Sequence[int], int, int], tuple[int, ...]] = _batch_shape
    offset: float = 0.0
    is_computed: bool = False
    is_numbered: bool = False
    has_samples: bool = True
    parameter: str | None = None
    l2_coefficient: str | None = None
    is_stacked: bool = False
    stands_for: str | None = None
    find_lack: Callable[[Problem, int], str | None] = _never

    @property
    def is_parameter(self) -> bool:
        """Whether it is a layer's weights or bias."""
        return self.parameter is not None

    def shape_in_sample(self, widths: Sequence[int], layer: int) -> tuple[int, ...]:
        """Return the shape of a node without the samples' axis."""
        shape = self.shape(widths, layer, 1)
        return shape[1:] if self.has_samples else shape


def _lacks_bias(problem: Problem, layer: int) -> str | None:
    if problem.network.layers[layer - 1].bias is not None:
        return None
    return f"the network has no b{layer}: layer {layer} has no bias"


def _lacks_probabilities(problem: Problem, layer: int) -> str | None:
    network = problem.network
    if network.gives_distribution:
        return None
    return (
        f"the network has no S: its last activation is {network.output_activation}, "
        f"and S stands for softmax probabilities; its outputs are {output_node(network)}"
    )


def _lacks_loss(problem: Problem, layer: int) -> str | None:
    return None if problem.loss else "the problem has no L: it needs targets and loss for that"


NODES: Registry[NodeSymbol] = Registry(
    "node symbol",
    NodeSymbol(name="X", title="inputs"),
    NodeSymbol(
        name="W",
        title="weights",
        shape=lambda widths, layer, n_samples: (widths[layer - 1], widths[layer]),
        offset=-2.0,
        is_numbered=True,
        has_samples=False,
        parameter="weights",
        l2_coefficient="l2_coefficient",
        is_stacked=True,
    ),
    NodeSymbol(
        name="b",
        title="biases",
        shape=lambda widths, layer, n_samples: (widths[layer],),
        offset=-2.0,
        is_numbered=True,
        has_samples=False,
        parameter="bias",
        l2_coefficient="bias_l2_coefficient",
        find_lack=_lacks_bias,
    ),
    NodeSymbol(name="Z", title="pre-activations", offset=-1.0, is_computed=True, is_numbered=True),
    NodeSymbol(name="A", title="activations", is_computed=True, is_numbered=True),
    NodeSymbol(name="S", title="probabilities", is_computed=True, stands_for="A", find_lack=_lacks_probabilities),
    NodeSymbol(
        name="L",
        title="loss",
        shape=lambda widths, layer, n_samples: (),
        offset=math.inf,
        is_computed=True,
        has_samples=False,
        find_lack=_lacks_loss,
    ),
)

# looked up for every node of every quantity: a plain dict takes half as long
_BY_LETTER = dict(NODES)
_PARAMETER_FIELDS = [(entry.name, entry.parameter) for entry in NODES.values() if entry.parameter]


def position(node: str) -> float:
    """Return where a node stands in the forward pass: a node is computed from smaller positions only.

    Parameters
    ----------
    node : str
        A numbered node.

    Returns
    -------
    float
    """
    symbol, layer = split_node(node)
    # X, then W1 and b1, Z1, A1, then W2 and b2, Z2, A2, and so on; L comes last
    return 3 * layer + symbol.offset


def symbol_of(node: str) -> NodeSymbol:
    """Return the symbol of a numbered node."""
    return _BY_LETTER[node[0]]


def split_node(node: str) -> tuple[NodeSymbol, int]:
    """Return a numbered node's symbol and layer; what has no number counts as layer 0.

    Parameters
    ----------
    node : str

    Returns
    -------
    tuple of NodeSymbol and int
    """
    return _BY_LETTER[node[0]], int(node[1:] or 0)


def activations_node(layer: int) -> str:
    """Return the numbered node of a layer's activations: ``"A1"``."""
    return f"A{layer}"


def output_node(network: Network) -> str:
    """Return the numbered node of a network's outputs: ``"A2"``."""
    return activations_node(network.depth)


def logits_node(network: Network) -> str:
    """Return the numbered node of the output layer's pre-activations: ``"Z2"``."""
    return f"Z{network.depth}"


def parameters_of(network: Network) -> dict[str, Array]:
    """Return a network's parameters, layer by layer.

    Parameters
    ----------
    network : Network

    Returns
    -------
    dict of str to ndarray
        By numbered names: ``"W1"``, ``"b1"``; no ``"b1"`` where layer 1 has no bias.
    """
    # a plain loop over plain pairs takes half as long, which shows in a small network's gradients
    found = {}
    for number, layer in enumerate(network.layers, start=1):
        for letter, field in _PARAMETER_FIELDS:
            value = getattr(layer, field)
            if value is not None:
                found[f"{letter}{number}"] = value
    return found


def shape_of(node: str, problem: Problem) -> tuple[int, ...]:
    """Return the shape of a node, and so of the loss's derivative by it.

    Parameters
    ----------
    node : str
        A numbered node.
    problem : Problem

    Returns
    -------
    tuple of int
    """
    symbol, layer = split_node(node)
    return symbol.shape(problem.network.widths, layer, problem.n_samples)


def n_components(node: str, problem: Problem) -> int:
    """Return how many rows or columns of a Jacobian a node takes: its entries, for one sample.

    Parameters
    ----------
    node : str
    problem : Problem

    Returns
    -------
    int
    """
    symbol, layer = split_node(node)
    return math.prod(symbol.shape(problem.network.widths, layer, 1))
