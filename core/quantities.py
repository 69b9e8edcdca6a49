"""The grammar of quantity ids: one closed language for everything that is computed, asked for or marked.

    forward       Z{l}  A{l}  S  L
    derivatives   d{of}_d{by},  of: L  S  Z{l}  A{l}     by: X  W{l}  b{l}  Z{l}  A{l}  S

Layers count from 1, and the number may be left out for the output layer. Inside the core every node
carries its number (``"Z2"``, ``"A2"`` for S, ``"dL_dW1"``); `parse_quantity` comes from the spelling of a
request to that, `public_name` goes back to the canonical spelling.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import DomainError, Path, ShapeError, UnknownNameError
from core.problem import Problem

OF_SYMBOLS = "LSZA"
BY_SYMBOLS = "XWbZAS"
FORWARD_SYMBOLS = "ZASL"
UNNUMBERED = "XSL"

_NODE = r"([{}])([1-9][0-9]{{0,5}})?"
_FORWARD = re.compile(_NODE.format(FORWARD_SYMBOLS))
_DERIVATIVE = re.compile("d" + _NODE.format(OF_SYMBOLS) + "_d" + _NODE.format(BY_SYMBOLS))
ID_PATTERN = rf"^([{FORWARD_SYMBOLS}][0-9]*|d[{OF_SYMBOLS}][0-9]*_d[{BY_SYMBOLS}][0-9]*)$"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity of a network, by numbered nodes.

    Parameters
    ----------
    of : str
        The node itself, or what is differentiated: ``"L"``, ``"Z2"``, ``"A2"``.
    by : str or None
        What it is differentiated by; None for a forward quantity.
    """

    of: str
    by: str | None = None

    @property
    def key(self) -> str:
        """The numbered id: ``"A2"``, ``"dL_dW1"``."""
        return self.of if self.by is None else f"d{self.of}_d{self.by}"

    @property
    def is_jacobian(self) -> bool:
        """Whether it is a matrix per sample rather than an array of its own shape."""
        return self.by is not None and self.of != "L"


def parse_quantity(text: str, problem: Problem, *, path: Path = ()) -> Quantity:
    """Read a quantity id for a problem.

    Parameters
    ----------
    text : str
        The id in any of its spellings.
    problem : Problem
        The problem whose quantity it names.
    path : tuple
        Where the id stands, for the error.

    Returns
    -------
    Quantity

    Raises
    ------
    UnknownNameError
        If the text is not of the grammar, or the network has no such quantity.
    DomainError
        If what it is differentiated by is not upstream of what is differentiated.
    """
    if forward := _FORWARD.fullmatch(text):
        return Quantity(_node(forward[1], forward[2], problem, path))
    derivative = _DERIVATIVE.fullmatch(text)
    if derivative is None:
        raise UnknownNameError(
            "this is not a quantity id; needed one like Z1, A1, S, L, or a derivative d{of}_d{by} like dL_dW1, dS_dZ2, "
            "dZ1_db1, dL_dX: {of} is L, S, Z or A, {by} is X, W, b, Z, A or S, in just these capitals, each with its "
            "layer's number, or without for the last layer",
            path=path,
        )
    of_symbol, of_number, by_symbol, by_number = derivative.groups()
    quantity = Quantity(_node(of_symbol, of_number, problem, path), _node(by_symbol, by_number, problem, path))
    if position(quantity.of) <= position(str(quantity.by)):
        raise DomainError(
            f"{public_name(str(quantity.by), problem)} is not upstream of {public_name(quantity.of, problem)}; "
            "a derivative is taken by something that the value is computed from",
            path=path,
        )
    return quantity


def to_quantity(key: str) -> Quantity:
    """Return the quantity of a numbered id: ``"A2"``, ``"dL_dW1"``."""
    return Quantity(*key[1:].split("_d")) if key.startswith("d") else Quantity(key)


def parse_quantities(texts: Sequence[str], problem: Problem, *, path: Path) -> dict[str, Quantity]:
    """Read quantity ids that are asked for together.

    Parameters
    ----------
    texts : sequence of str
    problem : Problem
    path : tuple
        Where the sequence stands, for the error.

    Returns
    -------
    dict of str to Quantity
        The quantities under their spellings, in order.

    Raises
    ------
    UnknownNameError, DomainError
        As `parse_quantity`, and if two spellings mean one quantity.
    ShapeError
        If there is none.
    """
    if not texts:
        raise ShapeError("found no quantity id; needed at least one", path=path)
    found: dict[str, Quantity] = {}
    seen: set[Quantity] = set()
    for index, text in enumerate(texts):
        quantity = parse_quantity(text, problem, path=(*path, index))
        if quantity in seen:
            raise DomainError(
                f"{public_name(quantity.key, problem)} is asked for twice; name each quantity once",
                path=(*path, index),
            )
        seen.add(quantity)
        found[text] = quantity
    return found


def is_quantity_template(template: str) -> bool:
    """Tell whether a name of the table of steps is one of the grammar rather than an intermediate.

    Parameters
    ----------
    template : str
        With ``{l}``, ``{l-1}`` or ``{n}`` for a layer's number.

    Returns
    -------
    bool
    """
    name = re.sub(r"\{.*?\}", "1", template)
    return bool(_FORWARD.fullmatch(name) or _DERIVATIVE.fullmatch(name))


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
    return math.inf if symbol == "L" else 3 * layer - {"W": 2, "b": 2, "Z": 1}.get(symbol, 0)


def split_node(node: str) -> tuple[str, int]:
    """Return a node's symbol and layer; X counts as layer 0.

    Parameters
    ----------
    node : str

    Returns
    -------
    tuple of str and int
    """
    return node[0], int(node[1:] or 0)


def public_name(key: str, problem: Problem) -> str:
    """Return the canonical spelling: S for softmax outputs, no number in a single layer.

    Parameters
    ----------
    key : str
        A numbered id: ``"A2"``, ``"dL_dW1"``.
    problem : Problem

    Returns
    -------
    str
    """
    return spell(key, problem.network.depth, gives_distribution=problem.network.gives_distribution)


def spell(key: str, depth: int, *, gives_distribution: bool) -> str:
    """Return the canonical spelling in a network of this depth, whose outputs may be a distribution.

    Parameters
    ----------
    key : str
        A numbered id.
    depth : int
    gives_distribution : bool

    Returns
    -------
    str
    """
    if key.startswith("d"):
        nodes = (spell(node, depth, gives_distribution=gives_distribution) for node in key[1:].split("_d"))
        return "d" + "_d".join(nodes)
    if gives_distribution and key == f"A{depth}":
        return "S"
    return key if depth > 1 else key[0]


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
    widths, n_samples = problem.network.widths, problem.n_samples
    match symbol:
        case "L":
            return ()
        case "W":
            return (widths[layer - 1], widths[layer])
        case "b":
            return (widths[layer],)
        case _:
            return (n_samples, widths[layer])


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
    widths = problem.network.widths
    return widths[layer - 1] * widths[layer] if symbol == "W" else widths[layer]


def _node(symbol: str, number: str | None, problem: Problem, path: Path) -> str:
    depth = problem.network.depth
    if symbol in UNNUMBERED and number is not None:
        raise UnknownNameError(f"{symbol} takes no layer number; there is one of it", path=path)
    layer = int(number or depth)
    if layer > depth:
        raise UnknownNameError(f"found layer {layer}, the network has {depth}; layers count from 1", path=path)
    if symbol == "S" and not problem.network.gives_distribution:
        raise UnknownNameError(
            f"the network has no S: its last activation is {problem.network.output_activation}, "
            f"and S stands for softmax probabilities; its outputs are A{depth}",
            path=path,
        )
    if symbol == "L" and problem.loss is None:
        raise UnknownNameError("the problem has no L: it needs targets and loss for that", path=path)
    if symbol == "b" and problem.network.layers[layer - 1].bias is None:
        raise UnknownNameError(f"the network has no b{layer}: layer {layer} has no bias", path=path)
    if symbol in "XL":
        return symbol
    return f"{'A' if symbol == 'S' else symbol}{layer}"
