"""What-if readings of the table: quantities under any choice of changes, each number computed once.

A change reaches the steps downstream of it and no others. So a value is kept under the changes that reach
it, and two scenarios share all that they have in common: of a thousand pairs of mistakes most differ in a
step or two. Nothing is checked to be finite here; a wrong way of computing may well overflow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from core.arrays import Array
from core.jacobians.paths import Link, identity_rows, own_rows, path_between
from core.problem import Problem
from core.steps import Change, Place, Step, fill, sources_of, steps_of, structure_of

MOST_HELD = 2_000_000
"""How many numbers are kept; past it all are forgotten and computed anew when they are needed."""

Ways = Sequence[Sequence[Change]]


@dataclass(slots=True, eq=False)
class _Node:
    """One step, local Jacobian, product of them, or source; its values under the ways that reach it."""

    key: str
    inputs: list["_Node"] = field(default_factory=list)
    # with its place bound; None for a source, a given value and a product
    apply: Any = None
    plain: Any = None
    changes: list[tuple[int, Any, list["_Node"]]] = field(default_factory=list)
    own: int = 0
    reach: int = 0
    values: dict[int, Array] = field(default_factory=dict)
    step: Step | None = None
    link: Link | None = None
    spread: tuple[Array, Array] | None = None
    # the layer's activations, for a rule that has a plain form
    outputs: Any = None


class Scenarios:
    """The table of steps under changes.

    Parameters
    ----------
    problem : Problem
    ways : sequence of sequences of Change
        What can be chosen; a choice is an integer whose bit i stands for way i. Two chosen ways must not
        both replace one step.
    given : mapping of str to ndarray, optional
        Values and local Jacobians that are taken as they are.
    """

    def __init__(self, problem: Problem, ways: Ways = (), *, given: Mapping[str, Array] | None = None) -> None:
        self.problem = problem
        self._structure = structure_of(problem)
        self._places = [Place(problem, number) for number in range(problem.network.depth + 1)]
        self._by_rule: dict[str, list[tuple[int, Change]]] = {}
        for index, way in enumerate(ways):
            for change in way:
                self._by_rule.setdefault(change.rule, []).append((1 << index, change))
        self._nodes: dict[str, _Node] = {}
        self._held = 0
        self._given = frozenset(given or {})
        for key, value in {**sources_of(problem), **(given or {})}.items():
            self._nodes[key] = _Node(key, values={0: value})
        self._steps = {step.output: step for step in steps_of(self._structure)}
        for key, step in self._steps.items():
            # in the order of the table, so that inputs are there before what takes them
            if key not in self._nodes:
                self._add_step(key, step)

    def value(self, key: str, chosen: int = 0) -> Array:
        """Compute a quantity under chosen ways.

        Parameters
        ----------
        key : str
            A numbered id: ``"A2"``, ``"dL_dW1"``, ``"dA2_dZ2"``.
        chosen : int
            Bits of the ways.

        Returns
        -------
        ndarray
            Of the quantity's shape, unless a way gives it another; possibly not finite.
        """
        with np.errstate(all="ignore"):
            return self._value(self._node(key), chosen)

    def values(self, key: str, choices: Sequence[int]) -> list[Array]:
        """Compute a quantity under many choices of ways.

        Parameters
        ----------
        key : str
        choices : sequence of int

        Returns
        -------
        list of ndarray
        """
        with np.errstate(all="ignore"):
            node = self._node(key)
            return [self._value(node, chosen) for chosen in choices]

    def reach(self, key: str) -> int:
        """Return the bits of the ways that make a difference to a quantity.

        Parameters
        ----------
        key : str
            A numbered id.

        Returns
        -------
        int
        """
        return self._node(key).reach

    def upstream(self, key: str) -> frozenset[str]:
        """Name everything that a quantity is computed from: steps, sources and local Jacobians.

        Parameters
        ----------
        key : str
            A numbered id.

        Returns
        -------
        frozenset of str
            Without what is upstream of a given value.
        """
        found: set[str] = set()
        waiting = list(self._node(key).inputs)
        while waiting:
            node = waiting.pop()
            if node.key not in found:
                found.add(node.key)
                waiting += node.inputs
        return frozenset(found)

    def spread(self, key: str) -> Array:
        """Bound how far rounding every number on the way moves a quantity, in units of the last decimal.

        Parameters
        ----------
        key : str
            A numbered id.

        Returns
        -------
        ndarray
            Of the quantity's shape; 0.5 for the quantity's own rounding and more for what is on the way.
        """
        with np.errstate(all="ignore"):
            return self._spread(self._node(key))[1]

    def _node(self, key: str) -> _Node:
        node = self._nodes.get(key)
        if node is None:
            node = self._add_product(key)
        return node

    def _add_step(self, key: str, step: Step) -> None:
        place = self._places[step.number]
        node = _Node(key, [self._nodes[name] for name in step.inputs], partial(step.rule.apply, place))
        node.step = step
        if step.rule.plain:
            node.plain, node.outputs = partial(step.rule.plain, place), self._nodes[f"A{step.number}"]
        self._nodes[key] = node
        self._add_changes(node, step.rule.name, place)

    def _add_product(self, key: str) -> _Node:
        links = path_between(self.problem, *key[1:].split("_d"))
        nodes = [self._nodes.get(link.key) or self._add_link(link) for link in links]
        if len(nodes) == 1:
            return nodes[0]
        node = self._nodes[key] = _Node(key, nodes)
        for part in nodes:
            node.reach |= part.reach
        return node

    def _add_link(self, link: Link) -> _Node:
        place = self._places[link.step.number]
        node = _Node(link.key, [self._nodes[name] for name in link.inputs], partial(link.local.pull, place))
        node.link = link
        self._nodes[link.key] = node
        template = next(t for t, local in link.step.rule.jacobians.items() if local is link.local)
        self._add_changes(node, f"d{link.step.rule.output}_d{template}", place)
        return node

    def _add_changes(self, node: _Node, rule: str, place: Place) -> None:
        for bit, change in self._by_rule.get(rule, ()):
            if change.where(place):
                names = [name for text in change.extra for name in fill(text, place.number, self._structure)]
                further = [self._nodes[name] for name in names]
                node.changes.append((bit, change, further))
                node.own |= bit
                node.reach |= bit
                for part in further:
                    node.reach |= part.reach
        # what takes the step's place comes first, what works on its result after it
        node.changes.sort(key=lambda entry: not entry[1].replaces)
        for part in node.inputs:
            node.reach |= part.reach

    def _value(self, node: _Node, chosen: int) -> Array:
        chosen &= node.reach
        value = node.values.get(chosen)
        if value is None:
            value = self._keep(node, chosen, self._compute(node, chosen))
        return value

    def _compute(self, node: _Node, chosen: int) -> Array:
        if node.link is not None:
            return own_rows(self.problem, self._pull(node, identity_rows(self.problem, _of(node)), chosen))
        if node.apply is None:
            rows = identity_rows(self.problem, _of(node))
            for link in node.inputs:
                rows = self._pull(link, rows, chosen)
            return own_rows(self.problem, rows)
        plain = node.plain is not None and (node.outputs.key in self._given or bool(chosen & node.outputs.reach))
        return self._run(node, node.plain if plain else node.apply, chosen)

    def _pull(self, node: _Node, rows: Array, chosen: int) -> Array:
        return rows @ node.values[0] if node.link is None else self._run(node, node.apply, chosen, rows)

    def _run(self, node: _Node, run: Any, chosen: int, *rows: Array) -> Array:
        inputs = [self._value(part, chosen) for part in node.inputs]
        # most nodes of most scenarios are as the table has them, and a node may have a hundred ways
        for bit, change, further in node.changes if chosen & node.own else ():
            if bit & chosen:
                more = [self._value(part, chosen) for part in further]
                run = partial(_take_further, change.apply, run, self._place(node), more)
        try:
            result: Array = run(*rows, *inputs)
        except (ValueError, IndexError):
            if not chosen:
                raise
            # two ways whose shapes do not fit: nobody can have computed this
            return np.asarray(np.nan)
        return result

    def _place(self, node: _Node) -> Place:
        step = node.step or (node.link and node.link.step)
        return self._places[step.number if step else 0]

    def _keep(self, node: _Node, chosen: int, value: Array) -> Array:
        self._held += value.size
        if self._held > MOST_HELD:
            for other in self._nodes.values():
                if other.inputs or other.apply is not None:
                    other.values.clear()
            self._held = value.size
        node.values[chosen] = value
        return value

    def _spread(self, node: _Node) -> tuple[Array, Array]:
        if node.spread is None:
            node.spread = self._bound(node)
        return node.spread

    def _bound(self, node: _Node) -> tuple[Array, Array]:
        if node.step is not None:
            value, spread = self._value(node, 0), node.step.rule.spread
            if spread is None:
                return value, np.zeros(value.shape)
            parts = [self._spread(part) for part in node.inputs]
            bound = spread(self._place(node), [e for _, e in parts], *(v for v, _ in parts))
            return value, np.asarray(bound + 0.5)
        if node.link is None and not node.inputs:
            value = node.values[0]
            return value, np.zeros(value.shape)
        rows = identity_rows(self.problem, _of(node))
        error = np.zeros(rows.shape)
        for link in [node] if node.link else node.inputs:
            parts = [self._spread(part) for part in link.inputs]
            values = [v for v, _ in parts]
            if link.link is None:
                error, rows = error @ np.abs(link.values[0]), rows @ link.values[0]
            else:
                local = link.link.local
                error = local.spread(self._place(link), [error, *(e for _, e in parts)], rows, *values) + 0.5
                rows = local.pull(self._place(link), rows, *values)
        return rows, error


def _of(node: _Node) -> str:
    return node.key[1:].split("_d", maxsplit=1)[0]


def _take_further(apply: Any, exact: Any, place: Place, further: list[Array], *inputs: Array) -> Array:
    result: Array = apply(exact, place, *inputs, *further)
    return result
