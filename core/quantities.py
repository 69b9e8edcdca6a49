"""Quantities: the table of node symbols, and the grammar of ids made of them.

    forward       Z{l}  A{l}  S  L
    derivatives   d{of}_d{by},  of: L  S  Z{l}  A{l}     by: X  W{l}  b{l}  Z{l}  A{l}  S

The ids are one closed language for everything that is computed, asked for or marked. Layers count from 1, and
the number may be left out for the output layer. Inside the core every node carries its number (``"Z2"``,
``"A2"`` for S, ``"dL_dW1"``); `parse_quantity` comes from the spelling of a request to that, `public_name` goes
back to the canonical spelling.

Whoever has to know something about a node reads it from its symbol's entry in `NODES`.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.arrays import Array
from core.errors import DomainError, Path, ShapeError, UnknownNameError
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

PARAMETERS = tuple(entry for entry in NODES.values() if entry.is_parameter)

_PARAMETER_FIELDS = [(entry.name, str(entry.parameter)) for entry in PARAMETERS]
_ALIASES = {entry.stands_for: entry for entry in NODES.values() if entry.stands_for}
_FORWARD_NAMES = [entry.name for entry in NODES.values() if entry.is_computed]
# what has no number first, and of that the loss
_OF_NAMES = sorted(_FORWARD_NAMES, key=lambda name: (NODES[name].is_numbered, NODES[name].has_samples))
_BY_NAMES = [entry.name for entry in NODES.values() if entry.offset < math.inf]

_FORWARD_CLASS, _OF_CLASS, _BY_CLASS = (f"[{''.join(names)}]" for names in (_FORWARD_NAMES, _OF_NAMES, _BY_NAMES))
_NUMBER = "([1-9][0-9]{0,5})?"
_FORWARD = re.compile(f"({_FORWARD_CLASS}){_NUMBER}")
_DERIVATIVE = re.compile(f"d({_OF_CLASS}){_NUMBER}_d({_BY_CLASS}){_NUMBER}")
_PLACEHOLDER = re.compile(r"\{.*?\}")
ID_PATTERN = f"^({_FORWARD_CLASS}[0-9]*|d{_OF_CLASS}[0-9]*_d{_BY_CLASS}[0-9]*)$"


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
    def is_of_loss(self) -> bool:
        """Whether it is the loss or a derivative of it."""
        return self.of == "L"

    @property
    def is_loss(self) -> bool:
        """Whether it is the loss itself."""
        return self.is_of_loss and self.by is None

    @property
    def is_gradient(self) -> bool:
        """Whether it is the loss's derivative, which has the shape of what it is taken by."""
        return self.is_of_loss and self.by is not None

    @property
    def is_jacobian(self) -> bool:
        """Whether it is a matrix per sample rather than an array of its own shape."""
        return self.by is not None and not self.is_of_loss

    @property
    def node(self) -> str:
        """The node whose shape it has; of a Jacobian the one that is differentiated."""
        return str(self.by) if self.is_gradient else self.of

    @property
    def is_by_weights(self) -> bool:
        """Whether it is a derivative by something that a Jacobian's columns stack."""
        return self.by is not None and symbol_of(self.by).is_stacked

    @property
    def is_by_parameter(self) -> bool:
        """Whether it is a derivative by weights or a bias."""
        return self.by is not None and symbol_of(self.by).is_parameter

    @property
    def is_by_bias(self) -> bool:
        """Whether it is a derivative by a bias."""
        return self.is_by_parameter and not self.is_by_weights

    def matches(self, template: str) -> bool:
        """Tell whether a template of the table, filled in for its layer, is its id: ``"dA{l}_dZ{l}"``."""
        return template.replace("{l}", str(split_node(self.of)[1])) == self.key


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
            f"dZ1_db1, dL_dX: {{of}} is {_join(_OF_NAMES)}, {{by}} is {_join(_BY_NAMES)}, in just these capitals, each "
            "with its layer's number, or without for the last layer",
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
    name = _PLACEHOLDER.sub("1", template)
    return bool(_FORWARD.fullmatch(name) or _DERIVATIVE.fullmatch(name))


def spell_template(template: str) -> tuple[str, ...]:
    """Return the spellings of a name of the table of steps in a network of one layer.

    Parameters
    ----------
    template : str

    Returns
    -------
    tuple of str
        Without numbers, and with X for what lies below; the second, where there is one, for softmax outputs.
    """
    name = _PLACEHOLDER.sub("", template.replace("A{l-1}", "X"))
    spellings = [name, *(name.replace(symbol, alias.name) for symbol, alias in _ALIASES.items())]
    return tuple(dict.fromkeys(spellings))


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
    return NODES[node[0]]


def split_node(node: str) -> tuple[NodeSymbol, int]:
    """Return a numbered node's symbol and layer; what has no number counts as layer 0.

    Parameters
    ----------
    node : str

    Returns
    -------
    tuple of NodeSymbol and int
    """
    return NODES[node[0]], int(node[1:] or 0)


def is_layer_value(name: str) -> bool:
    """Tell whether a name of the table of steps is what a layer computes on the way forward: ``"Z1"``, ``"A2"``."""
    forward = _FORWARD.fullmatch(name)
    return forward is not None and NODES[forward[1]].is_numbered


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
    if key.startswith("d"):
        quantity = to_quantity(key)
        return f"d{public_name(quantity.of, problem)}_d{public_name(str(quantity.by), problem)}"
    network = problem.network
    if key[0] in _ALIASES and network.gives_distribution and key == f"{key[0]}{network.depth}":
        return _ALIASES[key[0]].name
    return key if network.depth > 1 else key[0]


def title_of(quantity: Quantity, problem: Problem) -> str:
    """Return what a quantity is called in words, for students.

    Parameters
    ----------
    quantity : Quantity
    problem : Problem

    Returns
    -------
    str
        ``"gradient by the weights of layer 2"``; without the layer where there is only one.
    """
    of = _node_title(quantity.of, problem)
    if quantity.by is None:
        return of
    by = _node_title(quantity.by, problem)
    return f"gradient by the {by}" if quantity.is_gradient else f"Jacobian of the {of} by the {by}"


def _node_title(node: str, problem: Problem) -> str:
    # under its public name, so that outputs may be probabilities
    symbol = symbol_of(public_name(node, problem))
    has_number = symbol.is_numbered and problem.network.depth > 1
    return symbol.title + (f" of layer {split_node(node)[1]}" if has_number else "")


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
    return math.prod(symbol.shape_in_sample(problem.network.widths, layer))


def _node(letter: str, number: str | None, problem: Problem, path: Path) -> str:
    symbol, depth = NODES[letter], problem.network.depth
    if number is not None and not symbol.is_numbered:
        raise UnknownNameError(f"{letter} takes no layer number; there is one of it", path=path)
    layer = int(number or depth)
    if layer > depth:
        raise UnknownNameError(f"found layer {layer}, the network has {depth}; layers count from 1", path=path)
    if lack := symbol.find_lack(problem, layer):
        raise UnknownNameError(lack, path=path)
    if symbol.stands_for:
        return f"{symbol.stands_for}{depth}"
    return f"{letter}{layer}" if symbol.is_numbered else letter


def _join(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
