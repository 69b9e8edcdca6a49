"""Quantities: the grammar of ids, made of the nodes' symbols.

    forward       Z{l}  A{l}  S  L
    derivatives   d{of}_d{by},  of: L  S  Z{l}  A{l}     by: X  W{l}  b{l}  Z{l}  A{l}  S

The ids are one closed language for everything that is computed, asked for or marked. Layers count from 1, and
the number may be left out for the output layer. Inside the core every node carries its number (``"Z2"``,
``"A2"`` for S, ``"dL_dW1"``); `parse_quantity` comes from the spelling of a request to that, `public_name` goes
back to the canonical spelling.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import DomainError, Path, ShapeError, UnknownNameError
from core.nodes import NODES, position, split_node, symbol_of
from core.problem import Problem

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


def nodes_in(key: str) -> list[str]:
    """Return the nodes of a numbered id: of ``"dL_dW1"`` L and W1, of ``"A2"`` that alone."""
    return key[1:].split("_d") if key.startswith("d") else [key]


def to_quantity(key: str) -> Quantity:
    """Return the quantity of a numbered id: ``"A2"``, ``"dL_dW1"``."""
    return Quantity(*nodes_in(key))


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


def is_layer_value(name: str) -> bool:
    """Tell whether a name of the table of steps is what a layer computes on the way forward: ``"Z1"``, ``"A2"``."""
    forward = _FORWARD.fullmatch(name)
    return forward is not None and NODES[forward[1]].is_numbered


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
    """Return the public name in any network of this depth, whose outputs may be a distribution.

    Parameters
    ----------
    key : str
    depth : int
    gives_distribution : bool

    Returns
    -------
    str
    """
    if key.startswith("d"):
        return "d" + "_d".join(spell(node, depth, gives_distribution=gives_distribution) for node in nodes_in(key))
    if gives_distribution and key[0] in _ALIASES and key == f"{key[0]}{depth}":
        return _ALIASES[key[0]].name
    return key if depth > 1 else key[0]


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
