"""What quantities are called in words, for students."""

from core.problem import Problem
from core.quantities import Quantity, split_node

NODE_WORDS = {
    "X": "inputs",
    "W": "weights",
    "b": "biases",
    "Z": "pre-activations",
    "A": "activations",
    "S": "probabilities",
    "L": "loss",
}
"""Under the symbols of the grammar."""


def title_of(quantity: Quantity, problem: Problem) -> str:
    """Return a quantity's title.

    Parameters
    ----------
    quantity : Quantity
    problem : Problem

    Returns
    -------
    str
        ``"gradient by the weights of layer 2"``; without the layer where there is only one.
    """
    of = _name(quantity.of, problem)
    if quantity.by is None:
        return of
    by = _name(quantity.by, problem)
    return f"gradient by the {by}" if quantity.of == "L" else f"Jacobian of the {of} by the {by}"


def _name(node: str, problem: Problem) -> str:
    symbol, layer = split_node(node)
    depth = problem.network.depth
    if problem.network.gives_distribution and node == f"A{depth}":
        return NODE_WORDS["S"]
    return NODE_WORDS[symbol] + (f" of layer {layer}" if layer and depth > 1 else "")
